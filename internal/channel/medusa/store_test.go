package medusa_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/medusa"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

func connect(t *testing.T, cfg medusa.Config, opts outbound.Options) *medusa.Store {
	t.Helper()
	return onhandtest.Open(t, medusa.New, cfg, opts)
}

// spec 6 and wire.md, by one table for all platforms of this kind.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	onhandtest.Misbehaviour(t, onhandtest.Subject{
		Platform: func(t *testing.T, shop *onhandtest.Shop) http.Handler { return &standIn{t, shop, 100} },
		Kind:     kind,
		Connect: func(t *testing.T, url string, opts outbound.Options) channel.Sink {
			return connect(t, medusa.Config{URL: url + "/", SecretKey: key}, opts)
		},
	})
}

// wire.md, "Medusa": levels that are there are updated, others created; lists have pages, and queries at most 20 SKUs.
func TestManySKUsAtSeveralLocations(t *testing.T) {
	t.Parallel()
	shop := onhandtest.NewShop()
	shop.AddLocation("place-2")
	var levels []channel.Level
	for i := range 45 {
		sku := fmt.Sprintf("M-%d & more", i)
		shop.Add(sku, map[string]onhandtest.Shelf{onhandtest.Place: {OnHand: 1, Allocated: 2}})
		levels = append(levels, channel.Level{SKU: sku, Location: []string{onhandtest.Place, "place-2"}[i%2], Quantity: int64(i)})
	}
	srv := onhandtest.Serve(t, &standIn{t, shop, 7}, kind)
	st := connect(t, medusa.Config{URL: srv.URL + "/admin", SecretKey: key}, srv.Options())
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: levels})
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range outcomes {
		want := onhandtest.Shelf{OnHand: int64(i)}
		if i%2 == 0 {
			want = onhandtest.Shelf{OnHand: int64(i) + 2, Allocated: 2}
		}
		if got := shop.At(levels[i].SKU, levels[i].Location); o.Verdict != channel.Acknowledged || got != want {
			t.Errorf("%+v: %+v, %+v", levels[i], o, got)
		}
	}
	if n := srv.Count(onhandtest.Write); n != 1 {
		t.Errorf("%d writes", n)
	}
	if n := srv.Count(onhandtest.LookUp); n != 3+3+1 { // 20 SKUs are 3 pages of 7, twice, and 5
		t.Errorf("%d look-ups", n)
	}
}

// An item that is gone when it is written has Medusa refuse the whole request.
func TestOneBadItemDoesNotHoldUpItsBatch(t *testing.T) {
	t.Parallel()
	shop := onhandtest.NewShop()
	srv := onhandtest.Serve(t, &standIn{t, shop, 100}, kind)
	st := connect(t, medusa.Config{URL: srv.URL, SecretKey: key}, srv.Options())
	srv.Misbehave(func(k onhandtest.Kind, _ int) onhandtest.Fault {
		if k != onhandtest.Write {
			return nil
		}
		return func(w http.ResponseWriter, r *http.Request, platform http.Handler) {
			id := shop.Find([]string{"SKU-3"})[0].ID
			shop.Change(id, func(it *onhandtest.Item) { delete(it.Shelves, onhandtest.Place) }) // while it is written, each time
			platform.ServeHTTP(w, r)
			shop.Set(id, onhandtest.Place, 1)
		}
	})
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(10, 30)})
	for i, o := range outcomes {
		if bad := i == 3; err != nil || (o.Verdict == channel.Acknowledged) == bad || bad && (o.Verdict != channel.Refused || o.Code != "not_found" || !strings.Contains(o.Message, "not stocked at location")) {
			t.Errorf("%d: %+v, %v", i, o, err)
		}
	}
}

// Medusa's error handler: "The request conflicted with another request. You may retry the request".
func TestConflictIsTriedAgain(t *testing.T) {
	t.Parallel()
	shop := onhandtest.NewShop()
	srv := onhandtest.Serve(t, &standIn{t, shop, 100}, kind)
	st := connect(t, medusa.Config{URL: srv.URL, SecretKey: key}, srv.Options())
	srv.Misbehave(func(k onhandtest.Kind, n int) onhandtest.Fault {
		if k != onhandtest.Write || n > 2 {
			return nil
		}
		return onhandtest.Status(409, `{"code":"invalid_state_error","type":"conflict","message":"The request conflicted with another request."}`)
	})
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(2, 30)})
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || srv.Count(onhandtest.LookUp) != 3 || srv.Waited() < 250*time.Millisecond {
		t.Errorf("%+v, %v after %d look-ups, waited %s", outcomes, err, srv.Count(onhandtest.LookUp), srv.Waited())
	}
}

func TestFiguresAreWrittenAsIsWhenSaidSo(t *testing.T) {
	t.Parallel()
	shop := onhandtest.NewShop()
	srv := onhandtest.Serve(t, &standIn{t, shop, 100}, kind)
	st := connect(t, medusa.Config{URL: srv.URL, SecretKey: key, QuantitySemantics: channel.Available}, srv.Options())
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(1, 9)})
	if err != nil || outcomes[0].Verdict != channel.Acknowledged || shop.At("SKU-0", onhandtest.Place).OnHand != 9 {
		t.Errorf("%+v, %v, %+v", outcomes, err, shop.At("SKU-0", onhandtest.Place))
	}
}

func TestKeyRefusedStopsTheStore(t *testing.T) {
	t.Parallel()
	srv := onhandtest.Serve(t, &standIn{t, onhandtest.NewShop(), 100}, kind)
	st := connect(t, medusa.Config{URL: srv.URL, SecretKey: "sk_another"}, srv.Options())
	outcomes, err := st.Push(t.Context(), channel.Batch{Levels: onhandtest.Levels(1, 9)})
	if fault.CodeOf(err) != fault.CredentialsRefused || outcomes[0].Verdict != channel.Refused {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if _, err := st.Test(t.Context()); fault.CodeOf(err) != fault.CredentialsRefused {
		t.Errorf("tested: %v", err)
	}
	good := connect(t, medusa.Config{URL: srv.URL, SecretKey: key}, srv.Options())
	words, err := good.Test(t.Context())
	locations, _ := good.Locations(t.Context())
	if err != nil || !strings.Contains(words, onhandtest.Place) || fmt.Sprint(locations) != "[{place-1 Shelf}]" {
		t.Errorf("%q, %v, %v", words, locations, err)
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	const u = "https://shop.example.com"
	for name, c := range map[string]struct {
		cfg    medusa.Config
		fields []string
	}{
		"right":        {medusa.Config{URL: u, SecretKey: key}, nil},
		"nothing":      {medusa.Config{}, []string{"url", "secretKey"}},
		"publishable":  {medusa.Config{URL: u, SecretKey: "pk_hunter2"}, []string{"secretKey"}},
		"key of lines": {medusa.Config{URL: u, SecretKey: "sk_hunter2\nX: y"}, []string{"secretKey"}},
		"semantics":    {medusa.Config{URL: u, SecretKey: key, QuantitySemantics: "SOLD"}, []string{"quantitySemantics"}},
	} {
		_, err := medusa.New(c.cfg, outbound.Options{})
		var list fault.List
		var fields []string
		if errors.As(err, &list) {
			for _, f := range list {
				fields = append(fields, f.Field[0])
			}
		}
		if !slices.Equal(fields, c.fields) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
