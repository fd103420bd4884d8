package shiphero

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged"
)

const (
	fileWait = time.Minute // for the header of the file
	maxValue = 16 << 20    // bytes of one product with all its bins and lots
	maxFile  = 8 << 30
)

// download reads the file of a snapshot. It lies with a file store and not with ShipHero, under an address that lets in by itself: no token
// is sent there, and it is dialled under the same rules as any other address. It is read as it comes, so that it needs no
// memory; broken off after rows were passed on, it cannot be begun again, and the pull has failed.
func (s *Source) download(ctx context.Context, address string, rows *paged.Rows) error {
	u, err := url.Parse(address)
	ours, err2 := url.Parse(s.endpoint)
	if err != nil || err2 != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != ours.Scheme {
		return fault.New(fault.BadReply, "%s: the address of the inventory snapshot cannot be used: it must be one of https", name)
	}
	return s.retry.Do(ctx, func() error { return s.attempt(ctx, u, rows) })
}

func (s *Source) attempt(ctx context.Context, u *url.URL, rows *paged.Rows) error {
	where := u.Scheme + "://" + u.Host // the rest of it is a secret
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fmt.Errorf("fetch the snapshot: %w", err)
	}
	req.Header.Set("User-Agent", "Stockbridge")
	resp, err := s.file.Do(req)
	if err != nil {
		return unreachable(ctx, where, err)
	}
	defer resp.Body.Close() //nolint:errcheck // read, or given up
	if resp.StatusCode != http.StatusOK {
		head, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		if err != nil {
			head = fmt.Appendf(head, " (%v)", err)
		}
		words := fmt.Sprintf("%s: the inventory snapshot at %s answers %s: %s", name, where, resp.Status, outbound.Excerpt(head))
		if wait, _ := outbound.RetryAfter(resp.Header.Get("Retry-After"), s.client.Peer.Clock().Time()); resp.StatusCode == http.StatusTooManyRequests {
			return &outbound.Again{Throttled: true, After: wait, Err: fault.New(fault.Throttled, "%s", words)}
		}
		if resp.StatusCode >= 500 {
			return &outbound.Again{Err: fault.New(fault.Unreachable, "%s", words)}
		}
		return fault.New(fault.BadReply, "%s", words)
	}
	f := file{body: &paged.Bounded{From: resp.Body, Value: maxValue, All: maxFile}, rows: rows, only: s.warehouse}
	f.json = json.NewDecoder(f.body)
	err = f.read()
	switch {
	case err == nil || f.stopped:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case f.body.Err != nil && f.passed:
		return fault.Wrap(f.body.Err, fault.Unreachable, "%s: the inventory snapshot at %s broke off", name, where)
	case f.body.Err != nil:
		return unreachable(ctx, where, f.body.Err)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Wrap(err, fault.BadReply, "%s: the inventory snapshot is cut short: it ends before its JSON does", name)
	}
	return fault.Wrap(err, fault.BadReply, "%s: the inventory snapshot cannot be read: %v", name, err)
}

// unreachable sorts the error of a request that got no (whole) file.
func unreachable(ctx context.Context, where string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if outer, ok := errors.AsType[*url.Error](err); ok {
		err = outer.Err // its own words hold the address
	}
	if fault.CodeOf(err) != "" { // an address or a redirection that is refused
		return err
	}
	return &outbound.Again{Err: fault.Wrap(err, fault.Unreachable, "%s: the inventory snapshot at %s cannot be fetched (%v)", name, where, err)}
}

// file reads {"products":{"SKU":{"sku":…,"warehouse_products":{"<warehouse id>":{"on_hand":…,"available":…,"allocated":…}}}}}; other
// keys are passed over.
type file struct {
	json    *json.Decoder
	body    *paged.Bounded
	rows    *paged.Rows
	only    string // the warehouse that was asked for; "" for all
	passed  bool   // whether rows are out
	stopped bool   // whether the error is the caller's own
}

func (f *file) token() (json.Token, error) {
	f.body.Allow(f.json.InputOffset())
	return f.json.Token()
}

func (f *file) value(v any) error {
	f.body.Allow(f.json.InputOffset())
	return f.json.Decode(v)
}

func (f *file) open(what string) error {
	t, err := f.token()
	if err == nil && t != json.Delim('{') {
		err = fmt.Errorf("%s is no object", what)
	}
	return err
}

// keys reads the keys of an object up to its end, each with its value.
func (f *file) keys(each func(key string) error) error {
	for {
		t, err := f.token()
		if err != nil || t == json.Delim('}') {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return fmt.Errorf("%v stands where a name belongs", t)
		}
		if err := each(key); err != nil {
			return err
		}
	}
}

func (f *file) read() error {
	if err := f.open("it"); err != nil {
		return err
	}
	there := false
	err := f.keys(func(key string) error {
		if key != "products" {
			return f.value(new(json.RawMessage))
		}
		if there {
			return errors.New("products stands in it twice")
		}
		there = true
		if err := f.open("products"); err != nil {
			return err
		}
		return f.keys(f.product)
	})
	if err != nil {
		return err
	}
	if _, err := f.token(); err != io.EOF {
		if err == nil {
			err = errors.New("more stands behind it")
		}
		return err
	}
	if !there {
		return errors.New("it has no products")
	}
	return nil
}

// product reads one product, and passes on what each warehouse has of it.
func (f *file) product(key string) error {
	var p struct {
		SKU        paged.Text         `json:"sku"`
		Warehouses map[string]product `json:"warehouse_products"`
	}
	if err := f.value(&p); err != nil {
		if _, odd := errors.AsType[*json.UnmarshalTypeError](err); odd {
			return f.out(f.rows.Refuse(key, "the product is not as documented: "+err.Error()))
		}
		return err
	}
	if p.SKU.S == "" {
		p.SKU.S = key
	}
	for _, id := range slices.Sorted(maps.Keys(p.Warehouses)) {
		w := p.Warehouses[id]
		if w.SKU = p.SKU; w.Warehouse.S == "" {
			w.Warehouse.S = id
		}
		if f.only != "" && w.Warehouse.S != f.only {
			continue
		}
		if err := f.out(add(w, f.rows)); err != nil {
			return err
		}
	}
	return nil
}

// out notes that rows are out, and whether the caller wants no more of them.
func (f *file) out(err error) error {
	f.passed = true
	f.stopped = f.stopped || err != nil
	return err
}
