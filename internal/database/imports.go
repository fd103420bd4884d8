package database

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/catalogimport"
	"stockbridge/ent/schema/enum"
	"stockbridge/ent/store"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// An import is one transaction under the lock that all changes of the merchant's settings take: what it finds free or
// present is so until the commit, nobody sees a part of it, and a crash leaves nothing of it. Its rows come in order of
// their keys, which makes doubles neighbours and lets chunks of them be compared with what is stored by one statement.

// NewImport is an import to begin.
type NewImport struct {
	MerchantID int64
	Kind       enum.ImportKind
	Format     enum.ImportFormat
	OnError    enum.ImportOnError // blank is REJECT_ALL
	DryRun     bool               // everything is checked and counted, nothing is written
}

// Import is an import under way: what it was asked for, and what came of it so far.
type Import struct {
	NewImport
	ID int64
	ImportCounts
	// Progress is called now and then with the counts so far; nil is nobody.
	Progress func(ImportCounts)

	problems []ImportProblem
}

// ImportCounts count the rows of an import. Rows is the sum of the others once all are judged.
type ImportCounts struct{ Rows, Created, Updated, Unchanged, Failed int64 }

// ImportProblem is what is wrong with one row.
type ImportProblem struct {
	Line       int64 // from 1
	SKU, Field string
	Code       fault.Code
	Message    string
}

// MaxImportProblems is how many problems of an import are kept, those of the first lines.
const MaxImportProblems = 1000

// Refuse counts a row out, and keeps what is wrong with it.
func (im *Import) Refuse(line int64, sku string, faults fault.List) {
	im.Failed++
	for _, f := range faults {
		field := ""
		if len(f.Field) > 0 {
			field = f.Field[len(f.Field)-1]
		}
		im.problems = append(im.problems, ImportProblem{Line: line, SKU: sku, Field: field, Code: f.Code, Message: f.Message})
	}
	if len(im.problems) > 4*MaxImportProblems {
		im.trim()
	}
}

func (im *Import) trim() {
	slices.SortStableFunc(im.problems, func(a, b ImportProblem) int { return cmp.Compare(a.Line, b.Line) })
	im.problems = im.problems[:min(len(im.problems), MaxImportProblems)]
}

func (im *Import) report() {
	if im.Progress != nil {
		im.Progress(im.ImportCounts)
	}
}

// StartImport notes that an import begins, by the replica whose context this is. Fault: NOT_FOUND of merchantId.
func (db *DB) StartImport(ctx context.Context, in NewImport) (*ent.CatalogImport, error) {
	in.OnError = cmp.Or(in.OnError, enum.RejectAll)
	var row *ent.CatalogImport
	err := db.inTx(ctx, func(t *tx) (err error) {
		if _, err = t.merchant(ctx, in.MerchantID); err != nil {
			return err
		}
		create := t.ent.CatalogImport.Create()
		if replica := replicaOf(ctx); replica.Valid {
			create.SetReplicaID(replica.Int64)
		}
		row, err = create.SetMerchantID(in.MerchantID).SetKind(in.Kind).SetFormat(in.Format).SetOnError(in.OnError).SetDryRun(in.DryRun).
			SetStatus(enum.ImportRunning).SetCreatedAt(db.Now()).Save(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("start an import: %w", err)
	}
	return row, nil
}

// FailImport ends an import whose file as a whole cannot be used; line is 0 where no one line is at fault. Nothing of it was
// or will be written.
func (db *DB) FailImport(ctx context.Context, im *Import, line int64, why *fault.Error) error {
	im.ImportCounts = ImportCounts{Rows: im.Rows, Failed: im.Failed}
	if line > 0 {
		field := ""
		if len(why.Field) > 0 {
			field = why.Field[0]
		}
		im.problems = append(im.problems, ImportProblem{Line: line, Field: field, Code: why.Code, Message: why.Message})
	}
	return db.inTx(ctx, func(t *tx) error { return t.finish(ctx, im, why) })
}

// SaveImport stores how far an import is, for whoever looks from another process. It is for PostgreSQL: on SQLite it would wait
// for the import itself, which is the one writer.
func (db *DB) SaveImport(ctx context.Context, id int64, c ImportCounts) error {
	err := db.inTx(ctx, func(t *tx) error {
		n, err := t.ent.CatalogImport.Update().Where(catalogimport.ID(id), catalogimport.StatusEQ(enum.ImportRunning)).
			SetRows(c.Rows).SetCreated(c.Created).SetUpdated(c.Updated).SetUnchanged(c.Unchanged).SetFailed(c.Failed).Save(ctx)
		if err != nil || n == 0 {
			return err
		}
		return t.wake(ctx)
	})
	if err != nil {
		return fmt.Errorf("save import %d: %w", id, err)
	}
	return nil
}

// StoreFinder finds a merchant's stores as files name them: by name, or else by global id.
func (db *DB) StoreFinder(ctx context.Context, merchantID int64) (func(string) (int64, bool), error) {
	stores, err := db.reader.Store.Query().Where(store.MerchantID(merchantID)).Select(store.FieldName).All(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the stores of merchant %d: %w", merchantID, err)
	}
	ids := make(map[string]int64, 2*len(stores))
	for _, s := range stores {
		ids[globalid.New("Store", s.ID)] = s.ID
	}
	for _, s := range stores {
		ids[s.Name] = s.ID
	}
	return func(named string) (int64, bool) { id, ok := ids[named]; return id, ok }, nil
}

// importer writes one import inside its transaction.
type importer struct {
	*tx
	*Import
	write bool // false: only look what it would come to
	now   time.Time
	marks map[string]struct{} // SKUs to be planned anew; nil for the whole merchant
}

// maxMarks is how many SKUs an import marks to be planned by name.
const maxMarks = 20_000

func (i *importer) mark(skus ...string) {
	if i.marks == nil {
		return
	}
	for _, s := range skus {
		i.marks[s] = struct{}{}
	}
	if len(i.marks) > maxMarks {
		i.marks = nil
	}
}

// errRefused undoes what was written of an import of which all or nothing is to come in.
var errRefused = errors.New("rows were refused")

// importAll judges and writes rows by f, and ends the import as well: with the same commit.
func (db *DB) importAll(ctx context.Context, im *Import, f func(context.Context, *importer) error) error {
	before := *im
	_, err := change(ctx, db, im.MerchantID, "import the catalog", func(t *tx) (struct{}, error) {
		*im = before
		im.problems = slices.Clone(before.problems)
		i := &importer{tx: t, Import: im, now: db.Now(), marks: map[string]struct{}{}, write: !im.DryRun && (im.OnError == enum.SkipRows || im.Failed == 0)}
		wrote := i.write
		if err := f(ctx, i); err != nil {
			return struct{}{}, err
		}
		if im.Failed > 0 && im.OnError == enum.RejectAll {
			if wrote {
				return struct{}{}, errRefused
			}
			return struct{}{}, t.finish(ctx, im, nil)
		}
		if i.write {
			if err := i.plan(ctx); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, t.finish(ctx, im, nil)
	})
	if errors.Is(err, errRefused) {
		err = db.inTx(ctx, func(t *tx) error { return t.finish(ctx, im, nil) })
	}
	return err
}

// refuse stops the writing where all is to be undone anyway; what remains is judged still.
func (i *importer) refuse(line int64, sku string, faults fault.List) {
	i.Refuse(line, sku, faults)
	if i.OnError == enum.RejectAll {
		i.write = false
	}
}

func (i *importer) plan(ctx context.Context) error {
	if i.marks == nil {
		return i.markMerchant(ctx, i.MerchantID)
	}
	skus := make([]string, 0, len(i.marks))
	for s := range i.marks {
		skus = append(skus, s)
	}
	return i.markSKUs(ctx, i.MerchantID, skus...)
}

// finish stores what came of an import. It fails if somebody ended the import meanwhile.
func (t *tx) finish(ctx context.Context, im *Import, why *fault.Error) error {
	im.trim()
	status := enum.ImportSucceeded
	switch {
	case why != nil:
		status = enum.ImportFailed
	case im.Failed > 0 && im.OnError == enum.RejectAll:
		status = enum.ImportFailed
		why = fault.New(fault.Invalid, "of %d rows %d cannot be used, so nothing was changed: mend them, or import the others alone with onError SKIP_ROWS", im.Rows, im.Failed)
		im.ImportCounts = ImportCounts{Rows: im.Rows, Failed: im.Failed}
	case im.Failed > 0 && im.Failed == im.Rows:
		status = enum.ImportFailed
		why = fault.New(fault.Invalid, "none of the %d rows can be used, so nothing was changed: mend them", im.Rows)
	case im.Failed > 0:
		status = enum.ImportPartial
	}
	u := t.ent.CatalogImport.Update().Where(catalogimport.ID(im.ID), catalogimport.StatusEQ(enum.ImportRunning)).SetStatus(status).SetFinishedAt(t.db.Now()).
		SetRows(im.Rows).SetCreated(im.Created).SetUpdated(im.Updated).SetUnchanged(im.Unchanged).SetFailed(im.Failed)
	if why != nil {
		u.SetError(why.Message).SetErrorCode(string(why.Code))
	}
	n, err := u.Save(ctx)
	if err != nil {
		return fmt.Errorf("end import %d: %w", im.ID, err)
	}
	if n == 0 {
		return fmt.Errorf("import %d was ended by somebody else", im.ID)
	}
	return t.insert(ctx, "import_problems", []string{"merchant_id", "catalog_import_id", "line", "sku", "field", "code", "message"}, len(im.problems), func(i int) []any {
		p := im.problems[i]
		return []any{im.MerchantID, im.ID, p.Line, p.SKU, p.Field, string(p.Code), p.Message}
	})
}

// importRows is how many rows are compared with what is stored by one statement.
const importRows = 2000

// chunks hands rows over in lists.
func chunks[T any](rows iter.Seq2[T, error], size func(T) int, f func([]T) error) error {
	var chunk []T
	n := 0
	for row, err := range rows {
		if err != nil {
			return err
		}
		chunk, n = append(chunk, row), n+size(row)
		if n < importRows {
			continue
		}
		if err := f(chunk); err != nil {
			return err
		}
		chunk, n = chunk[:0], 0
	}
	if len(chunk) == 0 {
		return nil
	}
	return f(chunk)
}

// foundBy is a FROM clause of the rows of a table, as p, that a unique key finds for each of the texts, which p's columns are
// compared with as k.v. Its first argument is returned. PostgreSQL takes the index for each text in any case: left to
// itself it read the whole merchant, or table, for every 2,000 texts (15 to 48 ms of 100,000 rows instead of 3).
func (db *DB) foundBy(table, key string, texts []string) (from string, arg any) {
	texts = slices.Compact(slices.Sorted(slices.Values(texts)))
	if db.pool != nil {
		return "unnest(?::text[]) k(v) CROSS JOIN LATERAL (SELECT * FROM " + table + " p WHERE " + key + " LIMIT 1) p", texts
	}
	return "(SELECT value AS v FROM json_each(?)) k CROSS JOIN " + table + " p ON " + key, jsonList(texts)
}

// productKey finds a merchant's products by SKU.
const productKey = "p.merchant_id = ? AND p.sku = k.v"

func one[T any](T) int { return 1 }

// setOr is what a field comes to: as it was, or as the row says.
func setOr[T any](o Opt[T], was *T) *T {
	if o.Set {
		return o.Value
	}
	return was
}
