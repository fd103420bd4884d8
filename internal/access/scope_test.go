package access

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/ent/intercept"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// queries are queries of every type of row there is, by name, each asking whether there is one.
func queries(client *ent.Client) map[string]func(context.Context) (bool, error) {
	out := map[string]func(context.Context) (bool, error){}
	v := reflect.ValueOf(client).Elem()
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.IsExported() && strings.HasSuffix(f.Type.String(), f.Name+"Client") {
			query := v.Field(i).MethodByName("Query").Call(nil)[0]
			out[f.Name] = func(ctx context.Context) (bool, error) {
				got := query.MethodByName("Exist").Call([]reflect.Value{reflect.ValueOf(ctx)})
				err, _ := got[1].Interface().(error)
				return got[0].Bool(), err
			}
		}
	}
	return out
}

// spec 5.2 and 5.3: nobody reads anything of any type, and everybody but an ADMIN nothing of others' merchants.
func TestScopeCoversEveryType(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, database.Options{}, func(t *testing.T, db *database.DB) {
		m, err := db.CreateMerchant(t.Context(), database.CreateMerchant{Name: "Acme"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.CreateProduct(t.Context(), database.CreateProduct{MerchantID: m.ID, SKU: "A"}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.CreateToken(t.Context(), database.CreateToken{Name: "T", Role: enum.Admin, Hash: []byte("h")}); err != nil {
			t.Fatal(err)
		}
		client := Scope(db.Reader())
		if n := len(queries(client)); n < 20 {
			t.Fatalf("the test finds %d types", n)
		}
		holds := map[string]bool{"Merchant": true, "Product": true, "Token": true}
		tests := []struct {
			name   string
			viewer *Viewer
			code   fault.Code // of everything but tokens
			tokens fault.Code
			sees   bool
		}{
			{"nobody", nil, fault.Unauthenticated, fault.Unauthenticated, false},
			{"admin", &Viewer{Role: Admin}, "", "", true},
			{"operator", &Viewer{Role: Operator, MerchantIDs: []int64{m.ID}}, "", fault.Forbidden, true},
			{"partner", &Viewer{Role: Partner, MerchantIDs: []int64{m.ID, m.ID + 1}}, "", fault.Forbidden, true},
			{"another tenant", &Viewer{Role: Operator, MerchantIDs: []int64{m.ID + 1}}, "", fault.Forbidden, false},
			{"no tenant", &Viewer{Role: Partner}, "", fault.Forbidden, false},
			{"odd role", &Viewer{Role: "ROOT", MerchantIDs: []int64{m.ID}}, fault.Forbidden, fault.Forbidden, false},
		}
		for _, tt := range tests {
			ctx := t.Context()
			if tt.viewer != nil {
				ctx = With(ctx, tt.viewer)
			}
			for name, exists := range queries(client) {
				want := tt.code
				switch name {
				case "Token":
					want = tt.tokens
				case "IdempotencyKey", "Replica", "Lease": // nobody's to read
					want = fault.Forbidden
					if tt.viewer == nil {
						want = fault.Unauthenticated
					}
				}
				got, err := exists(ctx)
				if code := fault.CodeOf(err); code != want || (err == nil) != (want == "") {
					t.Errorf("%s reads %s: %v, want code %q", tt.name, name, err, want)
				}
				if want == "" && got != (tt.sees && holds[name]) {
					t.Errorf("%s sees %s: %v", tt.name, name, got)
				}
			}
		}
		ctx := With(t.Context(), &Viewer{Role: Partner, MerchantIDs: []int64{m.ID + 1}})
		if names, err := client.Merchant.Query().Select("name").Strings(ctx); err != nil || len(names) != 0 {
			t.Errorf("selected columns: %v, %v", names, err)
		}
		if n, err := client.Product.Query().QueryMerchant().Count(ctx); err != nil || n != 0 {
			t.Errorf("along an edge: %d, %v", n, err)
		}
		if n, err := client.Product.Query().Count(System(t.Context())); err != nil || n != 1 {
			t.Errorf("the program itself sees %d, %v", n, err)
		}
		if n, err := db.Reader().Product.Query().Count(t.Context()); err != nil || n != 1 {
			t.Errorf("another client is narrowed too: %d, %v", n, err)
		}
	})
}

// A type of row that nobody thought of is shown to nobody.
func TestScopeRefusesUnknownTypes(t *testing.T) {
	t.Parallel()
	if err := narrow(System(t.Context()), novelty{}); err == nil || !strings.Contains(err.Error(), "Novelty") {
		t.Errorf("got %v", err)
	}
}

type novelty struct{ intercept.Query }

func (novelty) Type() string { return "Novelty" }
