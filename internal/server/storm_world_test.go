package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/ent"
	entactivity "stockbridge/ent/activity"
	"stockbridge/ent/channellevel"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/warehouselevel"
	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/globalid"
	"stockbridge/internal/pipeline"
)

const (
	stormHouses = 8 // each has a writer
	stormAlpha  = 6 // of them, the rest is beta's
	stormSKUs   = 6
	stormFinale = 1_000_000 // the figure that is reported last
	stormAhead  = 100       // activities that writers are ahead of the steady subscribers, about
)

// storm is a database that several write to, and whose servers are under the eyes of many.
type storm struct {
	t      *testing.T
	url    string
	secret string // of the subscribers
	writer string // and of those who report by the API
	origin string // the cursor before everything
	houses []int64
	owners map[string]int64 // the merchants
	turn   int64            // the position at which a server stops
	tides  map[string]*tide
	deeds  deeds
	spread spread
	failed atomic.Bool

	mu      sync.RWMutex // guards servers; who works with one holds it
	servers []*live

	gate   sync.RWMutex  // held while a subscriber leaves and comes again
	finale chan struct{} // closed before the last is reported
	ended  chan struct{} // closed when all that there is is known
}

// open adds a server over the database, as another process would, with a pipeline of its own.
func (s *storm) open() (stop func()) {
	s.t.Helper()
	l := openLive(s.t, s.url)
	l.merchants = s.owners
	log := slog.New(slog.DiscardHandler)
	work := pipeline.New(pipeline.Config{DB: l.db, Log: log})
	var once sync.Once
	stop = func() {
		once.Do(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if l.running != nil {
				if err := l.Shutdown(ctx); err != nil {
					s.t.Error(err)
				}
			}
			work.Close(ctx)
			l.unfeed()
			if err := l.db.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	s.t.Cleanup(stop)
	l.listen(func(c *Config) {
		c.Schema = spreading{graph.New(graph.Config{Reader: access.Scope(l.db.Reader()), DB: l.db, Pipeline: work, Feed: l.feed, Log: log}), &s.spread}
	}, narrow{must(net.Listen("tcp", "127.0.0.1:0"))})
	context.AfterFunc(l.streams, s.ring) // who stands still goes on
	s.servers = append(s.servers, l)
	return stop
}

func (s *storm) ring() {
	for _, tide := range s.tides {
		tide.bell.Ring()
	}
}

// pick is some server that stands, and goes on standing until let is called.
func (s *storm) pick(rng *rand.Rand) (on *live, let func()) {
	s.mu.RLock()
	return s.servers[rng.IntN(len(s.servers))], s.mu.RUnlock
}

func (s *storm) owner(house int) string {
	if house < stormAlpha {
		return "alpha"
	}
	return "beta"
}

// report has a warehouse report all its SKUs, by the API or right into the database.
func (s *storm) report(ctx context.Context, rng *rand.Rand, house, figure int, api bool) error {
	on, let := s.pick(rng)
	defer let()
	if api {
		var levels strings.Builder
		for i := range stormSKUs {
			fmt.Fprintf(&levels, `{sku: "S%d", available: %d}`, i, figure)
		}
		query := fmt.Sprintf(`mutation { reportWarehouseLevels(input: {warehouseId: %q, levels: [%s]}) { changed userErrors { message } } }`, globalid.New("Warehouse", s.houses[house]), levels.String())
		if err := on.mutate(ctx, s.writer, query, fmt.Sprintf(`{"data":{"reportWarehouseLevels":{"changed":%d,"userErrors":[]}}}`, stormSKUs)); err != nil {
			return err
		}
	} else {
		var page []database.ReportedLevel
		for i := range stormSKUs {
			page = append(page, database.ReportedLevel{LevelKey: database.LevelKey{SKU: fmt.Sprint("S", i)}, Figures: database.Figures{Available: database.IntOf(int64(figure))}})
		}
		if err := on.db.Record(ctx, &database.Recording{MerchantID: on.merchants[s.owner(house)], WarehouseID: s.houses[house]}, page, true); err != nil {
			return err
		}
	}
	newest, err := on.db.Reader().Activity.Query().Where(entactivity.MerchantID(on.merchants[s.owner(house)])).Order(ent.Desc(entactivity.FieldID)).FirstID(ctx)
	if err != nil {
		return err
	}
	tide := s.tides[s.owner(house)]
	for old := tide.newest.Load(); old < newest && !tide.newest.CompareAndSwap(old, newest); old = tide.newest.Load() {
	}
	tide.bell.Ring()
	return nil
}

// mutate posts a mutation that is to be answered so.
func (l *live) mutate(ctx context.Context, secret, query, want string) error {
	req, err := http.NewRequestWithContext(ctx, "POST", l.url+"/graphql", strings.NewReader(quoted(query)))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	var got bytes.Buffer
	_, err = got.ReadFrom(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err == nil && got.String() != want {
		err = fmt.Errorf("%s, want %s", got.String(), want)
	}
	return err
}

// stock makes the merchants: alpha has a store too, which shows what two of its warehouses have of half the SKUs.
func (s *storm) stock() {
	l, ctx := s.servers[0], s.t.Context()
	for _, m := range []string{"alpha", "beta"} {
		l.merchants[m] = must(l.db.CreateMerchant(ctx, database.CreateMerchant{Name: m})).ID
	}
	s.secret, _ = l.token(enum.Partner, "alpha", "beta")
	s.writer, _ = l.token(enum.Operator, "alpha", "beta")
	quiet := must(l.openEvents(ctx, s.secret, follow, map[string]any{"m": l.merchant("alpha")}, ""))
	s.origin = must(quiet.next()).bare
	quiet.hangUp(false)
	l.begun(0, 0)
	for i := range stormHouses {
		s.houses = append(s.houses, l.house(s.owner(i), fmt.Sprint("house ", i)))
	}
	alpha := l.merchants["alpha"]
	store := must(l.db.CreateStore(ctx, database.CreateStore{MerchantID: alpha, Name: "shop",
		Platform: database.PlatformSettings{Platform: enum.HTTP, Settings: []byte(`{"url": "https://example.com"}`), Secrets: []byte("sealed")}})).ID
	for i := range stormSKUs / 2 {
		sku := fmt.Sprint("S", i)
		must(l.db.CreateProduct(ctx, database.CreateProduct{MerchantID: alpha, SKU: sku}))
		must(l.db.CreateListing(ctx, database.CreateListing{MerchantID: alpha, StoreID: store, SKU: sku}))
	}
	for _, house := range s.houses[:2] {
		c := must(l.db.CreateConnection(ctx, database.CreateConnection{MerchantID: alpha, WarehouseID: house, StoreID: store})).ID
		_, _, err := l.db.EnableConnection(ctx, alpha, c)
		_, _, enabled := l.db.EnableInventory(ctx, alpha, c)
		if err = errors.Join(err, enabled); err != nil {
			s.t.Fatal(err)
		}
	}
}

// asks are all that subscribers ask for, with how many of the 200 do.
func (s *storm) asks() (all []*asked, shares []int) {
	more := func(lines int) string {
		var b strings.Builder
		for i := range lines {
			fmt.Fprintf(&b, " more_that_makes_a_message_as_large_as_those_are_that_take_long_to_send_over_a_slow_connection_%d: sku", i)
		}
		return b.String()
	}
	facts := `subscription ($m: ID!, $sku: String, $w: ID, $kinds: [ActivityKind!], $after: String) { activity(merchantId: $m, sku: $sku, warehouseId: $w, kinds: $kinds, after: $after) { id cursor` + more(26) + ` } }`
	levels := `subscription ($m: ID!, $sku: String) { warehouseLevelChanged(merchantId: $m, sku: $sku) { id figure: available` + more(100) + ` } }`
	shown := `subscription ($m: ID!) { channelLevelChanged(merchantId: $m) { id figure: quantity` + more(100) + ` } }`
	third := globalid.New("Warehouse", s.houses[2])
	inThird := func(a *ent.Activity) bool { return a.WarehouseID != nil && *a.WarehouseID == s.houses[2] }
	add := func(share int, merchant, query string, variables map[string]any, lets func(*ent.Activity) bool) {
		variables["m"] = s.servers[0].merchant(merchant)
		all, shares = append(all, &asked{merchant: merchant, query: query, variables: variables, lets: lets}), append(shares, share)
	}
	add(104, "alpha", facts, map[string]any{}, func(*ent.Activity) bool { return true })
	add(16, "beta", facts, map[string]any{}, func(*ent.Activity) bool { return true })
	add(16, "alpha", facts, map[string]any{"sku": "S1"}, func(a *ent.Activity) bool { return a.Sku == "S1" })
	add(16, "alpha", facts, map[string]any{"w": third, "kinds": []string{"WAREHOUSE_LEVEL_CHANGED"}}, inThird)
	add(12, "alpha", facts, map[string]any{"kinds": []string{"CHANNEL_LEVEL_CHANGED"}}, func(a *ent.Activity) bool { return a.Kind == enum.QuantityChanged })
	add(8, "alpha", facts, map[string]any{"sku": "S2", "w": third}, func(a *ent.Activity) bool { return inThird(a) && a.Sku == "S2" })
	add(12, "alpha", levels, map[string]any{}, nil)
	add(6, "alpha", levels, map[string]any{"sku": "S1"}, nil)
	add(10, "alpha", shown, map[string]any{}, nil)
	return all, shares
}

// know notes what there is in the end.
func (s *storm) know(all []*asked) {
	l, ctx := s.servers[0], s.t.Context()
	for _, a := range all {
		merchant := l.merchants[a.merchant]
		switch {
		case a.lets != nil:
			for _, row := range must(l.db.Reader().Activity.Query().Where(entactivity.MerchantID(merchant)).Order(ent.Asc(entactivity.FieldID)).All(ctx)) {
				if a.lets(row) {
					a.all = append(a.all, row.ID)
				}
			}
		case strings.Contains(a.query, "channelLevelChanged"):
			a.levels = map[string]int64{}
			for _, row := range must(l.db.Reader().ChannelLevel.Query().Where(channellevel.MerchantID(merchant)).All(ctx)) {
				a.levels[globalid.New("ChannelLevel", row.ID)] = row.Quantity
			}
		default:
			a.levels = map[string]int64{}
			for _, row := range must(l.db.Reader().WarehouseLevel.Query().Where(warehouselevel.MerchantID(merchant)).All(ctx)) {
				if sku, ok := a.variables["sku"]; !ok || row.Sku == sku {
					a.levels[globalid.New("WarehouseLevel", row.ID)] = *row.Available
				}
			}
		}
	}
}
