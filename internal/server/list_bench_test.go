package server_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	entsql "entgo.io/ent/dialect/sql"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/globalid"
	"stockbridge/internal/server"
)

const inventoryList = `query Levels($merchant: ID!) { channelLevels(first: 50, where: {merchantId: $merchant}) {
	edges { node { id channelSku quantity pushedQuantity status product { name sku } store { name } } } pageInfo { hasNextPage endCursor } } }`

// BenchmarkInventoryList asks for 50 channel levels, each with its product and store, over HTTP with 8 connections: of the
// whole server, and of an endpoint of net/http that is written by hand, with one statement on the same database, and
// gives the same bytes. ratio is our requests per second as a share of its. The hand-written one asks for no token, counts
// nothing and logs nothing. The collector is set as cmd sets it. See docs/performance.md.
func BenchmarkInventoryList(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(4 << 30))
	for _, dialect := range []string{"sqlite", "postgres"} {
		b.Run(dialect, func(b *testing.B) {
			s := newStock(b, dialect, 2000)
			body, err := json.Marshal(map[string]any{"query": inventoryList, "variables": map[string]any{"merchant": globalid.New("Merchant", s.merchant)}})
			if err != nil {
				b.Fatal(err)
			}
			ours, theirs := listen(b, s.api(b)), listen(b, http.HandlerFunc(s.byHand))
			if got, want := ask(b, ours, s.secret, body), ask(b, theirs, s.secret, body); !bytes.Equal(got, want) || len(want) < 5000 {
				b.Fatalf("ours   %s\ntheirs %s", got, want)
			}
			var rates [2]float64
			for b.Loop() {
				for range 3 { // taken in turn, so that both have the same machine
					for i, address := range []string{ours, theirs} {
						rates[i] += rate(b, address, s.secret, body)
					}
				}
			}
			n := float64(3 * b.N)
			b.ReportMetric(rates[0]/n, "ours/s")
			b.ReportMetric(rates[1]/n, "by-hand/s")
			b.ReportMetric(rates[0]/rates[1], "ratio")
		})
	}
}

// stock is a database with channel levels.
type stock struct {
	db       *database.DB
	raw      *sql.DB // for what is written by hand
	merchant int64
	secret   string
}

func newStock(tb testing.TB, dialect string, levels int) *stock {
	tb.Helper()
	at := dbtest.URL(tb, dialect)
	s := &stock{db: dbtest.Reopen(tb, at, database.Options{})}
	driver, dsn := "pgx", at
	if dialect == "sqlite" {
		driver, dsn = "sqlite", "file:"+(&url.URL{Path: s.db.Path()}).EscapedPath()+"?_pragma=busy_timeout(10000)&_pragma=cache_size(-8000)&_time_format=sqlite"
	}
	var err error
	if s.raw, err = sql.Open(driver, dsn); err != nil {
		tb.Fatal(err)
	}
	s.raw.SetMaxOpenConns(4)
	s.raw.SetMaxIdleConns(4)
	tb.Cleanup(func() { _ = s.raw.Close() }) // it is only for this
	ctx := tb.Context()
	rows := ent.NewClient(ent.Driver(entsql.OpenDB(s.db.Dialect(), s.raw)))
	s.merchant = rows.Merchant.Create().SetName("Acme").SaveX(ctx).ID
	var stores []int64
	for i := range 3 {
		stores = append(stores, rows.Store.Create().SetMerchantID(s.merchant).SetName(fmt.Sprint("Store ", i)).SetPlatform(enum.Push).SetSettings([]byte("{}")).SaveX(ctx).ID)
	}
	for from := 0; from < levels; from += 100 {
		var products []*ent.ProductCreate
		var all []*ent.ChannelLevelCreate
		for i := from; i < min(levels, from+100); i++ {
			sku := fmt.Sprintf("SKU-%05d", i)
			products = append(products, rows.Product.Create().SetMerchantID(s.merchant).SetSku(sku).SetName(fmt.Sprint("Product number ", i)))
			l := rows.ChannelLevel.Create().SetMerchantID(s.merchant).SetStoreID(stores[i%3]).SetChannelSku(sku).SetSku(sku).SetQuantity(int64(i % 100)).SetStatus(enum.Pending)
			if i%5 != 0 {
				l.SetPushedQuantity(int64(i % 100)).SetStatus(enum.Pushed)
			}
			all = append(all, l)
		}
		rows.Product.CreateBulk(products...).SaveX(ctx)
		rows.ChannelLevel.CreateBulk(all...).SaveX(ctx)
	}
	if dialect == "postgres" {
		if _, err := s.raw.ExecContext(ctx, "ANALYZE"); err != nil {
			tb.Fatal(err)
		}
	}
	s.secret = "sesame-open"
	if _, err := s.db.CreateToken(ctx, database.CreateToken{Name: "bench", Role: enum.Operator, MerchantIDs: []int64{s.merchant}, Hash: access.Hash(s.secret)}); err != nil {
		tb.Fatal(err)
	}
	return s
}

// plenty is a budget that is always full, so that the bytes of answers do not depend on the time.
const plenty = 1 << 50

// api is the whole server.
func (s *stock) api(tb testing.TB) http.Handler {
	tb.Helper()
	sealer, err := access.NewSealer(strings.Repeat("k", 32))
	if err != nil {
		tb.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	return server.New(server.Config{
		Schema:       graph.New(graph.Config{Reader: access.Scope(s.db.Reader()), DB: s.db, Log: log}),
		Authenticate: access.NewAuthenticator(s.db, nil, log).Authenticate,
		Present:      graph.ErrorPresenter(log),
		Once:         access.NewOnce(s.db, sealer),
		Ready:        s.db.Ping,
		Log:          log,
		Budget:       server.Budget{Max: plenty, Restore: plenty},
	})
}

// byHand is the endpoint that somebody would write for this one list.
func (s *stock) byHand(w http.ResponseWriter, r *http.Request) {
	var request struct{ Variables struct{ Merchant string } }
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	merchant, err := globalid.Of("Merchant", request.Variables.Merchant)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	out, err := s.list(r.Context(), merchant)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(out)))
	_, _ = w.Write(out)
}

func (s *stock) list(ctx context.Context, merchant int64) ([]byte, error) {
	rows, err := s.raw.QueryContext(ctx, `SELECT l.id, l.channel_sku, l.quantity, l.pushed_quantity, l.status, p.name, p.sku, s.name
		FROM (SELECT * FROM channel_levels WHERE merchant_id = $1 ORDER BY id LIMIT 51) l
		JOIN stores s ON s.id = l.store_id LEFT JOIN products p ON p.merchant_id = l.merchant_id AND p.sku = l.sku ORDER BY l.id`, merchant)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err tells
	out := append(make([]byte, 0, 16<<10), `{"data":{"channelLevels":{"edges":[`...)
	text := func(v string) {
		quoted, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		out = append(out, quoted...)
	}
	n, last, more := 0, int64(0), false
	for rows.Next() {
		if more = n == 50; more {
			break
		}
		var id, quantity int64
		var pushed *int64
		var channelSKU, status, store string
		var name, sku *string
		if err := rows.Scan(&id, &channelSKU, &quantity, &pushed, &status, &name, &sku, &store); err != nil {
			return nil, err
		}
		if n++; n > 1 {
			out = append(out, ',')
		}
		last = id
		out = append(out, `{"node":{"id":"`...)
		out = base64.RawURLEncoding.AppendEncode(out, strconv.AppendInt([]byte("ChannelLevel:"), id, 10))
		out = append(out, `","channelSku":`...)
		text(channelSKU)
		out = append(out, `,"quantity":`...)
		out = strconv.AppendInt(out, quantity, 10)
		out = append(out, `,"pushedQuantity":`...)
		if pushed == nil {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendInt(out, *pushed, 10)
		}
		out = append(out, `,"status":`...)
		text(status)
		out = append(out, `,"product":`...)
		if name == nil {
			out = append(out, "null"...)
		} else {
			out = append(out, `{"name":`...)
			text(*name)
			out = append(out, `,"sku":`...)
			text(*sku)
			out = append(out, '}')
		}
		out = append(out, `,"store":{"name":`...)
		text(store)
		out = append(out, "}}}"...)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	out = append(out, `],"pageInfo":{"hasNextPage":`...)
	out = strconv.AppendBool(out, more)
	out = append(out, `,"endCursor":"`...)
	out = base64.RawURLEncoding.AppendEncode(out, fmt.Appendf(nil, `["",null,%d]`, last))
	return append(out, `"}}},"extensions":{"cost":{"requestedQueryCost":152,"actualQueryCost":152,"throttleStatus":{"maximumAvailable":1125899906842624,"currentlyAvailable":1125899906842624,"restoreRate":1125899906842624}}}}`...), nil
}

// listen serves a handler on loopback until the test ends, and gives its address.
func listen(tb testing.TB, h http.Handler) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = s.Serve(l) }() // it ends by Close alone
	tb.Cleanup(func() { _ = s.Close(); <-ended })
	return l.Addr().String()
}

// caller is one connection of a client that does little itself.
type caller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

func dial(tb testing.TB, address, secret string, body []byte) *caller {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	head := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", secret, len(body))
	return &caller{conn, bufio.NewReaderSize(conn, 32<<10), append([]byte(head), body...)}
}

func (c *caller) call(to io.Writer) error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if _, err = io.Copy(to, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", resp.Status)
	}
	return err
}

func ask(tb testing.TB, address, secret string, body []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	if err := dial(tb, address, secret, body).call(&out); err != nil {
		tb.Fatal(err, out.String())
	}
	return out.Bytes()
}

// rate is how many requests a second are answered over 8 connections, looked at for a second.
func rate(tb testing.TB, address, secret string, body []byte) float64 {
	tb.Helper()
	var answered atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range 8 {
		c := dial(tb, address, secret, body)
		all.Go(func() {
			for time.Since(start) < time.Second {
				if err := c.call(io.Discard); err != nil {
					tb.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	all.Wait()
	return float64(answered.Load()) / time.Since(start).Seconds()
}
