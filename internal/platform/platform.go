// Package platform is where platforms are wired: from what a warehouse's or store's row says to a connected source or
// sink. Settings are stored in the open, secrets sealed.
package platform

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"stockbridge/ent"
	"stockbridge/internal/access"
	"stockbridge/internal/channel"
	"stockbridge/internal/channel/amazon"
	"stockbridge/internal/channel/bigcommerce"
	channelfiles "stockbridge/internal/channel/fileexchange"
	"stockbridge/internal/channel/httpstore"
	"stockbridge/internal/channel/medusa"
	"stockbridge/internal/channel/saleor"
	"stockbridge/internal/channel/shopify"
	"stockbridge/internal/channel/vendure"
	"stockbridge/internal/channel/woocommerce"
	"stockbridge/internal/database"
	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/extensiv"
	warehousefiles "stockbridge/internal/warehouse/fileexchange"
	"stockbridge/internal/warehouse/httppull"
	"stockbridge/internal/warehouse/shipbob"
	"stockbridge/internal/warehouse/shiphero"
	"stockbridge/internal/warehouse/tryton"
)

// Config is what the server allows and how it keeps secrets.
type Config struct {
	DB        *database.DB // host keys are pinned in it
	Sealer    *access.Sealer
	FileRoots []string // where file:// may lead; empty: nowhere
	Network   outbound.Policy
	Log       *slog.Logger // tells of every request, at debug level; nil: nothing
}

// Platforms makes sources and sinks. It is safe for concurrent use.
type Platforms struct {
	cfg        Config
	stores     *shelf[channel.Sink]
	warehouses *shelf[warehouse.Source]
}

// New makes Platforms. Close them at the end.
func New(cfg Config) *Platforms {
	return &Platforms{cfg: cfg, stores: newShelf[channel.Sink](), warehouses: newShelf[warehouse.Source]()}
}

// Close lets go of connections. What is still used is closed by its user.
func (p *Platforms) Close() error { return errors.Join(p.stores.close(), p.warehouses.close()) }

// Warehouse is how a warehouse is reached: exactly one field is set. As JSON it is a WarehousePlatformInput.
type Warehouse struct {
	FileExchange *warehousefiles.Config `json:"fileExchange,omitempty"`
	HTTP         *httppull.Config       `json:"http,omitempty"`
	Push         *Push                  `json:"push,omitempty"`
	Extensiv     *extensiv.Config       `json:"extensiv,omitempty"`
	ShipHero     *shiphero.Config       `json:"shipHero,omitempty"`
	ShipBob      *shipbob.Config        `json:"shipBob,omitempty"`
	Tryton       *tryton.Config         `json:"tryton,omitempty"`
}

// Push is a warehouse that reports by itself.
type Push struct {
	Note string `json:"note,omitempty"` // what the reporting system is, for people
}

// Store is how a store is reached: exactly one field is set. As JSON it is a StorePlatformInput.
type Store struct {
	HTTP         *HTTPStore          `json:"http,omitempty"`
	FileExchange *FileExchangeStore  `json:"fileExchange,omitempty"`
	Shopify      *shopify.Config     `json:"shopify,omitempty"`
	WooCommerce  *woocommerce.Config `json:"wooCommerce,omitempty"`
	BigCommerce  *bigcommerce.Config `json:"bigCommerce,omitempty"`
	Vendure      *vendure.Config     `json:"vendure,omitempty"`
	Medusa       *medusa.Config      `json:"medusa,omitempty"`
	Saleor       *saleor.Config      `json:"saleor,omitempty"`
	Amazon       *amazon.Config      `json:"amazon,omitempty"`
}

// HTTPStore are the settings of a store that takes JSON over HTTP; zero values are httpstore's defaults.
type HTTPStore struct {
	URL           string  `json:"url"`
	Token         string  `json:"token,omitempty"`
	SigningSecret string  `json:"signingSecret,omitempty"`
	BatchSize     int     `json:"batchSize,omitempty"`
	Concurrency   int     `json:"concurrency,omitempty"`
	PerSecond     float64 `json:"requestsPerSecond,omitempty"`
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

// StoreWarehouse checks how a warehouse is to be reached and makes what its row keeps of it. Fault fields start at the platform:
// http.url.
func (p *Platforms) StoreWarehouse(merchantID int64, w Warehouse) (database.PlatformSettings, error) {
	input, err := json.Marshal(w)
	if err != nil {
		return database.PlatformSettings{}, fmt.Errorf("store the settings of a warehouse: %w", err)
	}
	return p.ChangeWarehouse(merchantID, input, nil)
}

// ChangeWarehouse does the same with a WarehousePlatformInput as JSON. old is the warehouse as it is, nil for a new one: what it
// keeps secret, and its host key, stay where the input leaves them out (null forgets them) and leads to the same host. Secrets
// that are left out but can no longer be opened are a fault: entering all of them again mends that.
func (p *Platforms) ChangeWarehouse(merchantID int64, input json.RawMessage, old *ent.Warehouse) (database.PlatformSettings, error) {
	var before *stored
	if old != nil {
		before = new(warehouseRow(old))
	}
	return p.change(warehouseSide, merchantID, input, before, func(settings json.RawMessage) error {
		var w Warehouse
		if err := strict(settings, &w); err != nil {
			return fmt.Errorf("read the settings of a warehouse: %w", err)
		}
		src, err := p.source(w, "", unpinned)
		if err != nil || src == nil {
			return err
		}
		return src.Close()
	})
}

// StoreStore is StoreWarehouse for stores.
func (p *Platforms) StoreStore(merchantID int64, s Store) (database.PlatformSettings, error) {
	input, err := json.Marshal(s)
	if err != nil {
		return database.PlatformSettings{}, fmt.Errorf("store the settings of a store: %w", err)
	}
	return p.ChangeStore(merchantID, input, nil)
}

// ChangeStore is ChangeWarehouse for stores.
func (p *Platforms) ChangeStore(merchantID int64, input json.RawMessage, old *ent.Store) (database.PlatformSettings, error) {
	var before *stored
	if old != nil {
		before = new(storeRow(old))
	}
	return p.change(storeSide, merchantID, input, before, func(settings json.RawMessage) error {
		var s Store
		if err := strict(settings, &s); err != nil {
			return fmt.Errorf("read the settings of a store: %w", err)
		}
		sink, err := p.sink(s, "", unpinned)
		if err != nil {
			return err
		}
		return sink.Close()
	})
}

func warehouseRow(w *ent.Warehouse) stored {
	return stored{merchantID: w.MerchantID, platform: w.Platform, settings: w.Settings, sealed: w.Secrets}
}

func storeRow(s *ent.Store) stored {
	return stored{merchantID: s.MerchantID, platform: s.Platform, settings: s.Settings, sealed: s.Secrets}
}

// Warehouse reads how a warehouse is reached, with its secrets opened.
func (p *Platforms) Warehouse(row *ent.Warehouse) (w Warehouse, err error) {
	return w, p.read(warehouseSide, warehouseRow(row), &w)
}

// Store reads how a store is reached, with its secrets opened.
func (p *Platforms) Store(row *ent.Store) (s Store, err error) {
	return s, p.read(storeSide, storeRow(row), &s)
}

// Source connects to a warehouse that is pulled from. What it has beside a place in its reports (tokens, pace) is kept beyond its Close,
// for the next pull, as long as the row stays at its version.
func (p *Platforms) Source(_ context.Context, row *ent.Warehouse) (warehouse.Source, error) {
	connect := func() (warehouse.Source, error) {
		w, err := p.Warehouse(row)
		if err != nil {
			return nil, err
		}
		src, err := p.source(w, globalid.New("Warehouse", row.ID), func(ctx context.Context, hostKey string) error {
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
	k, err := warehouseSide.kind(row.Platform)
	if err != nil {
		return nil, err
	}
	if k.brief {
		return connect()
	}
	kept, err := p.warehouses.take(row.ID, row.Version, connect)
	if err != nil {
		return nil, err
	}
	pulled, ok := kept.what.(pulledAnew)
	if !ok {
		return nil, errors.Join(fmt.Errorf("warehouse %d: the platform %s can be pulled from once only", row.ID, row.Platform), p.warehouses.release(kept))
	}
	return &sourceHandle{Source: pulled, Listing: pulled.Anew(), shelf: p.warehouses, kept: kept}, nil
}

// source is nil for a warehouse that reports by itself. id is its public id, "" for one that does not exist yet.
func (p *Platforms) source(w Warehouse, id string, pin func(context.Context, string) error) (warehouse.Source, error) {
	switch {
	case w.FileExchange != nil:
		return warehousefiles.New(*w.FileExchange, warehousefiles.Options{FileRoots: p.cfg.FileRoots, Network: p.cfg.Network, Pin: pin})
	case w.HTTP != nil:
		return httppull.New(*w.HTTP, httppull.Options{Network: p.cfg.Network})
	case w.Extensiv != nil:
		return extensiv.New(*w.Extensiv, p.options("Extensiv warehouse", id))
	case w.ShipHero != nil:
		return shiphero.New(*w.ShipHero, p.options("ShipHero warehouse", id))
	case w.ShipBob != nil:
		return shipbob.New(*w.ShipBob, p.options("ShipBob warehouse", id))
	case w.Tryton != nil:
		return tryton.New(*w.Tryton, p.options("Tryton warehouse", id))
	}
	return nil, nil
}

// Sink connects to a store. The connection is kept beyond the sink's Close, for the next who asks, as long as the row stays at its
// version; and so is the store's circuit breaker.
func (p *Platforms) Sink(_ context.Context, row *ent.Store) (channel.Sink, error) {
	k, err := storeSide.kind(row.Platform)
	if err != nil {
		return nil, err
	}
	connect := func() (channel.Sink, error) {
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
	if !k.brief {
		kept, err := p.stores.take(row.ID, row.Version, connect)
		if err != nil {
			return nil, err
		}
		return &handle{Sink: kept.what, shelf: p.stores, kept: kept}, nil
	}
	sink, err := connect()
	if err != nil {
		return nil, err
	}
	kept, err := p.stores.take(row.ID, row.Version, nil)
	return &handle{Sink: sink, shelf: p.stores, kept: kept}, err
}

// sink connects to a store. id is its public id, "" for one that does not exist yet.
func (p *Platforms) sink(s Store, id string, pin func(context.Context, string) error) (channel.Sink, error) {
	switch {
	case s.HTTP != nil:
		h := s.HTTP
		return httpstore.New(httpstore.Config{URL: h.URL, Token: h.Token, SigningSecret: h.SigningSecret, BatchSize: h.BatchSize, Concurrency: h.Concurrency,
			PerSecond: h.PerSecond, Store: id, Options: p.options("http store", id)})
	case s.FileExchange != nil:
		f := s.FileExchange
		return channelfiles.New(exchange.Config{URL: f.URL, Username: f.Username, Password: f.Password, PrivateKey: f.PrivateKey, Passphrase: f.Passphrase, HostKey: f.HostKey,
			FileRoots: p.cfg.FileRoots, Network: p.cfg.Network, Pin: pin}, outbound.Retry{})
	case s.Shopify != nil:
		return shopify.New(*s.Shopify, p.options("Shopify store", id))
	case s.WooCommerce != nil:
		return woocommerce.New(*s.WooCommerce, p.options("WooCommerce store", id))
	case s.BigCommerce != nil:
		return bigcommerce.New(*s.BigCommerce, p.options("BigCommerce store", id))
	case s.Vendure != nil:
		return vendure.New(*s.Vendure, p.options("Vendure store", id))
	case s.Medusa != nil:
		return medusa.New(*s.Medusa, p.options("Medusa store", id))
	case s.Saleor != nil:
		return saleor.New(*s.Saleor, p.options("Saleor store", id))
	case s.Amazon != nil:
		return amazon.New(*s.Amazon, p.options("Amazon store", id))
	}
	return nil, fault.New(fault.Blank, "choose exactly one platform")
}

// options are what every adapter is given. id is the public id of what is spoken to.
func (p *Platforms) options(what, id string) outbound.Options {
	return outbound.Options{Name: strings.TrimSpace(what + " " + id), Network: p.cfg.Network, Log: p.cfg.Log}
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
