package graph

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/platform"
	"stockbridge/internal/warehouse/csvreport"
	"stockbridge/internal/warehouse/fileexchange"
	"stockbridge/internal/warehouse/httppull"
)

// storeWarehouse makes of an input what a row keeps. old is the warehouse as it is, nil for a new one: what it keeps secret,
// and its host key, stay where the input leaves them out and leads to the same host. A credential never goes to another
// host than the one it was entered for (spec 5.2).
func (r *resolver) storeWarehouse(merchantID int64, in model.WarehousePlatformInput, old *ent.Warehouse) (database.PlatformSettings, error) {
	var w, was platform.Warehouse
	var kept secrets
	if old != nil {
		was, kept.err = r.Platforms.Warehouse(old)
		kept.settings = old.Settings
	}
	var field string
	switch {
	case in.FileExchange != nil:
		field = "fileExchange"
		f, before := in.FileExchange, given(was.FileExchange)
		kept.usable = sameHost(f.URL, before.URL)
		w.FileExchange = &fileexchange.Config{URL: f.URL, Username: given(f.Username), Complete: given(f.Complete), Columns: columns(given(f.Columns)),
			AfterImport: given(f.AfterImport), Files: given(f.Files),
			Password: kept.leave("password", f.Password, before.Password), PrivateKey: kept.leave("privateKey", f.PrivateKey, before.PrivateKey),
			Passphrase: kept.leave("passphrase", f.Passphrase, before.Passphrase), HostKey: kept.leave("hostKey", f.HostKey, before.HostKey)}
	case in.HTTP != nil:
		field = "http"
		h, before := in.HTTP, given(was.HTTP)
		kept.usable = sameHost(h.URL, before.URL)
		w.HTTP = &httppull.Config{URL: h.URL, Token: kept.leave("token", h.Token, before.Token)}
	case in.Push != nil:
		field = "push"
		w.Push = &platform.Push{Note: given(in.Push.Note)}
	}
	if kept.locked {
		return database.PlatformSettings{}, under("platform."+field, kept.err)
	}
	settings, err := r.Platforms.StoreWarehouse(merchantID, w)
	return settings, under("platform."+field, err)
}

// storeStore is storeWarehouse for stores.
func (r *resolver) storeStore(merchantID int64, in model.StorePlatformInput, old *ent.Store) (database.PlatformSettings, error) {
	var s, was platform.Store
	var kept secrets
	if old != nil {
		was, kept.err = r.Platforms.Store(old)
		kept.settings = old.Settings
	}
	var field string
	switch {
	case in.HTTP != nil:
		field = "http"
		h, before := in.HTTP, given(was.HTTP)
		kept.usable = sameHost(h.URL, before.URL)
		s.HTTP = &platform.HTTPStore{URL: h.URL, BatchSize: int(given(h.BatchSize)), Concurrency: int(given(h.Concurrency)), PerSecond: given(h.RequestsPerSecond),
			Token: kept.leave("token", h.Token, before.Token), SigningSecret: kept.leave("signingSecret", h.SigningSecret, before.SigningSecret)}
	case in.FileExchange != nil:
		field = "fileExchange"
		f, before := in.FileExchange, given(was.FileExchange)
		kept.usable = sameHost(f.URL, before.URL)
		s.FileExchange = &platform.FileExchangeStore{URL: f.URL, Username: given(f.Username),
			Password: kept.leave("password", f.Password, before.Password), PrivateKey: kept.leave("privateKey", f.PrivateKey, before.PrivateKey),
			Passphrase: kept.leave("passphrase", f.Passphrase, before.Passphrase), HostKey: kept.leave("hostKey", f.HostKey, before.HostKey)}
	}
	if kept.locked {
		return database.PlatformSettings{}, under("platform."+field, kept.err)
	}
	settings, err := r.Platforms.StoreStore(merchantID, s)
	return settings, under("platform."+field, err)
}

// secrets are what a row keeps that an input may leave as it is.
type secrets struct {
	settings json.RawMessage
	err      error // why they cannot be read, nil if they can: entering all of them again mends that
	usable   bool  // the input leads to the host they are for
	locked   bool  // one that cannot be read is needed
}

// leave is what an input says, or what there was where it is left out.
func (s *secrets) leave(name string, in graphql.Omittable[*string], was string) string {
	if v, ok := in.ValueOK(); ok {
		return given(v)
	}
	if !s.usable {
		return ""
	}
	s.locked = s.locked || s.err != nil && platform.HasSecret(s.settings, name)
	return was
}

func sameHost(a, b string) bool {
	x, err := url.Parse(a)
	y, err2 := url.Parse(b)
	return err == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

func columns(in model.FileColumnsInput) csvreport.Columns {
	return csvreport.Columns{SKU: given(in.SKU), Available: given(in.Available), OnHand: given(in.OnHand), Committed: given(in.Committed),
		Facility: given(in.Facility), UpdatedAt: given(in.UpdatedAt), RecordType: given(in.RecordType)}
}

// under puts the faults in err below a field.
func under(field string, err error) error {
	faults := faultsOf(err)
	if len(faults) == 0 {
		return err
	}
	out := make(fault.List, len(faults))
	for i, f := range faults {
		told := *f
		told.Field = slices.Concat(strings.Split(field, "."), f.Field)
		out[i] = &told
	}
	return out
}

// warehouseSettings is what may be told of how a warehouse is reached.
func warehouseSettings(w *ent.Warehouse) (model.WarehouseSettings, error) {
	secret := func(name string) bool { return platform.HasSecret(w.Settings, name) }
	switch w.Platform {
	case enum.FileExchange:
		s := &model.FileExchangeWarehouseSettings{AfterImport: fileexchange.Archive, Files: "out/inv_*.csv",
			HasPassword: secret("password"), HasPrivateKey: secret("privateKey"), HasPassphrase: secret("passphrase")}
		err := read(w.Settings, s)
		if given(s.Columns) == (model.FileColumns{}) {
			s.Columns = nil
		}
		return s, err
	case enum.HTTP:
		s := &model.HTTPWarehouseSettings{HasToken: secret("token")}
		return s, read(w.Settings, s)
	case enum.Push:
		s := &model.PushWarehouseSettings{}
		return s, read(w.Settings, s)
	}
	return nil, fmt.Errorf("warehouse %d has the unknown platform %q", w.ID, w.Platform)
}

// storeSettings is what may be told of how a store is reached.
func storeSettings(st *ent.Store) (model.StoreSettings, error) {
	secret := func(name string) bool { return platform.HasSecret(st.Settings, name) }
	switch st.Platform {
	case enum.HTTP:
		s := &model.HTTPStoreSettings{HasToken: secret("token"), HasSigningSecret: secret("signingSecret"), BatchSize: 250, Concurrency: 4}
		stored := struct {
			*model.HTTPStoreSettings
			PerSecond *float64
		}{HTTPStoreSettings: s}
		err := read(st.Settings, &stored)
		s.RequestsPerSecond = stored.PerSecond
		return s, err
	case enum.FileExchange:
		s := &model.FileExchangeStoreSettings{HasPassword: secret("password"), HasPrivateKey: secret("privateKey"), HasPassphrase: secret("passphrase")}
		return s, read(st.Settings, s)
	}
	return nil, fmt.Errorf("store %d has the unknown platform %q", st.ID, st.Platform)
}

func read(settings json.RawMessage, into any) error {
	if err := json.Unmarshal(settings, into); err != nil {
		return fmt.Errorf("read the settings of a platform: %w", err)
	}
	return nil
}
