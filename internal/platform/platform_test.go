package platform_test

import (
	"bytes"
	"strings"
	"testing"

	"stockbridge/ent"
	"stockbridge/internal/access"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse/fileexchange"
	"stockbridge/internal/warehouse/httppull"
)

func setup(t *testing.T, key string) *platform.Platforms {
	t.Helper()
	sealer, err := access.NewSealer(strings.Repeat(key, 32))
	if err != nil {
		t.Fatal(err)
	}
	return platform.New(platform.Config{Sealer: sealer, FileRoots: []string{t.TempDir()}, Network: outbound.Policy{AllowPrivate: true}})
}

// spec 5.2: secrets go in and never come out; they are sealed, and read back only with the key and for the merchant.
func TestSecretsAreSealedApartFromSettings(t *testing.T) {
	t.Parallel()
	p := setup(t, "k")
	in := platform.Warehouse{FileExchange: &fileexchange.Config{URL: "sftp://files.example.com/wms", Username: "u", Password: "pass-word", PrivateKey: "", Complete: true}}
	stored, err := p.StoreWarehouse(1, in)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored.Settings, []byte("pass-word")) || bytes.Contains(stored.Secrets, []byte("pass-word")) || len(stored.Secrets) == 0 {
		t.Errorf("stored in the clear: %s", stored.Settings)
	}
	if !platform.HasSecret(stored.Settings, "password") || platform.HasSecret(stored.Settings, "privateKey") {
		t.Errorf("which secrets are set is not told: %s", stored.Settings)
	}
	row := &ent.Warehouse{ID: 7, MerchantID: 1, Platform: stored.Platform, Settings: stored.Settings, Secrets: stored.Secrets}
	back, err := p.Warehouse(row)
	if err != nil || *back.FileExchange != *in.FileExchange {
		t.Errorf("read back %+v, %v", back.FileExchange, err)
	}
	if _, err := setup(t, "x").Warehouse(row); err == nil {
		t.Error("opened with another key")
	}
	row.MerchantID = 2
	if _, err := p.Warehouse(row); err == nil {
		t.Error("opened for another merchant")
	}
}

func TestStoreSettingsRoundTrip(t *testing.T) {
	t.Parallel()
	p := setup(t, "k")
	in := platform.Store{HTTP: &platform.HTTPStore{URL: "https://shop.example.com/levels", Token: "token-1", SigningSecret: "secret-1", BatchSize: 10, PerSecond: 2.5}}
	stored, err := p.StoreStore(1, in)
	if err != nil {
		t.Fatal(err)
	}
	row := &ent.Store{ID: 7, MerchantID: 1, Platform: stored.Platform, Settings: stored.Settings, Secrets: stored.Secrets}
	if back, err := p.Store(row); err != nil || *back.HTTP != *in.HTTP {
		t.Errorf("read back %+v, %v", back.HTTP, err)
	}
	sink, err := p.Sink(t.Context(), row)
	if err != nil || sink.Capabilities().MaxBatch != 10 || sink.Capabilities().Concurrency != 4 {
		t.Errorf("%v", err)
	}
}

// spec section 6: settings that cannot work are refused before they are stored, with the field.
func TestSettingsAreCheckedBeforeTheyAreStored(t *testing.T) {
	t.Parallel()
	p := setup(t, "k")
	for name, w := range map[string]platform.Warehouse{
		"none":                {},
		"two":                 {HTTP: &httppull.Config{URL: "https://a.example.com"}, Push: &platform.Push{}},
		"no URL":              {HTTP: &httppull.Config{}},
		"a directory outside": {FileExchange: &fileexchange.Config{URL: "file:///etc"}},
		"an unknown scheme":   {FileExchange: &fileexchange.Config{URL: "gopher://a.example.com/"}},
	} {
		if _, err := p.StoreWarehouse(1, w); fault.CodeOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A host key may be pinned on first use.
	if _, err := p.StoreWarehouse(1, platform.Warehouse{FileExchange: &fileexchange.Config{URL: "sftp://files.example.com/wms", Username: "u", Password: "p"}}); err != nil {
		t.Errorf("sftp without a host key: %v", err)
	}
}
