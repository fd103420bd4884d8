package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stockbridge/internal/database/dbtest"
)

// spec 3.8, 5.1: a sync started at one server is watched, canceled and followed at another one of the same database.
func TestServersShareADatabase(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t, "postgres")
	a := serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
	b := serve(t, url, "--admin-token", adminToken, "--allow-private-endpoints")
	shop := openShop(t, make(chan struct{}))
	merchant, warehouse, _, connection := a.connect(t, shop)
	feed := b.listen(t, "subscription($m: ID!) { activity(merchantId: $m) { cursor kind sku before after } }", map[string]any{"m": merchant})
	a.report(t, warehouse, "HELMET", 12)
	var started struct {
		StartSync struct{ Run struct{ ID string } }
	}
	start := func() string {
		t.Helper()
		a.ask(t, &started, "mutation($c: ID!) { startSync(input: {connectionId: $c, mode: SMART}) { run { id } userErrors { message } } }", map[string]any{"c": connection})
		return started.StartSync.Run.ID
	}
	run := start()
	shop.expect(t, "HELMET 12") // and does not answer
	watched := b.listen(t, "subscription($r: ID!) { syncRun(id: $r) { status pushed } }", map[string]any{"r": run})
	told := func() (got struct {
		Status string
		Pushed int
	}) {
		t.Helper()
		for watched.Scan() {
			if data, ok := strings.CutPrefix(watched.Text(), "data: "); ok {
				var payload struct{ Data struct{ SyncRun any } }
				payload.Data.SyncRun = &got
				if err := json.Unmarshal([]byte(data), &payload); err != nil {
					t.Fatal(err, data)
				}
				return got
			}
		}
		t.Fatalf("the stream ended: %v", watched.Err())
		return got
	}
	if got := told(); got.Status != "RUNNING" {
		t.Errorf("%+v", got)
	}
	var canceled struct {
		CancelSync struct{ UserErrors []any }
	}
	b.ask(t, &canceled, "mutation($r: ID!) { cancelSync(input: {runId: $r}) { userErrors { message } } }", map[string]any{"r": run})
	for got := told(); got.Status != "CANCELED"; got = told() {
		if got.Status != "RUNNING" {
			t.Fatalf("%+v", got)
		}
	}
	close(shop.hold)
	a.sync(t, connection)
	shop.expect(t, "HELMET 12")
	for _, want := range []string{"WAREHOUSE_LEVEL_CHANGED", "CHANNEL_LEVEL_CHANGED", "CHANNEL_LEVEL_PUSHED"} {
		if got := feed.next(t); got.Kind != want || got.After != 12 {
			t.Errorf("%+v, want %s", got, want)
		}
	}
	if got := a.status(t, "/readyz"); got != 200 {
		t.Error(got)
	}
}

// spec 5.5: with SQLite a second process is refused and told what to do; what only reads, or makes a token, works beside it.
func TestSQLiteRefusesASecondProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	url := "sqlite://" + filepath.Join(dir, "x.db")
	s := serve(t, url)
	link := filepath.Join(t.TempDir(), "link.db") // the same file by another name
	if err := os.Symlink(filepath.Join(dir, "x.db"), link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{url, "sqlite://" + link} {
		_, _, err := run(t, nil, "serve", "--listen=127.0.0.1:0", "--database", at)
		if want := fmt.Sprintf("another stockbridge process (pid %d) works on", os.Getpid()); exitCode(err) != 1 || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "PostgreSQL") {
			t.Errorf("%s: %v", at, err)
		}
	}
	if out, _, err := run(t, nil, "token", "create", "--name=n", "--database", url); err != nil || out == "" {
		t.Error(out, err)
	}
	if out, _, err := run(t, nil, "migrate", "--database", url); err != nil || !strings.Contains(out, "up to date") {
		t.Error(out, err)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	serve(t, url)
}
