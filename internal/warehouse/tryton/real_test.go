package tryton

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged/pagedtest"
	"stockbridge/internal/warehouse/tryton/trytonreal"
)

func real(t *testing.T, s *trytonreal.Server, change func(*Config)) *Source {
	t.Helper()
	cfg := Config{URL: s.URL, Database: trytonreal.Database, Username: trytonreal.Username, Password: trytonreal.Password}
	if change != nil {
		change(&cfg)
	}
	src, err := New(cfg, outbound.Options{Network: outbound.Policy{AllowPrivate: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// What is confirmed in a real Tryton is what is pulled: on hand, and available without what is assigned to customers.
func TestStockOfARealTryton(t *testing.T) {
	t.Parallel()
	tryton := trytonreal.Start(t)
	for code, quantity := range map[string]float64{"HELMET": 12, "BELL": 40, "CHAIN": 0} {
		tryton.AddProduct(code)
		if quantity > 0 {
			tryton.SetStock(code, quantity)
		}
	}
	bare := tryton.AddProduct("")
	tryton.AddProduct("") // has neither code nor stock
	move := tryton.AssignOutgoing("HELMET", 5)

	s := real(t, tryton, nil)
	pull := func(src *Source) []string {
		t.Helper()
		rows, complete, err := pagedtest.Pull(t.Context(), t, src)
		if err != nil || !complete {
			t.Fatalf("%q, complete %v, %v", rows, complete, err)
		}
		for i, r := range rows { // products were made in any order
			_, rows[i], _ = strings.Cut(r, " ")
		}
		slices.Sort(rows)
		return rows
	}
	if got, want := pull(s), []string{"BELL@WH/40/40/0", "CHAIN@WH/0/0/0", "HELMET@WH/7/12/5"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	tryton.Expire() // the session is refused, and a new one is made
	tryton.Ship(move)
	tryton.SetStockOf(bare, tryton.Find("stock.location", "code", "STO"), 3)
	_, storage := tryton.AddWarehouse("WH2")
	tryton.SetStockOf(tryton.Find("product.product", "code", "BELL"), storage, 9)
	want := []string{
		"1: product " + fmt.Sprint(bare) + " has stock at WH but no code: give it one in Tryton, which is its SKU",
		"BELL@WH/40/40/0", "BELL@WH2/9/9/0", "CHAIN@WH/0/0/0", "CHAIN@WH2/0/0/0", "HELMET@WH/7/7/0", "HELMET@WH2/0/0/0",
	}
	got := pull(s)
	got[0] = "1" + got[0][strings.Index(got[0], ":"):]
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}

	one := real(t, tryton, func(c *Config) { c.LocationIDs = []int{storage} })
	if got, want := pull(one), []string{fmt.Sprintf("BELL@%d/9/9/0", storage), fmt.Sprintf("CHAIN@%d/0/0/0", storage), fmt.Sprintf("HELMET@%d/0/0/0", storage)}; !reflect.DeepEqual(got, want) {
		t.Errorf("of one location: got %q, want %q", got, want)
	}
	if words, err := s.Test(t.Context()); err != nil || words != "Tryton answered; facilities: WH, WH2" {
		t.Errorf("%q, %v", words, err)
	}

	for name, tt := range map[string]struct {
		change func(*Config)
		code   fault.Code
		words  string
	}{
		"a wrong password":     {func(c *Config) { c.Password = "wrong password" }, fault.CredentialsRefused, "set the user's login and password"},
		"no such database":     {func(c *Config) { c.Database = "nobody" }, fault.BadReply, "nobody"},
		"no such location":     {func(c *Config) { c.LocationIDs = []int{99999} }, fault.BadReply, "no location 99999"},
		"a customer's place":   {func(c *Config) { c.LocationIDs = []int{tryton.Find("stock.location", "code", "CUS")} }, fault.BadReply, "of type customer"},
		"an address elsewhere": {func(c *Config) { c.URL += "/elsewhere" }, fault.BadReply, ""},
	} {
		_, err := real(t, tryton, tt.change).Test(t.Context())
		if fault.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), "wrong password") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
