package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/ent/store"
	"stockbridge/internal/catalog"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// stock gives the merchant a catalog that needs quoting.
func (w *world) stock() {
	w.Helper()
	ctx := w.Context()
	for n := range 2500 { // more than two pages
		must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m.ID, SKU: fmt.Sprintf("SKU %d", n)}))
	}
	for _, p := range []database.CreateProduct{
		{SKU: "=1+1", Name: `a "quoted", name; with|tab` + "\tand\r\nlines\n", UPC: new("007"), ImageURL: new("https://example.com/a,b")},
		{SKU: "\\.", Name: "'-@+"}, {SKU: "é😀", Name: "<b>&"}, {SKU: "-"}, {SKU: "true"}, {SKU: "null"}, {SKU: "0012"},
	} {
		p.MerchantID = w.m.ID
		must(w.db.CreateProduct(ctx, p))
	}
	for n := range 30 {
		must(w.db.CreateProduct(ctx, database.CreateProduct{MerchantID: w.m.ID, SKU: fmt.Sprintf("KIT %d", n), Components: []database.Component{{SKU: "é😀", Quantity: 1_000_000}, {SKU: "0012", Quantity: int64(n + 1)}}}))
	}
	for _, name := range []string{"Shop", "Outlet"} {
		id := must(w.db.Reader().Store.Query().Where(store.MerchantID(w.m.ID), store.Name(name)).OnlyID(ctx))
		must(w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: id, SKU: "=1+1", ChannelSKU: "+A", MaxQuantity: new(int64(0)), Name: new("n"), Price: new("19.90"), Weight: new("1.5 kg"),
			ImageURL: new("https://example.com/"), Description: new("one\n\n\"two\"\r\nthree")}))
		must(w.db.CreateListing(ctx, database.CreateListing{MerchantID: w.m.ID, StoreID: id, SKU: "KIT 3", InventoryEnabled: new(false)}))
	}
}

// What went out comes in again unchanged, and into an empty merchant as the same.
func TestExportsComeInAgain(t *testing.T) {
	for _, format := range []enum.ImportFormat{enum.CSV, enum.JSONLines} {
		t.Run(string(format), func(t *testing.T) {
			each(t, func(w *world) {
				w.stock()
				into := *w
				into.m = w.m2
				for _, subject := range []string{"products", "components", "listings"} {
					file := w.export(w.m, subject, format)
					in := database.NewImport{Kind: kinds[subject], Format: format}
					rows := map[string]int{"products": 2537, "components": 60, "listings": 4}[subject]
					w.want(w.bring(in, file), fmt.Sprintf("SUCCEEDED 0+0=%d!0", rows))
					w.want(into.bring(in, file), fmt.Sprintf("SUCCEEDED %d+0=0!0", rows))
					if w.export(w.m2, subject, format) != file {
						w.Errorf("%s came out otherwise", subject)
					}
				}
			})
		})
	}
}

// Values are written exactly: nothing is put before what a spreadsheet takes for a formula.
func TestExportKeepsValues(t *testing.T) {
	each(t, func(w *world) {
		must(w.db.CreateProduct(w.Context(), database.CreateProduct{MerchantID: w.m.ID, SKU: "=1+1", Name: "<é>\u2028x"}))
		w.want(w.export(w.m, "products", enum.CSV), "sku,name,upc,imageUrl\n=1+1,<é>\u2028x,,\n")
		w.want(w.export(w.m, "products", enum.JSONLines), `{"sku":"=1+1","name":"<é>\u2028x","upc":null,"imageUrl":null}`+"\n")
		w.want(w.export(w.m2, "products", enum.JSONLines), "")
	})
}

// Levels go out by warehouse or store, SKU and facility or location, all of them over all pages.
func TestExportLevels(t *testing.T) {
	each(t, func(w *world) {
		ctx := w.Context()
		var levels []database.ReportedLevel
		for n := range 1200 {
			for _, f := range []string{"", "back", "front"} {
				levels = append(levels, database.ReportedLevel{LevelKey: database.LevelKey{SKU: fmt.Sprintf("SKU %04d", n), Facility: f}, Figures: database.Figures{Available: database.IntOf(int64(n))}})
			}
		}
		warehouse := must(w.db.CreateWarehouse(ctx, database.CreateWarehouse{MerchantID: w.m.ID, Name: "East", Platform: database.PlatformSettings{Platform: enum.Push}}))
		shop := must(w.db.Reader().Store.Query().Where(store.MerchantID(w.m.ID), store.Name("Shop")).OnlyID(ctx))
		c := must(w.db.CreateConnection(ctx, database.CreateConnection{MerchantID: w.m.ID, WarehouseID: warehouse.ID, StoreID: shop}))
		_, _, err := w.db.EnableConnection(ctx, w.m.ID, c.ID)
		if err == nil {
			_, _, err = w.db.EnableInventory(ctx, w.m.ID, c.ID)
		}
		if err == nil {
			err = w.db.Record(ctx, &database.Recording{MerchantID: w.m.ID, WarehouseID: warehouse.ID}, levels, true)
		}
		if err != nil {
			w.Fatal(err)
		}
		var skus []string
		for n := range 1200 {
			skus = append(skus, fmt.Sprintf("SKU %04d", n))
		}
		must(w.db.Plan(ctx, w.m.ID, database.Int{}, skus))
		out := w.export(w.m, "warehouse-levels", enum.CSV)
		if lines := strings.Split(out, "\n"); len(lines) != 3602 || !strings.HasPrefix(lines[0], "warehouse,facility,sku,available,onHand,committed,") || !strings.HasPrefix(lines[3600], "East,front,SKU 1199,1199,,,20") {
			w.Errorf("%d lines, %.300s", len(lines), out)
		}
		out = w.export(w.m, "channel-levels", enum.JSONLines)
		if lines := strings.Split(out, "\n"); len(lines) != 1201 || !strings.HasPrefix(lines[1199], `{"store":"Shop","location":"","channelSku":"SKU 1199","sku":"SKU 1199","quantity":3597,"pushedQuantity":null,"status":"PENDING","lastError":null,"lastPushedAt":null,"updatedAt":"`) {
			w.Errorf("%d lines, %.300s", len(lines), out)
		}
		outlet := must(w.db.Reader().Store.Query().Where(store.MerchantID(w.m.ID), store.Name("Outlet")).OnlyID(ctx))
		var narrowed bytes.Buffer
		if err := must(catalog.Open(ctx, w.db.Reader(), "channel-levels", enum.JSONLines, globalid.New("Merchant", w.m.ID), globalid.New("Store", outlet))).Write(ctx, &narrowed); err != nil || narrowed.Len() > 0 {
			w.Error(err, narrowed.String())
		}
		full := errors.New("the disk is full")
		if err := must(catalog.Open(ctx, w.db.Reader(), "channel-levels", enum.CSV, globalid.New("Merchant", w.m.ID), "")).Write(ctx, failing{full}); !errors.Is(err, full) {
			w.Error(err)
		}
	})
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

// What is not there, or is another merchant's, is not found.
func TestExportRefuses(t *testing.T) {
	each(t, func(w *world) {
		foreign := globalid.New("Store", must(w.db.Reader().Store.Query().Where(store.MerchantID(w.m2.ID), store.Name("Shop")).OnlyID(w.Context())))
		m := globalid.New("Merchant", w.m.ID)
		for _, tc := range []struct {
			subject         string
			format          enum.ImportFormat
			merchant, store string
			want            fault.Code
		}{
			{"stores", enum.CSV, m, "", fault.NotFound},
			{"products", "", m, "", fault.NotFound},
			{"products", enum.CSV, "", "", fault.NotFound},
			{"products", enum.CSV, globalid.New("Merchant", 99), "", fault.NotFound},
			{"products", enum.CSV, foreign, "", fault.NotFound},
			{"products", enum.CSV, m, foreign, fault.Invalid},
			{"listings", enum.CSV, m, foreign, fault.NotFound},
			{"listings", enum.CSV, m, m, fault.NotFound},
		} {
			if _, err := catalog.Open(w.Context(), w.db.Reader(), tc.subject, tc.format, tc.merchant, tc.store); fault.CodeOf(err) != tc.want {
				w.Errorf("%+v: %v", tc, err)
			}
		}
	})
}
