package graph_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"entgo.io/ent/dialect"
	entsql "entgo.io/ent/dialect/sql"
	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"stockbridge/ent"
	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
	"stockbridge/internal/catalog"
	"stockbridge/internal/cron"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/globalid"
	"stockbridge/internal/outbound"
	"stockbridge/internal/pipeline"
	"stockbridge/internal/platform"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is the API over a real database, with a real pipeline behind it.
type world struct {
	t          testing.TB
	db         *database.DB
	rows       *ent.Client // writes rows that only a sync writes otherwise
	config     graph.Config
	schema     graphql.ExecutableSchema
	executor   *executor.Executor
	platforms  *platform.Platforms
	pipeline   *pipeline.Pipeline
	imports    *catalog.Importer
	feed       *activity.Feed
	bell       *activity.Bell
	statements *statements
	log        *logged
	shop       *shop
	files      string // a directory that file exchanges may use
	alpha      tenant
	beta       tenant
}

// tenant is one merchant with one of everything.
type tenant struct {
	merchant, warehouse, files, held, facility, store, location, connection, product, bundle, listing, strategy, level, channelLevel, run, activity, token, catalogImport int64
}

// each runs a test in a world of its own on every database.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, name))
		})
	}
}

func newWorld(t testing.TB, name string) *world {
	t.Helper()
	w := &world{t: t, statements: &statements{}, log: &logged{}, files: t.TempDir(), bell: &activity.Bell{}}
	at := dbtest.URL(t, name)
	w.db = dbtest.Reopen(t, at, database.Options{Committed: w.bell.Ring})
	driver, dsn := "pgx", at
	if name == "sqlite" {
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: w.db.Path()}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_time_format=sqlite"
	}
	conn := must(sql.Open(driver, dsn))
	conn.SetMaxOpenConns(4)
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	w.rows = ent.NewClient(ent.Driver(entsql.OpenDB(w.db.Dialect(), conn)))

	log := slog.New(w.log)
	sealer := must(access.NewSealer(strings.Repeat("k", 32)))
	w.platforms = platform.New(platform.Config{DB: w.db, Sealer: sealer, FileRoots: []string{w.files}, Network: outbound.Policy{AllowPrivate: true}})
	w.pipeline = pipeline.New(pipeline.Config{DB: w.db, Source: w.platforms.Source, Sink: w.platforms.Sink, Log: log})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		w.pipeline.Close(ctx)
	})
	jobs := must(cron.New(cron.Config{DB: w.db, Start: w.pipeline.StartDue, Log: log}))
	t.Cleanup(func() {
		if err := jobs.Close(); err != nil {
			t.Error(err)
		}
	})
	w.feed = activity.New(w.db, w.bell, log)
	reading, stop := context.WithCancel(context.Background())
	var read sync.WaitGroup
	read.Go(func() { w.feed.Run(reading) })
	t.Cleanup(func() { stop(); read.Wait() })
	w.imports = catalog.New(catalog.Config{DB: w.db, Replan: w.pipeline.Replan, Log: log})
	t.Cleanup(func() { w.imports.Close(context.Background()) })
	w.config = graph.Config{
		Reader: access.Scope(ent.NewClient(ent.Driver(counting{entsql.OpenDB(w.db.Dialect(), conn), w.statements}))),
		DB:     w.db, Pipeline: w.pipeline, Platforms: w.platforms, Feed: w.feed, Imports: w.imports, Cron: jobs, Log: log, SmartFloor: 5 * time.Minute,
	}
	w.schema = graph.New(w.config)
	w.executor = executor.New(w.schema)
	w.executor.SetErrorPresenter(graph.ErrorPresenter(log))
	w.shop = newShop(t)
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// viewers
var (
	admin = &access.Viewer{Name: "Ada", Role: access.Admin}
)

func operator(merchants ...int64) *access.Viewer {
	slices.Sort(merchants)
	return &access.Viewer{Name: "Otto", Role: access.Operator, MerchantIDs: merchants}
}

func partner(merchants ...int64) *access.Viewer {
	slices.Sort(merchants)
	return &access.Viewer{Name: "Pia", Role: access.Partner, MerchantIDs: merchants}
}

type vars = map[string]any

// answer is a response as a client sees it.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	raw  string
	sent string // the data alone, as the executor wrote it
}

// ask executes one operation for a viewer, nil for nobody.
func (w *world) ask(v *access.Viewer, document string, variables ...vars) answer {
	w.t.Helper()
	ctx, handler, errs := w.begin(w.t.Context(), v, document, variables...)
	var resp *graphql.Response
	if errs != nil {
		resp = errs
	} else {
		resp = handler(ctx)
	}
	return w.read(resp)
}

// begin starts an operation, which may answer more than once.
func (w *world) begin(ctx context.Context, v *access.Viewer, document string, variables ...vars) (context.Context, graphql.ResponseHandler, *graphql.Response) {
	w.t.Helper()
	if v != nil {
		ctx = access.With(ctx, v)
	}
	ctx = graphql.StartOperationTrace(ctx)
	params := &graphql.RawParams{Query: document}
	if len(variables) > 0 { // as they come over the wire
		d := json.NewDecoder(strings.NewReader(string(must(json.Marshal(variables[0])))))
		d.UseNumber()
		if err := d.Decode(&params.Variables); err != nil {
			w.t.Fatal(err)
		}
	}
	op, errs := w.executor.CreateOperationContext(ctx, params)
	if errs != nil {
		return ctx, nil, w.executor.DispatchError(graphql.WithOperationContext(ctx, op), errs)
	}
	op.DisableIntrospection = false
	handler, ctx := w.executor.DispatchOperation(ctx, op)
	return ctx, handler, nil
}

func (w *world) read(resp *graphql.Response) (a answer) {
	w.t.Helper()
	a.raw, a.sent = string(must(json.Marshal(resp))), string(resp.Data)
	if err := json.Unmarshal([]byte(a.raw), &a); err != nil {
		w.t.Fatal(err)
	}
	return a
}

// data asks, fails the test on any error, and returns what stands at a path in the data ("store.name", "stores.nodes.0").
func (w *world) data(v *access.Viewer, path, document string, variables ...vars) any {
	w.t.Helper()
	a := w.ask(v, document, variables...)
	if len(a.Errors) > 0 {
		w.t.Fatalf("%s\nanswers %s", document, a.raw)
	}
	return at(a.Data, path)
}

// at walks into decoded JSON.
func at(v any, path string) any {
	if path == "" {
		return v
	}
	for _, p := range strings.Split(path, ".") {
		switch c := v.(type) {
		case map[string]any:
			v = c[p]
		case []any:
			var i int
			if _, err := fmt.Sscan(p, &i); err != nil || i >= len(c) {
				return nil
			}
			v = c[i]
		default:
			return nil
		}
	}
	return v
}

// brief writes decoded JSON for comparisons, keys in order.
func brief(v any) string { return string(must(json.Marshal(v))) }

// refused says how an operation was refused as a whole: code and field of its first error.
func (a answer) refused() string {
	if len(a.Errors) == 0 {
		return ""
	}
	code := fmt.Sprint(a.Errors[0].Extensions["code"])
	if f, ok := a.Errors[0].Extensions["field"].([]any); ok {
		for i := range f {
			f[i] = fmt.Sprint(f[i])
		}
		code += " " + strings.Trim(strings.ReplaceAll(brief(f), `"`, ""), "[]")
	}
	return code
}

// faults says what a mutation's user errors are, "CODE input,field" each.
func (w *world) faults(v *access.Viewer, document string, variables ...vars) string {
	w.t.Helper()
	a := w.ask(v, document, variables...)
	if len(a.Errors) > 0 {
		w.t.Fatalf("%s\nanswers %s", document, a.raw)
	}
	var out []string
	for _, payload := range a.Data {
		errs, _ := payload.(map[string]any)["userErrors"].([]any)
		for _, e := range errs {
			if at(e, "message") == "" {
				w.t.Errorf("%s\nhas no message: %s", document, a.raw)
			}
			s := fmt.Sprint(at(e, "code"))
			if f, ok := at(e, "field").([]any); ok {
				s += " " + strings.Trim(strings.ReplaceAll(brief(f), `"`, ""), "[]")
			}
			out = append(out, s)
		}
		for k, v := range payload.(map[string]any) {
			if _, object := v.(map[string]any); object && len(out) > 0 {
				w.t.Errorf("%s\nanswers %s beside user errors: %s", document, k, a.raw)
			}
		}
	}
	return strings.Join(out, "; ")
}

// id is a public id.
func id(typ string, row int64) string { return globalid.New(typ, row) }

// statements counts what is read from the database.
type statements struct {
	mu  sync.Mutex
	all []string
}

// during are the statements that f makes.
func (s *statements) during(f func()) []string {
	s.mu.Lock()
	s.all = nil
	s.mu.Unlock()
	f()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// counting is a driver that notes its queries.
type counting struct {
	dialect.Driver
	to *statements
}

func (c counting) Query(ctx context.Context, query string, args, v any) error {
	c.to.mu.Lock()
	c.to.all = append(c.to.all, query)
	c.to.mu.Unlock()
	return c.Driver.Query(ctx, query, args, v)
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }
func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprint(&l.text, r.Level, " ", r.Message)
	r.Attrs(func(a slog.Attr) bool { fmt.Fprint(&l.text, " ", a); return true })
	l.text.WriteByte('\n')
	return nil
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// shop is a store of platform HTTP.
type shop struct {
	*httptest.Server
	mu     sync.Mutex
	status int // to answer with; 0 is 200
}

func newShop(t testing.TB) *shop {
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.status != 0 {
			w.WriteHeader(s.status)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}
