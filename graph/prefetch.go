package graph

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"stockbridge/ent"
	"stockbridge/ent/product"
	"stockbridge/ent/syncrun"
	"stockbridge/internal/database"
)

// prefetched is what a list has read, for all its rows at once, that no edge leads to: products by SKU, the last runs of
// connections, and explanations. It also keeps objects that many parts of an answer name. It lives as long as one operation.
type prefetched struct {
	mu           sync.Mutex
	products     map[productKey]*ent.Product   // nil: there is none
	runs         map[int64]*ent.SyncRun        // by connection; nil: there is none
	explanations map[int64]*database.Explained // by channel level
	objects      map[objectKey]*object
}

type productKey struct {
	merchant int64
	sku      string
}

type prefetchKey struct{}

func withPrefetch(ctx context.Context) context.Context {
	return context.WithValue(ctx, prefetchKey{}, &prefetched{products: map[productKey]*ent.Product{}, runs: map[int64]*ent.SyncRun{},
		explanations: map[int64]*database.Explained{}, objects: map[objectKey]*object{}})
}

func prefetch(ctx context.Context) *prefetched { return ctx.Value(prefetchKey{}).(*prefetched) }

// prefetchProducts reads the products of the SKUs on the page that is being resolved, if the document asks for them.
func (r *resolver) prefetchProducts(ctx context.Context, typ string, keys []productKey) error {
	q := r.Reader.Product.Query()
	if !collect(ctx, q, typ, "product") || len(keys) == 0 {
		return nil
	}
	found := map[productKey]*ent.Product{}
	var merchants []int64
	var skus []string
	for _, k := range keys {
		found[k] = nil
		merchants, skus = append(merchants, k.merchant), append(skus, k.sku)
	}
	rows, err := q.Where(product.MerchantIDIn(distinct(merchants)...), product.SkuIn(distinct(skus)...)).All(ctx)
	if err != nil {
		return err
	}
	for _, p := range rows {
		found[productKey{p.MerchantID, p.Sku}] = p
	}
	pre := prefetch(ctx)
	pre.mu.Lock()
	defer pre.mu.Unlock()
	maps.Copy(pre.products, found)
	return nil
}

// product is the product of a SKU, nil where the catalog has none.
func (r *resolver) product(ctx context.Context, merchantID int64, sku string) (*ent.Product, error) {
	pre := prefetch(ctx)
	pre.mu.Lock()
	p, ok := pre.products[productKey{merchantID, sku}]
	pre.mu.Unlock()
	if ok {
		return p, nil
	}
	p, err := r.Reader.Product.Query().Where(product.MerchantID(merchantID), product.Sku(sku)).Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).Only(ctx)
	return p, ent.MaskNotFound(err)
}

// prefetchLastRuns reads the last runs of the connections on the page that is being resolved, if the document asks for them.
func (r *resolver) prefetchLastRuns(ctx context.Context, connections []*ent.Connection) error {
	q := r.Reader.SyncRun.Query()
	if !collect(ctx, q, "Connection", "lastRun") || len(connections) == 0 {
		return nil
	}
	found := map[int64]*ent.SyncRun{}
	ids := make([]any, len(connections))
	for i, c := range connections {
		found[c.ID], ids[i] = nil, c.ID
	}
	rows, err := q.Where(func(s *sql.Selector) {
		t := sql.Dialect(s.Dialect()).Table(syncrun.Table)
		s.Where(sql.In(s.C(syncrun.FieldID), sql.Dialect(s.Dialect()).Select(sql.Max(t.C(syncrun.FieldID))).From(t).
			Where(sql.In(t.C(syncrun.FieldConnectionID), ids...)).GroupBy(t.C(syncrun.FieldConnectionID))))
	}).All(ctx)
	if err != nil {
		return err
	}
	for _, run := range rows {
		found[run.ConnectionID] = run
	}
	pre := prefetch(ctx)
	pre.mu.Lock()
	defer pre.mu.Unlock()
	maps.Copy(pre.runs, found)
	return nil
}

// lastRun is the run of a connection that was asked for last, nil before the first.
func (r *resolver) lastRun(ctx context.Context, connectionID int64) (*ent.SyncRun, error) {
	pre := prefetch(ctx)
	pre.mu.Lock()
	run, ok := pre.runs[connectionID]
	pre.mu.Unlock()
	if ok {
		return run, nil
	}
	run, err := r.Reader.SyncRun.Query().Where(syncrun.ConnectionID(connectionID)).Order(ent.Desc(syncrun.FieldID)).
		Collect(ctx, graphql.GetFieldContext(ctx).Field.Selections).First(ctx)
	return run, ent.MaskNotFound(err)
}

// collect makes a query load what the document asks of a field of the rows on the page that is being resolved, and
// tells whether it asks for the field at all.
func collect[Q interface {
	Collect(context.Context, ast.SelectionSet) Q
}](ctx context.Context, q Q, typ, field string) (asked bool) {
	for _, f := range graphql.CollectFields(graphql.GetOperationContext(ctx), nodes(ctx), []string{typ, "Node"}) {
		if f.Name == field {
			asked = true
			q.Collect(ctx, f.Selections)
		}
	}
	return asked
}

// objectKey is a field of the document, and the row that it names.
type objectKey struct {
	field *ast.Field
	id    int64
}

type object struct {
	once sync.Once
	row  any
	err  error
}

// named reads the row that the field being resolved names by its number, nil for none or one that is gone. Each row is
// read once for a field of the document, however often the answer names it.
func named[T any, P ~func(*sql.Selector), Q interface {
	Where(...P) Q
	Collect(context.Context, ast.SelectionSet) Q
	Only(context.Context) (*T, error)
}](ctx context.Context, q Q, id *int64) (*T, error) {
	if id == nil {
		return nil, nil
	}
	field, pre := graphql.GetFieldContext(ctx).Field, prefetch(ctx)
	pre.mu.Lock()
	o := pre.objects[objectKey{field.Field, *id}]
	if o == nil {
		o = &object{}
		pre.objects[objectKey{field.Field, *id}] = o
	}
	pre.mu.Unlock()
	o.once.Do(func() {
		row, err := q.Where(P(sql.FieldEQ("id", *id))).Collect(ctx, field.Selections).Only(ctx)
		o.row, o.err = row, ent.MaskNotFound(err)
	})
	row, _ := o.row.(*T)
	return row, o.err
}

// asks tells whether the document asks for a field of the rows on the page that is being resolved.
func asks(ctx context.Context, typ, field string) bool {
	return slices.ContainsFunc(graphql.CollectFields(graphql.GetOperationContext(ctx), nodes(ctx), []string{typ, "Node"}),
		func(f graphql.CollectedField) bool { return f.Name == field })
}

func distinct[E cmp.Ordered](all []E) []E {
	slices.Sort(all)
	return slices.Compact(all)
}
