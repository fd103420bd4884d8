// Package platform is where platforms are wired: from what a warehouse's or store's row says to a connected source or
// sink. Settings are stored in the open, secrets sealed.
package platform

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/access"
	"stockbridge/internal/channel"
	channelfiles "stockbridge/internal/channel/fileexchange"
	"stockbridge/internal/channel/httpstore"
	"stockbridge/internal/database"
	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	warehousefiles "stockbridge/internal/warehouse/fileexchange"
	"stockbridge/internal/warehouse/httppull"
)

// Config is what the server allows and how it keeps secrets.
type Config struct {
	DB        *database.DB // host keys are pinned in it
	Sealer    *access.Sealer
	FileRoots []string // where file:// may lead; empty: nowhere
	Network   outbound.Policy
}

// Platforms makes sources and sinks. It is safe for concurrent use.
type Platforms struct{ cfg Config }

// New makes Platforms.
func New(cfg Config) *Platforms { return &Platforms{cfg} }

// Warehouse is how a warehouse is reached: exactly one field is set.
type Warehouse struct {
	FileExchange *warehousefiles.Config
	HTTP         *httppull.Config
	Push         *Push
}

// Push is a warehouse that reports by itself.
type Push struct {
	Note string `json:"note,omitempty"` // what the reporting system is, for people
}

// Store is how a store is reached: exactly one field is set.
type Store struct {
	HTTP         *HTTPStore
	FileExchange *FileExchangeStore
}

// HTTPStore are the settings of a store that takes JSON over HTTP; zero values are httpstore's defaults.
type HTTPStore struct {
	URL           string  `json:"url"`
	Token         string  `json:"token,omitempty"`
	SigningSecret string  `json:"signingSecret,omitempty"`
	BatchSize     int     `json:"batchSize,omitempty"`
	Concurrency   int     `json:"concurrency,omitempty"`
	PerSecond     float64 `json:"perSecond,omitempty"`
}

// FileExchangeStore are the settings of a store that takes CSV files.
type FileExchangeStore struct {
	URL        string `json:"url"`
	Username   string `json:"username,omitempty"`
	Password   string `json:"password,omitempty"`
	PrivateKey string `json:"privateKey,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`
	HostKey    string `json:"hostKey,omitempty"`
}

// secretFields are the settings that are sealed, by their name in every platform's JSON.
var secretFields = []string{"password", "privateKey", "passphrase", "token", "signingSecret"}

// SecretsKey is the field of stored settings that lists which secrets are set, so that this can be told without opening them.
const SecretsKey = "secrets"

// place ties sealed secrets to what they are for and whose they are.
func place(kind string, merchantID int64) string {
	return fmt.Sprintf("%s of merchant %d", kind, merchantID)
}

// StoreWarehouse checks the settings and makes what a row keeps of them. Fault fields are relative to the platform's input.
func (p *Platforms) StoreWarehouse(merchantID int64, w Warehouse) (database.PlatformSettings, error) {
	kind, settings := w.chosen()
	if settings == nil {
		return database.PlatformSettings{}, fault.At("platform", fault.Blank, "choose exactly one platform")
	}
	src, err := p.source(w, unpinned)
	if err != nil {
		return database.PlatformSettings{}, err
	}
	if src != nil {
		if err := src.Close(); err != nil {
			return database.PlatformSettings{}, err
		}
	}
	return p.split("warehouse", merchantID, kind, settings)
}

// StoreStore does the same for a store.
func (p *Platforms) StoreStore(merchantID int64, s Store) (database.PlatformSettings, error) {
	kind, settings := s.chosen()
	if settings == nil {
		return database.PlatformSettings{}, fault.At("platform", fault.Blank, "choose exactly one platform")
	}
	sink, err := p.sink(s, "", unpinned)
	if err != nil {
		return database.PlatformSettings{}, err
	}
	if err := sink.Close(); err != nil {
		return database.PlatformSettings{}, err
	}
	return p.split("store", merchantID, kind, settings)
}

func (w Warehouse) chosen() (enum.Platform, any) {
	switch {
	case w.FileExchange != nil && w.HTTP == nil && w.Push == nil:
		return enum.FileExchange, w.FileExchange
	case w.HTTP != nil && w.FileExchange == nil && w.Push == nil:
		return enum.HTTP, w.HTTP
	case w.Push != nil && w.FileExchange == nil && w.HTTP == nil:
		return enum.Push, w.Push
	}
	return "", nil
}

func (s Store) chosen() (enum.Platform, any) {
	switch {
	case s.HTTP != nil && s.FileExchange == nil:
		return enum.HTTP, s.HTTP
	case s.FileExchange != nil && s.HTTP == nil:
		return enum.FileExchange, s.FileExchange
	}
	return "", nil
}

// split parts settings into what is stored in the open and what is sealed.
func (p *Platforms) split(kind string, merchantID int64, platform enum.Platform, settings any) (out database.PlatformSettings, err error) {
	var open map[string]any
	raw, err := json.Marshal(settings)
	if err == nil {
		err = json.Unmarshal(raw, &open)
	}
	if err != nil {
		return out, fmt.Errorf("store the settings of a %s: %w", kind, err)
	}
	secrets := map[string]any{}
	var names []string
	for _, name := range secretFields {
		if v, ok := open[name]; ok && v != "" {
			secrets[name] = v
			names = append(names, name)
		}
		delete(open, name)
	}
	out.Platform = platform
	out.Secrets = []byte{}
	if len(names) > 0 {
		open[SecretsKey] = names
		plain, err := json.Marshal(secrets)
		if err != nil {
			return out, fmt.Errorf("store the secrets of a %s: %w", kind, err)
		}
		out.Secrets = p.cfg.Sealer.Seal(place(kind, merchantID), plain)
	}
	if out.Settings, err = json.Marshal(open); err != nil {
		return out, fmt.Errorf("store the settings of a %s: %w", kind, err)
	}
	return out, nil
}

// join reads settings back, secrets included.
func (p *Platforms) join(kind string, merchantID int64, settings json.RawMessage, sealed []byte, into any) error {
	if err := json.Unmarshal(settings, into); err != nil {
		return fmt.Errorf("read the settings of a %s: %w", kind, err)
	}
	if len(sealed) == 0 {
		return nil
	}
	plain, err := p.cfg.Sealer.Open(place(kind, merchantID), sealed)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("read the secrets of a %s: %w", kind, err)
	}
	return nil
}

// HasSecret tells from stored settings whether a secret ("password", "token", …) is set.
func HasSecret(settings json.RawMessage, name string) bool {
	var s struct{ Secrets []string }
	return json.Unmarshal(settings, &s) == nil && slices.Contains(s.Secrets, name)
}

// Warehouse reads how a warehouse is reached, with its secrets opened.
func (p *Platforms) Warehouse(row *ent.Warehouse) (w Warehouse, err error) {
	var into any
	switch row.Platform {
	case enum.FileExchange:
		w.FileExchange = &warehousefiles.Config{}
		into = w.FileExchange
	case enum.HTTP:
		w.HTTP = &httppull.Config{}
		into = w.HTTP
	case enum.Push:
		w.Push = &Push{}
		into = w.Push
	default:
		return w, fmt.Errorf("warehouse %d has the unknown platform %q", row.ID, row.Platform)
	}
	return w, p.join("warehouse", row.MerchantID, row.Settings, row.Secrets, into)
}

// Store reads how a store is reached, with its secrets opened.
func (p *Platforms) Store(row *ent.Store) (s Store, err error) {
	var into any
	switch row.Platform {
	case enum.HTTP:
		s.HTTP = &HTTPStore{}
		into = s.HTTP
	case enum.FileExchange:
		s.FileExchange = &FileExchangeStore{}
		into = s.FileExchange
	default:
		return s, fmt.Errorf("store %d has the unknown platform %q", row.ID, row.Platform)
	}
	return s, p.join("store", row.MerchantID, row.Settings, row.Secrets, into)
}

// Source connects to a warehouse that is pulled from.
func (p *Platforms) Source(_ context.Context, row *ent.Warehouse) (warehouse.Source, error) {
	w, err := p.Warehouse(row)
	if err != nil {
		return nil, err
	}
	src, err := p.source(w, func(ctx context.Context, hostKey string) error {
		settings, err := pinned(row.Settings, hostKey)
		if err != nil {
			return err
		}
		return p.cfg.DB.SetWarehouseSettings(ctx, row.MerchantID, row.ID, row.Version, settings)
	})
	if err == nil && src == nil {
		err = fmt.Errorf("warehouse %d reports by itself", row.ID)
	}
	return src, err
}

// source is nil for a warehouse that reports by itself.
func (p *Platforms) source(w Warehouse, pin func(context.Context, string) error) (warehouse.Source, error) {
	switch {
	case w.FileExchange != nil:
		return warehousefiles.New(*w.FileExchange, warehousefiles.Options{FileRoots: p.cfg.FileRoots, Network: p.cfg.Network, Pin: pin})
	case w.HTTP != nil:
		return httppull.New(*w.HTTP, httppull.Options{Network: p.cfg.Network})
	default:
		return nil, nil
	}
}

// Sink connects to a store.
func (p *Platforms) Sink(_ context.Context, row *ent.Store) (channel.Sink, error) {
	s, err := p.Store(row)
	if err != nil {
		return nil, err
	}
	return p.sink(s, globalid.New("Store", row.ID), func(ctx context.Context, hostKey string) error {
		settings, err := pinned(row.Settings, hostKey)
		if err != nil {
			return err
		}
		return p.cfg.DB.SetStoreSettings(ctx, row.MerchantID, row.ID, row.Version, settings)
	})
}

func (p *Platforms) sink(s Store, id string, pin func(context.Context, string) error) (channel.Sink, error) {
	if h := s.HTTP; h != nil {
		return httpstore.New(httpstore.Config{URL: h.URL, Token: h.Token, SigningSecret: h.SigningSecret, BatchSize: h.BatchSize, Concurrency: h.Concurrency,
			PerSecond: h.PerSecond, Store: id, Network: p.cfg.Network})
	}
	f := s.FileExchange
	return channelfiles.New(exchange.Config{URL: f.URL, Username: f.Username, Password: f.Password, PrivateKey: f.PrivateKey, Passphrase: f.Passphrase, HostKey: f.HostKey,
		FileRoots: p.cfg.FileRoots, Network: p.cfg.Network, Pin: pin}, outbound.Retry{})
}

// unpinned takes a host key nowhere: settings are only checked, and nobody is dialled.
func unpinned(context.Context, string) error { return nil }

// pinned is settings with a host key that was met for the first time.
func pinned(settings json.RawMessage, hostKey string) (json.RawMessage, error) {
	var open map[string]any
	if err := json.Unmarshal(settings, &open); err != nil {
		return nil, fmt.Errorf("pin a host key: %w", err)
	}
	open["hostKey"] = hostKey
	return json.Marshal(open)
}
