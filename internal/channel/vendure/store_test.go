package vendure_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/channel"
	"stockbridge/internal/channel/onhand/onhandtest"
	"stockbridge/internal/channel/vendure"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// standIn answers as Vendure 3.7.3 does (TestRealVendure has the real one), so that it can be had to misbehave.
type standIn struct {
	t    *testing.T
	shop *onhandtest.Shop
}

func kind(_ *http.Request, body []byte) onhandtest.Kind {
	switch text := string(body); {
	case strings.Contains(text, "updateProductVariants"):
		return onhandtest.Write
	case strings.Contains(text, "productVariants"):
		return onhandtest.LookUp
	}
	return onhandtest.Other
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var req struct {
		Query     string
		Variables struct {
			U, P  string
			SKUs  []string
			Input []struct {
				ID          string
				StockLevels []struct {
					StockLocationID string
					StockOnHand     int64
				}
			}
		}
	}
	if err := json.Unmarshal(body, &req); err != nil {
		s.t.Errorf("%s: %v", body, err)
	}
	variant := func(it onhandtest.Item) map[string]any {
		levels := []any{}
		for location, shelf := range it.Shelves {
			levels = append(levels, map[string]any{"stockLocationId": location, "stockOnHand": shelf.OnHand, "stockAllocated": shelf.Allocated})
		}
		return map[string]any{"id": it.ID, "sku": it.SKU, "stockLevels": levels}
	}
	refuse := func(code, message string) map[string]any {
		return map[string]any{"errors": []any{map[string]any{"message": message, "extensions": map[string]any{"code": code}}}, "data": nil}
	}
	var reply any
	switch v := req.Variables; {
	case strings.Contains(req.Query, "login("):
		w.Header().Set("vendure-auth-token", "session-of-"+v.U)
		reply = map[string]any{"data": map[string]any{"login": map[string]any{"__typename": "CurrentUser"}}}
	case r.Header.Get("Authorization") != "Bearer session-of-admin":
		reply = refuse("FORBIDDEN", "You are not currently authorized to perform this action")
	case strings.Contains(req.Query, "updateProductVariants"):
		var variants []any
		for _, in := range v.Input {
			if _, ok := s.shop.Change(in.ID, func(*onhandtest.Item) {}); !ok {
				reply = refuse("ENTITY_NOT_FOUND", fmt.Sprintf("No ProductVariant with the id %q could be found", in.ID))
			}
		}
		if reply == nil { // all or nothing
			for _, in := range v.Input {
				var it onhandtest.Item
				for _, l := range in.StockLevels {
					it, _ = s.shop.Set(in.ID, l.StockLocationID, l.StockOnHand)
				}
				variants = append(variants, variant(it))
			}
			reply = map[string]any{"data": map[string]any{"updateProductVariants": variants}}
		}
	case strings.Contains(req.Query, "productVariants"):
		var items []any
		for _, it := range s.shop.Find(v.SKUs) {
			items = append(items, variant(it))
		}
		reply = map[string]any{"data": map[string]any{"productVariants": map[string]any{"totalItems": len(items), "items": items}}}
	default:
		var items []any
		for _, id := range s.shop.Locations() {
			items = append(items, map[string]any{"id": id, "name": "Shelf"})
		}
		reply = map[string]any{"data": map[string]any{"activeChannel": map[string]any{"code": "main"}, "stockLocations": map[string]any{"totalItems": len(items), "items": items}}}
	}
	if err := json.NewEncoder(w).Encode(reply); err != nil {
		s.t.Log(err) // the client may have gone
	}
}

// spec 6 and wire.md, by one table for all platforms of this kind.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	onhandtest.Misbehaviour(t, onhandtest.Subject{
		Platform: func(t *testing.T, shop *onhandtest.Shop) http.Handler { return &standIn{t, shop} },
		Kind:     kind,
		Connect: func(t *testing.T, url string, opts outbound.Options) channel.Sink {
			st, err := vendure.New(vendure.Config{URL: url, Username: "admin", Password: "correct horse"}, opts)
			if err != nil {
				t.Fatal(err)
			}
			return st
		},
	})
}

func TestConfigurationIsChecked(t *testing.T) {
	t.Parallel()
	const u = "https://shop.example.com/admin-api"
	for name, c := range map[string]struct {
		cfg    vendure.Config
		fields []string
	}{
		"user":                  {vendure.Config{URL: u, Username: "u", Password: "p"}, nil},
		"key":                   {vendure.Config{URL: u, APIKey: "k", ChannelToken: "c", QuantitySemantics: channel.Available}, nil},
		"nothing":               {vendure.Config{}, []string{"url", "username"}},
		"no password":           {vendure.Config{URL: u, Username: "u"}, []string{"password"}},
		"both":                  {vendure.Config{URL: u, Username: "u", Password: "p", APIKey: "k"}, []string{"apiKey"}},
		"password in the url":   {vendure.Config{URL: "https://u:hunter2@x/", APIKey: "k"}, []string{"url"}},
		"other scheme":          {vendure.Config{URL: "ftp://x/", APIKey: "k"}, []string{"url"}},
		"key of lines":          {vendure.Config{URL: u, APIKey: "hunter2\r\nX: y"}, []string{"apiKey"}},
		"channel token of tabs": {vendure.Config{URL: u, APIKey: "k", ChannelToken: "\t"}, []string{"channelToken"}},
		"semantics":             {vendure.Config{URL: u, APIKey: "k", QuantitySemantics: "SOLD"}, []string{"quantitySemantics"}},
	} {
		st, err := vendure.New(c.cfg, outbound.Options{})
		var list fault.List
		var fields []string
		if errors.As(err, &list) {
			for _, f := range list {
				fields = append(fields, f.Field[0])
			}
		}
		if !slices.Equal(fields, c.fields) || (st == nil) != (c.fields != nil) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	st, err := vendure.New(vendure.Config{URL: u, APIKey: "k"}, outbound.Options{})
	if err != nil || st.Capabilities() != (channel.Capabilities{MaxBatch: 100, Concurrency: 2, Semantics: channel.OnHand}) {
		t.Errorf("defaults: %+v, %v", st.Capabilities(), err)
	}
}
