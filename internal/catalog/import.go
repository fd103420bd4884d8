package catalog

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/activity"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/sortfile"
)

// Config of an Importer. All must be set but Working.
type Config struct {
	DB *database.DB
	// Replan works off what an import marked to be planned.
	Replan func(ctx context.Context, merchantID int64) (behind bool, err error)
	// Working gives a context to import under as one of several replicas, so that another one ends what this one leaves behind; nil
	// is a process that has no others beside it.
	Working func(context.Context) (context.Context, context.CancelFunc, error)
	Log     *slog.Logger
}

// Importer runs imports, two at a time; others wait their turn. Make one with New, and Close it at the end.
type Importer struct {
	Config
	slots chan struct{}
	bell  activity.Bell
	base  context.Context // ends with Close
	stop  context.CancelFunc

	mu     sync.Mutex // guards the rest
	closed bool
	work   sync.WaitGroup // Add only while !closed
	live   Progress
}

// New makes an importer.
func New(c Config) *Importer {
	i := &Importer{Config: c, slots: make(chan struct{}, 2), live: Progress{}}
	i.base, i.stop = context.WithCancel(context.Background())
	return i
}

// Recover ends the imports that an earlier process left behind.
func (i *Importer) Recover(ctx context.Context) error { return i.DB.InterruptImports(ctx) }

// Close lets running imports end until ctx does, then stops them: they end FAILED and nothing of them is written.
func (i *Importer) Close(ctx context.Context) {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	defer context.AfterFunc(ctx, i.stop)()
	i.work.Wait()
	i.stop()
}

// Start begins an import and returns it, and a channel that is closed at its end. The file is read to its end before it
// returns. Faults: NOT_FOUND of merchantId, INVALID of kind, format or onError.
func (i *Importer) Start(ctx context.Context, in database.NewImport, file io.Reader) (_ *ent.CatalogImport, done <-chan struct{}, err error) {
	if err := check(in); err != nil {
		return nil, nil, err
	}
	copied, err := spoolFile(file)
	if err != nil {
		return nil, nil, err
	}
	work, finished, err := i.working(i.base)
	if err != nil {
		return nil, nil, errors.Join(err, copied.Close())
	}
	row, err := i.begin(work, in)
	if err != nil {
		finished()
		return nil, nil, errors.Join(err, copied.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer i.work.Done()
		defer close(ended)
		defer finished()
		defer copied.Close() //nolint:errcheck // it was only read
		select {
		case i.slots <- struct{}{}:
			defer func() { <-i.slots }()
		case <-work.Done():
		}
		if err := i.run(work, row, copied); err != nil {
			i.Log.Error("an import failed", "import", row.ID, "error", err)
		}
	}()
	return row, ended, nil
}

// begin stores an import that is to run behind, and counts it among the work.
func (i *Importer) begin(ctx context.Context, in database.NewImport) (*ent.CatalogImport, error) {
	i.mu.Lock()
	closed := i.closed
	if !closed {
		i.work.Add(1)
	}
	i.mu.Unlock()
	if closed {
		return nil, fault.New(fault.Conflict, "the server is stopping: try again")
	}
	row, err := i.DB.StartImport(ctx, in)
	if err != nil {
		i.work.Done()
	}
	return row, err
}

// Run imports a file before it returns, and returns the id of the import. Faults are those of Start.
func (i *Importer) Run(ctx context.Context, in database.NewImport, file io.Reader) (id int64, err error) {
	if err := check(in); err != nil {
		return 0, err
	}
	ctx, finished, err := i.working(ctx)
	if err != nil {
		return 0, err
	}
	defer finished()
	row, err := i.DB.StartImport(ctx, in)
	if err != nil {
		return 0, err
	}
	return row.ID, i.run(ctx, row, file)
}

func (i *Importer) working(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if i.Working == nil {
		return ctx, func() {}, nil
	}
	return i.Working(ctx)
}

func check(in database.NewImport) error {
	var faults fault.List
	if _, ok := kinds(in.Kind); !ok {
		faults = append(faults, fault.At("kind", fault.Invalid, "%.40q is unknown: write PRODUCTS, COMPONENTS or LISTINGS", in.Kind))
	}
	if in.Format != enum.CSV && in.Format != enum.JSONLines {
		faults = append(faults, fault.At("format", fault.Invalid, "%.40q is unknown: write CSV or JSON_LINES", in.Format))
	}
	if in.OnError != "" && in.OnError != enum.RejectAll && in.OnError != enum.SkipRows {
		faults = append(faults, fault.At("onError", fault.Invalid, "%.40q is unknown: write REJECT_ALL or SKIP_ROWS", in.OnError))
	}
	return faults.Or()
}

// spoolFile copies a file that is gone once it is closed.
func spoolFile(from io.Reader) (*os.File, error) {
	f, err := os.CreateTemp("", "stockbridge-*")
	if err != nil {
		return nil, fmt.Errorf("keep the file: %w", err)
	}
	err = os.Remove(f.Name())
	if err == nil {
		_, err = io.Copy(f, from)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the file: %w", errors.Join(err, f.Close()))
	}
	return f, nil
}

// run takes an import to its end, which is stored whatever happens. The error is none of the file's.
func (i *Importer) run(ctx context.Context, row *ent.CatalogImport, file io.Reader) error {
	im := &database.Import{ID: row.ID, NewImport: database.NewImport{MerchantID: row.MerchantID, Kind: row.Kind, Format: row.Format, OnError: row.OnError, DryRun: row.DryRun}}
	im.Progress = func(c database.ImportCounts) {
		i.mu.Lock()
		i.live[row.ID] = c
		i.mu.Unlock()
		i.bell.Ring()
	}
	defer func() {
		i.mu.Lock()
		delete(i.live, row.ID)
		i.mu.Unlock()
		i.bell.Ring()
	}()
	stop := i.tellOthers(ctx, row.ID)
	err := i.bring(ctx, im, file)
	stop()
	if err != nil {
		var bad unusable
		why, line := fault.New(fault.Conflict, "the server could not finish the import; nothing was changed: import the file again"), int64(0)
		if errors.As(err, &bad) {
			why, line, err = bad.why, bad.line, nil
		}
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		return errors.Join(err, i.DB.FailImport(late, im, line, why))
	}
	if im.DryRun || im.Created+im.Updated == 0 {
		return nil
	}
	if _, err := i.Replan(ctx, im.MerchantID); err != nil { // it is marked durably and tried again later
		i.Log.WarnContext(ctx, "planning after an import failed; it stays marked", "merchant", im.MerchantID, "error", err)
	}
	return nil
}

// item is a row on its way to the database, in order of key and line.
type item struct {
	key     string
	line    int64
	refused bool
	fields  []text
}

// heldBytes is how much of an import is sorted in memory.
const heldBytes = 8 << 20

// bring reads, checks and sorts a file, and has it written.
func (i *Importer) bring(ctx context.Context, im *database.Import, file io.Reader) (err error) {
	k, _ := kinds(im.Kind) // known since the start
	storeOf, err := i.DB.StoreFinder(ctx, im.MerchantID)
	if err != nil {
		return err
	}
	sorter := sortfile.Sorter[item]{Max: heldBytes, Order: sortfile.Order[item]{Size: item.size, Append: appendItem, Read: k.readItem,
		Compare: func(a, b item) int { return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.line, b.line)) }}}
	defer func() { err = errors.Join(err, sorter.Close()) }()
	err = k.read(ctx, file, im.Format, func(r row) error {
		im.Rows++
		if im.Rows%1000 == 0 {
			im.Progress(im.ImportCounts)
		}
		key, sku, faults := judge(im.Kind, r, storeOf)
		if len(r.faults) > 0 {
			faults = r.faults
		}
		if len(faults) > 0 {
			im.Refuse(r.line, printable(sku), faults)
			if im.Kind != enum.ImportComponents || key == "" || printable(key) != key {
				return nil
			}
		}
		return sorter.Add(item{key, r.line, len(faults) > 0, r.fields})
	})
	if err != nil {
		return err
	}
	im.Progress(im.ImportCounts)
	switch im.Kind {
	case enum.ImportProducts:
		return i.DB.ImportProducts(ctx, im, rows(&sorter, func(it item) database.ProductRow {
			r := productRow(it.line, it.fields)
			r.Check()
			return r
		}))
	case enum.ImportComponents:
		return i.DB.ImportComponents(ctx, im, rows(&sorter, func(it item) database.ComponentRow {
			r, _ := componentRow(it.line, it.fields)
			r.Check()
			r.Refused = it.refused
			return r
		}))
	default:
		return i.DB.ImportListings(ctx, im, rows(&sorter, func(it item) database.ListingRow {
			r, _ := listingRow(it.line, it.fields, storeOf)
			r.Check()
			return r
		}))
	}
}

// judge tells what is wrong with a row by itself, the key it is sorted by, and the SKU it is told under.
func judge(kind enum.ImportKind, in row, storeOf func(string) (int64, bool)) (key, sku string, faults fault.List) {
	switch kind {
	case enum.ImportProducts:
		r := productRow(in.line, in.fields)
		faults = r.Check()
		return r.SKU, r.SKU, faults
	case enum.ImportComponents:
		r, faults := componentRow(in.line, in.fields)
		quantity := len(faults) > 0
		for _, f := range r.Check() {
			if !quantity || len(f.Field) == 0 || f.Field[0] != "quantity" { // one word about it is enough
				faults = append(faults, f)
			}
		}
		return r.BundleSKU, r.BundleSKU, faults
	default:
		r, faults := listingRow(in.line, in.fields, storeOf)
		faults = append(faults, r.Check()...)
		return string(binary.BigEndian.AppendUint64(nil, uint64(r.StoreID))) + r.ChannelSKU, r.SKU, faults
	}
}

// printable is a SKU that may be anything, as it can be stored.
func printable(sku string) string {
	if sku = strings.TrimSpace(sku); len(sku) <= 255 && utf8.ValidString(sku) && !strings.ContainsRune(sku, 0) {
		return sku
	}
	return clip(sku)
}

func rows[T any](s *sortfile.Sorter[item], typed func(item) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for it, err := range s.Sorted() {
			var r T
			if err == nil {
				r = typed(it)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func (it item) size() int {
	n := 64 + len(it.key)
	for _, f := range it.fields {
		n += 24 + len(said(f))
	}
	return n
}

func appendItem(b []byte, it item) []byte {
	b = binary.AppendVarint(sortfile.AppendText(b, it.key), it.line)
	b = append(b, 0)
	if it.refused {
		b[len(b)-1] = 1
	}
	for _, f := range it.fields {
		switch {
		case f.Value != nil:
			b = sortfile.AppendText(append(b, 2), *f.Value)
		case f.Set:
			b = append(b, 1)
		default:
			b = append(b, 0)
		}
	}
	return b
}

// readItem reads what appendItem wrote; io.EOF only where nothing begins.
func (k kind) readItem(from *bufio.Reader) (it item, err error) {
	if _, err := from.Peek(1); err == io.EOF {
		return it, err
	}
	r := sortfile.Reader{From: from}
	it = item{key: r.Text(), line: r.Int(), refused: r.Byte() == 1, fields: make([]text, len(k.columns))}
	for n := range it.fields {
		switch r.Byte() {
		case 2:
			it.fields[n] = text{Set: true, Value: new(r.Text())}
		case 1:
			it.fields[n].Set = true
		}
	}
	return it, r.Err
}
