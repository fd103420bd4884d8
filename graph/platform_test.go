package graph_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"stockbridge/ent"
)

// spec 5.2: secrets go in and never come out; they stay as they are only while they lead to the same host.
func TestSecretsAreKeptWithTheirHost(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		otto := operator(w.alpha.merchant)
		store := id("Store", w.alpha.store)
		const payload = "store { settings { ... on HttpStoreSettings { url hasToken hasSigningSecret batchSize } ... on FileExchangeStoreSettings { url hasPassword hostKey } } }"
		update := func(platform string) any {
			return w.do(otto, "updateStore", fmt.Sprintf(`{storeId: %q, platform: {%s}}`, store, platform), payload, "store.settings")
		}
		opened := func() string {
			s := must(w.platforms.Store(w.rows.Store.GetX(t.Context(), w.alpha.store)))
			if s.HTTP != nil {
				return s.HTTP.Token + " " + s.HTTP.SigningSecret
			}
			return s.FileExchange.Password + " " + s.FileExchange.HostKey
		}
		elsewhere := strings.Replace(w.shop.URL, "127.0.0.1", "localhost", 1)
		steps := []struct{ platform, settings, secrets string }{
			{`http: {url: "` + w.shop.URL + `/levels", batchSize: 5}`, `{"batchSize":5,"hasSigningSecret":true,"hasToken":true,"url":"` + w.shop.URL + `/levels"}`, "ALPHA-token ALPHA-secret"},
			{`http: {url: "` + w.shop.URL + `", token: "new"}`, `{"batchSize":250,"hasSigningSecret":true,"hasToken":true,"url":"` + w.shop.URL + `"}`, "new ALPHA-secret"},
			{`http: {url: "` + w.shop.URL + `", signingSecret: null}`, `{"batchSize":250,"hasSigningSecret":false,"hasToken":true,"url":"` + w.shop.URL + `"}`, "new "},
			{`http: {url: "` + elsewhere + `"}`, `{"batchSize":250,"hasSigningSecret":false,"hasToken":false,"url":"` + elsewhere + `"}`, " "},
			{`fileExchange: {url: "sftp://u@example.com/dir", password: "pw", hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8VvkV9FVdpWvYyKCyGZ7PQ7rIAW6fXNQ8m+ZJ2sTrS"}`, "", ""},
		}
		for _, s := range steps {
			got := brief(update(s.platform))
			if strings.HasPrefix(s.platform, "fileExchange") {
				if !strings.Contains(got, `"hasPassword":true`) || !strings.HasPrefix(opened(), "pw ssh-ed25519") {
					t.Errorf("%s: %s, %s", s.platform, got, opened())
				}
				continue
			}
			if got != s.settings || opened() != s.secrets {
				t.Errorf("%s\ngives %s with %q\nwant  %s with %q", s.platform, got, opened(), s.settings, s.secrets)
			}
		}
		if got := brief(update(`fileExchange: {url: "sftp://u@example.com/other"}`)); !strings.Contains(got, `"hasPassword":true`) || !strings.Contains(got, "ssh-ed25519") {
			t.Errorf("the same host: %s", got)
		}
		if got := w.faults(otto, mutate("updateStore", fmt.Sprintf(`{storeId: %q, platform: {fileExchange: {url: "sftp://u@elsewhere.com/other"}}}`, store))); got != "BLANK input,platform,fileExchange,password" {
			t.Errorf("another host is given the password: %q", got)
		}
		for _, secret := range []string{"ALPHA-token", "ALPHA-secret", `"pw"`} {
			row := w.rows.Store.GetX(t.Context(), w.alpha.store)
			if strings.Contains(string(row.Settings)+string(row.Secrets), secret) {
				t.Errorf("%s is stored in the open", secret)
			}
		}

		warehouse := func(platform string) *ent.Warehouse {
			w.do(otto, "updateWarehouse", fmt.Sprintf(`{warehouseId: %q, platform: {%s}}`, id("Warehouse", w.alpha.files), platform), "warehouse { platform }", "")
			return w.rows.Warehouse.GetX(t.Context(), w.alpha.files)
		}
		for _, s := range [][2]string{
			{`http: {url: "https://a.example.com/x", token: "t1"}`, "t1"},
			{`http: {url: "https://a.example.com/y"}`, "t1"},
			{`http: {url: "http://a.example.com/y"}`, ""},
		} {
			if got := must(w.platforms.Warehouse(warehouse(s[0]))); got.HTTP.Token != s[1] {
				t.Errorf("%s keeps the token %q, want %q", s[0], got.HTTP.Token, s[1])
			}
		}
		if got := must(w.platforms.Warehouse(warehouse(`push: {note: "by hand"}`))); got.Push.Note != "by hand" {
			t.Errorf("got %+v", got.Push)
		}
	})
}

// Credentials that can no longer be opened are mended by entering them again, and never dropped in silence.
func TestLockedSecretsAreEnteredAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	w.rows.Store.UpdateOneID(w.alpha.store).SetSecrets([]byte("sealed with another key")).ExecX(t.Context())
	update := func(settings string) string {
		return w.faults(admin, mutate("updateStore", fmt.Sprintf(`{storeId: %q, platform: {http: {url: "%s/new"%s}}}`, id("Store", w.alpha.store), w.shop.URL, settings)))
	}
	if got := update(""); got != "WRONG_STATE input,platform,http" {
		t.Errorf("left out: %q", got)
	}
	if got := update(`, token: "t"`); got != "WRONG_STATE input,platform,http" {
		t.Errorf("one left out: %q", got)
	}
	if got := update(`, token: "t", signingSecret: null`); got != "" {
		t.Errorf("entered again: %q", got)
	}
	if got := must(w.platforms.Store(w.rows.Store.GetX(t.Context(), w.alpha.store))).HTTP; got.Token != "t" || got.SigningSecret != "" {
		t.Errorf("got %+v", got)
	}
}

// spec 5: a test that fails says so in words and in a code.
func TestTestsTellWhatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "sqlite").tenants()
	test := func() string {
		return brief(w.data(admin, "testStore", fmt.Sprintf(`mutation { testStore(input: {storeId: %q}) { ok userErrors { code field } } }`, id("Store", w.alpha.store))))
	}
	if got := test(); got != `{"ok":true,"userErrors":[]}` {
		t.Errorf("got %s", got)
	}
	w.shop.answer(http.StatusUnauthorized)
	if got := test(); got != `{"ok":false,"userErrors":[{"code":"CREDENTIALS_REFUSED","field":null}]}` {
		t.Errorf("got %s", got)
	}
	w.shop.Close()
	if got := test(); got != `{"ok":false,"userErrors":[{"code":"UNREACHABLE","field":null}]}` {
		t.Errorf("got %s", got)
	}
}
