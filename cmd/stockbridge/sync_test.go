package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"stockbridge/internal/database"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse/fileexchange"
)

// spec 5.5: a sync from the command line tells its counts and problems, and its exit status tells whether it succeeded.
func TestSyncCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var status atomic.Int64
	status.Store(http.StatusOK)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(store.Close)
	cli := &commandLine{Database: "sqlite://" + filepath.Join(dir, "x.db")}
	i := &invocation{Context: t.Context(), cli: cli, log: slog.New(slog.DiscardHandler), stdout: io.Discard}
	a, err := i.open(outside{FileRoot: []string{dir}, AllowPrivateEndpoints: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	m, err := a.db.CreateMerchant(t.Context(), database.CreateMerchant{Name: "Alpine"})
	if err != nil {
		t.Fatal(err)
	}
	from, err := a.platforms.StoreWarehouse(m.ID, platform.Warehouse{FileExchange: &fileexchange.Config{URL: "file://" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := a.db.CreateWarehouse(t.Context(), database.CreateWarehouse{MerchantID: m.ID, Name: "Valley", Platform: from})
	if err != nil {
		t.Fatal(err)
	}
	to, err := a.platforms.StoreStore(m.ID, platform.Store{HTTP: &platform.HTTPStore{URL: store.URL, Token: "secret"}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.db.CreateStore(t.Context(), database.CreateStore{MerchantID: m.ID, Name: "Shop", Platform: to})
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.db.CreateConnection(t.Context(), database.CreateConnection{MerchantID: m.ID, WarehouseID: w.ID, StoreID: s.ID})
	if err != nil {
		t.Fatal(err)
	}
	sync := []string{"sync", "--database", cli.Database, "--file-root", dir, "--allow-private-endpoints", "--connection", id("Connection", "1")}
	if _, _, err := run(t, nil, sync...); exitCode(err) != 1 || !strings.Contains(err.Error(), "another stockbridge process") {
		t.Errorf("beside another process on SQLite: %v", err)
	}
	shut := func() {
		t.Helper()
		a.pipeline.Close(t.Context())
		if err := a.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	shut()
	if _, _, err := run(t, nil, sync...); exitCode(err) != 1 || !strings.Contains(err.Error(), "enable") {
		t.Errorf("a connection that is disabled: %v", err)
	}
	if a, err = i.open(outside{FileRoot: []string{dir}, AllowPrivateEndpoints: true}, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err = a.db.EnableConnection(t.Context(), m.ID, c.ID); err == nil {
		_, _, err = a.db.EnableInventory(t.Context(), m.ID, c.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	shut()

	report := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, "out"), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "out", name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		old := time.Now().Add(-time.Minute) // a young file would be looked at twice
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	report("inv_1.csv", "sku,available\nA,5\nB,7\n")
	out, _, err := run(t, nil, sync...)
	if err != nil || !strings.Contains(out, "SMART sync of Valley → Shop: SUCCEEDED\nreported 2, changed 2, rejected 0, planned 2, pushed 2, ") {
		t.Errorf("%s %v", out, err)
	}
	report("inv_2.csv", "sku,available\nA,6\nB,many\n")
	out, _, err = run(t, nil, sync...)
	if exitCode(err) != 1 || !strings.Contains(out, "PARTIAL") || !strings.Contains(out, "pushed 1, ") || !strings.Contains(out, "inv_2.csv line 3 SKU B") {
		t.Errorf("%s %v", out, err)
	}
	status.Store(http.StatusUnauthorized)
	out, _, err = run(t, nil, append(sync, "--mode", "FULL")...)
	if exitCode(err) != 1 || !strings.Contains(out, "FULL sync of Valley → Shop: FAILED") {
		t.Errorf("%s %v", out, err)
	}
	if _, _, err = run(t, nil, sync[:5]...); exitCode(err) != 2 {
		t.Errorf("no connection named: %v", err)
	}
}
