package httppull

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const (
	maxItem = 1 << 20   // bytes of one level, or of a field that is not known here
	maxPage = 256 << 20 // bytes of one page
)

// page is what a page says besides its levels.
type page struct {
	items    int
	next     string // the cursor of the page that follows; "" for the last
	complete bool
}

// decoder reads one page token by token. It holds back up to pageSize levels: a page of the size asked for is only yielded
// when all of it is there, so that one cut short can be asked for again, and one that is longer still needs no more memory.
type decoder struct {
	json    *json.Decoder
	body    *body
	kind    string // content type
	before  int    // items of earlier pages
	yield   func(warehouse.Level, *warehouse.RowError) error
	held    []row
	yielded bool // whether some levels are out
	refused bool // whether yield returned an error
}

type row struct {
	level   warehouse.Level
	refused *warehouse.RowError
}

func newDecoder(resp *http.Response, before int, yield func(warehouse.Level, *warehouse.RowError) error) *decoder {
	b := &body{r: resp.Body}
	return &decoder{json: json.NewDecoder(b), body: b, kind: resp.Header.Get("Content-Type"), before: before, yield: yield}
}

// page reads the whole reply.
func (d *decoder) page() (p page, err error) {
	if err := d.expect(json.Delim('{')); err != nil {
		return page{}, err
	}
	levels := false
	for d.more() {
		key, err := d.token()
		if err != nil {
			return page{}, err
		}
		switch key {
		case "levels":
			if levels {
				return page{}, errors.New("levels stands in the reply twice")
			}
			levels = true
			p.items, err = d.levels()
		case "nextCursor":
			var cursor paged.Text
			if err = d.decode(&cursor); err == nil && cursor.Odd {
				err = errors.New("nextCursor is neither text nor null")
			}
			if p.next = cursor.S; len(p.next) > maxCursor {
				err = fmt.Errorf("nextCursor is longer than %d bytes", maxCursor)
			}
		case "complete":
			err = d.decode(&p.complete)
		default:
			err = d.decode(new(json.RawMessage))
		}
		if err != nil {
			return page{}, err
		}
	}
	if err := d.expect(json.Delim('}')); err != nil {
		return page{}, err
	}
	// Up to its end: what was cut off, or stands behind, is no page.
	if _, err := d.token(); err != io.EOF {
		if err == nil {
			err = errors.New("more stands behind the reply")
		}
		return page{}, err
	}
	if !levels {
		return page{}, errors.New("the reply has no levels")
	}
	return p, d.flush()
}

// levels reads the list of levels, and returns how many there are. null is an empty list.
func (d *decoder) levels() (items int, err error) {
	switch t, err := d.token(); {
	case err != nil:
		return 0, err
	case t == nil:
		return 0, nil
	case t != json.Delim('['):
		return 0, errors.New("levels is not a list")
	}
	for d.more() {
		items++
		var it item
		var odd *json.UnmarshalTypeError
		err := d.decode(&it)
		r := row{}
		switch {
		case errors.As(err, &odd):
			r.refused = &warehouse.RowError{Line: d.before + items, Reason: `the level is not an object: write it as {"sku":"A","available":1}`}
		case err != nil:
			return 0, err
		default:
			r.level, r.refused = it.judge(d.before + items)
		}
		if d.held = append(d.held, r); len(d.held) > pageSize {
			if err := d.flush(); err != nil {
				return 0, err
			}
		}
	}
	return items, d.expect(json.Delim(']'))
}

// flush yields what is held.
func (d *decoder) flush() error {
	for _, r := range d.held {
		d.yielded = true
		if err := d.yield(r.level, r.refused); err != nil {
			d.refused = true
			return err
		}
	}
	d.held = d.held[:0]
	return nil
}

func (d *decoder) token() (json.Token, error) {
	d.body.allow(d.json.InputOffset())
	return d.json.Token()
}

func (d *decoder) more() bool {
	d.body.allow(d.json.InputOffset())
	return d.json.More()
}

func (d *decoder) decode(v any) error {
	d.body.allow(d.json.InputOffset())
	return d.json.Decode(v)
}

func (d *decoder) expect(want json.Delim) error {
	t, err := d.token()
	if err == nil && t != want {
		err = fmt.Errorf("%v stands where %v belongs", t, want)
	}
	return err
}

// words tells a client what is wrong with the reply.
func (d *decoder) words(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the reply is cut short: it ends before its JSON does"
	case errors.As(err, &syntax):
		return fmt.Sprintf("the reply is not JSON but %q (%v at byte %d): check the url", d.kind, err, syntax.Offset)
	}
	return fmt.Sprintf(`%v; a page is {"levels":[…],"nextCursor":…,"complete":…}`, err)
}

// item is one level as the warehouse writes it.
type item struct {
	SKU       paged.Text `json:"sku"`
	Facility  paged.Text `json:"facility"`
	OnHand    paged.Text `json:"onHand"`
	Available paged.Text `json:"available"`
	Committed paged.Text `json:"committed"`
	UpdatedAt paged.Text `json:"updatedAt"`
}

func (it item) judge(n int) (warehouse.Level, *warehouse.RowError) {
	const odd = "%s is neither text nor a number"
	if it.SKU.Odd {
		return warehouse.Level{}, &warehouse.RowError{Line: n, Reason: fmt.Sprintf(odd, "sku")}
	}
	level, refused := warehouse.Row{
		Line: n, SKU: it.SKU.S, Facility: it.Facility.S,
		Available: it.Available.S, OnHand: it.OnHand.S, Committed: it.Committed.S, UpdatedAt: it.UpdatedAt.S,
	}.Level()
	if refused == nil && it.Facility.Odd {
		refused = &warehouse.RowError{Line: n, SKU: level.SKU, Reason: fmt.Sprintf(odd, "facility")}
	}
	return level, refused
}

// body bounds what is read of a reply, and remembers why it broke off.
type body struct {
	r     io.Reader
	read  int64
	until int64 // how far may be read now
	err   error // of the connection; nil at a proper end
}

// allow lets one more item be read after offset.
func (b *body) allow(offset int64) { b.until = min(offset+maxItem, maxPage) }

func (b *body) Read(p []byte) (int, error) {
	left := b.until - b.read
	if left <= 0 {
		if b.until == maxPage {
			return 0, fmt.Errorf("the reply is larger than %d MiB: put fewer levels on a page", maxPage>>20)
		}
		return 0, fmt.Errorf("the reply holds a value larger than %d MiB", maxItem>>20)
	}
	n, err := b.r.Read(p[:min(int64(len(p)), left)])
	b.read += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
