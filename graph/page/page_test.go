package page_test

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	"pgregory.net/rapid"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/warehouselevel"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/fault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

type level = ent.WarehouseLevel

// orders are all kinds of columns, and how rows compare by them.
var orders = map[string]struct {
	by      *page.Column[level]
	compare func(a, b *level) int
}{
	"id":         {nil, func(a, b *level) int { return 0 }},
	"sku":        {page.Text(warehouselevel.FieldSku, func(l *level) string { return l.Sku }), func(a, b *level) int { return cmp.Compare(a.Sku, b.Sku) }},
	"available":  {page.MaybeNumber(warehouselevel.FieldAvailable, func(l *level) *int64 { return l.Available }), func(a, b *level) int { return maybe(a.Available, b.Available, cmp.Compare[int64]) }},
	"reportedAt": {page.Moment(warehouselevel.FieldReportedAt, func(l *level) time.Time { return l.ReportedAt }), func(a, b *level) int { return a.ReportedAt.Compare(b.ReportedAt) }},
	"number":     {page.Number(warehouselevel.FieldWarehouseID, func(l *level) int64 { return l.WarehouseID }), func(a, b *level) int { return cmp.Compare(a.WarehouseID, b.WarehouseID) }},
}

// maybe compares values that may be missing: nothing comes first.
func maybe[V any](a, b *V, compare func(a, b V) int) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return compare(*a, *b)
}

// shelf is a table of levels.
type shelf struct {
	client *ent.Client
	rows   []*level
}

func each(t *testing.T, test func(t *testing.T, s *shelf)) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := dbtest.URL(t, name)
			db := dbtest.Reopen(t, at, database.Options{})
			driver, dsn := "pgx", at
			if name == "sqlite" {
				driver, dsn = "sqlite", "file:"+(&url.URL{Path: db.Path()}).EscapedPath()+"?_pragma=busy_timeout(10000)&_time_format=sqlite"
			}
			conn, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			})
			s := &shelf{client: ent.NewClient(ent.Driver(entsql.OpenDB(db.Dialect(), conn)))}
			s.fill(t, db)
			test(t, s)
		})
	}
}

// fill makes rows with many ties, missing values, and texts whose order collations disagree about.
func (s *shelf) fill(t *testing.T, db *database.DB) {
	ctx := t.Context()
	m := s.client.Merchant.Create().SetName("M").SaveX(ctx)
	var warehouses []int64
	for i := range 3 {
		warehouses = append(warehouses, s.client.Warehouse.Create().SetMerchantID(m.ID).SetName(fmt.Sprint(i)).SetPlatform(enum.Push).SetSettings([]byte("{}")).SaveX(ctx).ID)
	}
	start := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	var rows []*ent.WarehouseLevelCreate
	for i := range 47 {
		c := s.client.WarehouseLevel.Create().SetMerchantID(m.ID).SetWarehouseID(warehouses[i%3]).SetFacilityCode(fmt.Sprint(i)).
			SetSku([]string{"a", "B", "b", "é", "a-1", "A 1", `"`, "\U0001F6B2", "<>&"}[i*i%9]).
			SetReportedAt(start.Add([]time.Duration{0, 500 * time.Millisecond, 510 * time.Millisecond, time.Second, time.Microsecond}[i%5]))
		if i%4 != 0 {
			c.SetAvailable(int64(i%6 - 2))
		}
		rows = append(rows, c)
	}
	s.client.WarehouseLevel.CreateBulk(rows...).SaveX(ctx)
	s.rows = s.client.WarehouseLevel.Query().AllX(ctx)
}

func (s *shelf) page(ctx context.Context, order page.Order[level], args page.Args) (*model.Page[level], error) {
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{})
	return page.Of(ctx, s.client.WarehouseLevel.Query(), args, order, nil)
}

func idOf(l *level) int64 { return l.ID }

// spec 5: paging with any size, forward or backward, in any order, gives every row once, in order.
func TestPagesMakeUpTheList(t *testing.T) {
	each(t, func(t *testing.T, s *shelf) {
		rapid.Check(t, func(rt *rapid.T) {
			name := rapid.SampledFrom([]string{"id", "sku", "available", "reportedAt", "number"}).Draw(rt, "order")
			order := page.Order[level]{By: orders[name].by, Desc: rapid.Bool().Draw(rt, "desc"), ID: idOf}
			want := slices.Clone(s.rows)
			slices.SortFunc(want, func(a, b *level) int {
				c := cmp.Or(orders[name].compare(a, b), cmp.Compare(a.ID, b.ID))
				if order.Desc {
					c = -c
				}
				return c
			})
			size, backward := rapid.Int64Range(1, 50).Draw(rt, "size"), rapid.Bool().Draw(rt, "backward")
			args := page.Args{First: &size}
			if backward {
				args = page.Args{Last: &size}
			}
			var got []*level
			for range len(want) + 1 {
				p, err := s.page(t.Context(), order, args)
				if err != nil {
					rt.Fatal(err)
				}
				if len(p.Edges) == 0 || len(p.Edges) > int(size) {
					rt.Fatalf("a page of %d rows", len(p.Edges))
				}
				more := p.PageInfo.HasNextPage
				if backward {
					got = append(p.Nodes(), got...)
					more, args.Before = p.PageInfo.HasPreviousPage, p.PageInfo.StartCursor
				} else {
					got = append(got, p.Nodes()...)
					args.After = p.PageInfo.EndCursor
				}
				if !more {
					break
				}
			}
			if !slices.EqualFunc(got, want, func(a, b *level) bool { return a.ID == b.ID }) {
				rt.Errorf("got %v\nwant %v", ids(got), ids(want))
			}
			// A window between two cursors is what lies between them.
			i := rapid.IntRange(0, len(want)-1).Draw(rt, "i")
			j := rapid.IntRange(i, len(want)-1).Draw(rt, "j")
			all, err := s.page(t.Context(), order, page.Args{First: new(int64(len(want)))})
			if err != nil {
				rt.Fatal(err)
			}
			between, err := s.page(t.Context(), order, page.Args{First: new(int64(page.Max)), After: &all.Edges[i].Cursor, Before: &all.Edges[j].Cursor})
			if err != nil {
				rt.Fatal(err)
			}
			if g, w := ids(between.Nodes()), ids(want[min(i+1, j):j]); !slices.Equal(g, w) {
				rt.Errorf("between: got %v, want %v", g, w)
			}
		})
	})
}

func ids(rows []*level) []int64 {
	out := []int64{}
	for _, r := range rows {
		out = append(out, r.ID)
	}
	return out
}

// spec 5 and 6: sizes and cursors that cannot be used are refused by name; none given is 50 from the start.
func TestArgumentsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *shelf) {
		n := func(n int64) *int64 { return &n }
		sku := page.Order[level]{By: orders["sku"].by, ID: idOf}
		cursor := func(json string) *string { return new(base64.RawURLEncoding.EncodeToString([]byte(json))) }
		first, err := s.page(t.Context(), sku, page.Args{First: n(1)})
		if err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			name  string
			order page.Order[level]
			args  page.Args
			want  string // code and field
		}{
			{"default", sku, page.Args{}, ""},
			{"largest", sku, page.Args{First: n(250)}, ""},
			{"none", sku, page.Args{First: n(0)}, ""},
			{"too large", sku, page.Args{First: n(251)}, "PAGE_TOO_LARGE [first]"},
			{"too large from the end", sku, page.Args{Last: n(251)}, "PAGE_TOO_LARGE [last]"},
			{"negative", sku, page.Args{First: n(-1)}, "OUT_OF_RANGE [first]"},
			{"both", sku, page.Args{First: n(1), Last: n(1)}, "INVALID [last]"},
			{"a cursor", sku, page.Args{After: cursor(`["sku","a",3]`)}, ""},
			{"empty", sku, page.Args{After: new("")}, "INVALID_CURSOR [after]"},
			{"not base64", sku, page.Args{Before: new("§")}, "INVALID_CURSOR [before]"},
			{"not JSON", sku, page.Args{After: cursor(`["sku"`)}, "INVALID_CURSOR [after]"},
			{"of another order", page.Order[level]{ID: idOf}, page.Args{After: &first.Edges[0].Cursor}, "INVALID_CURSOR [after]"},
			{"of another column", page.Order[level]{By: orders["reportedAt"].by, ID: idOf}, page.Args{After: cursor(`["sku","2026-01-01T00:00:00Z",3]`)}, "INVALID_CURSOR [after]"},
			{"of another kind", sku, page.Args{After: cursor(`["sku",5,3]`)}, "INVALID_CURSOR [after]"},
			{"no time", page.Order[level]{By: orders["reportedAt"].by, ID: idOf}, page.Args{After: cursor(`["reported_at","soon",3]`)}, "INVALID_CURSOR [after]"},
			{"null where there is none", sku, page.Args{After: cursor(`["sku",null,3]`)}, "INVALID_CURSOR [after]"},
			{"a value where there is none", page.Order[level]{ID: idOf}, page.Args{After: cursor(`["",1,3]`)}, "INVALID_CURSOR [after]"},
			{"NUL", sku, page.Args{After: cursor(`["sku","a\u0000",3]`)}, "INVALID_CURSOR [after]"},
			{"no id", sku, page.Args{After: cursor(`["sku","a",null]`)}, "INVALID_CURSOR [after]"},
			{"fraction of an id", sku, page.Args{After: cursor(`["sku","a",1.5]`)}, "INVALID_CURSOR [after]"},
			{"an object", sku, page.Args{After: cursor(`{"sku":"a"}`)}, "INVALID_CURSOR [after]"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p, err := s.page(t.Context(), tt.order, tt.args)
				got := ""
				if f, ok := err.(*fault.Error); ok {
					got = fmt.Sprint(f.Code, " ", f.Field)
				} else if err != nil {
					t.Fatal(err)
				}
				if got != tt.want {
					t.Errorf("got %q (%v), want %q", got, err, tt.want)
				}
				if tt.name == "none" && (len(p.Edges) != 0 || !p.PageInfo.HasNextPage || p.PageInfo.EndCursor != nil) {
					t.Errorf("got %+v", p.PageInfo)
				}
			})
		}
	})
}

// A cursor that somebody made up never fails the database.
func FuzzCursor(f *testing.F) {
	f.Add(`["sku","a",3]`)
	f.Add(`["sku","\ud800",3]`)
	f.Add(`["",null,9223372036854775807]`)
	f.Add(`["available",null,1]`)
	at := dbtest.Open(f, "sqlite", database.Options{})
	s := &shelf{client: at.Reader()}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, o := range orders {
			c := base64.RawURLEncoding.EncodeToString([]byte(raw))
			_, err := s.page(t.Context(), page.Order[level]{By: o.by, ID: idOf}, page.Args{After: &c})
			if code := fault.CodeOf(err); err != nil && code != page.InvalidCursor {
				t.Fatalf("%q: %v", raw, err)
			}
		}
	})
}
