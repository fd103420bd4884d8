package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/99designs/gqlgen/graphql/handler/transport"
	"github.com/gorilla/websocket"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph"
	"stockbridge/internal/access"
	"stockbridge/internal/activity"
)

// What a delivery costs, for 1,000 subscribers, beside peers that get the same events: a raw prepared message of gorilla,
// gqlgen's own executor and transport over the same schema and feed, and graphql-ws on Node where that is installed. Clients are another
// process; the cost is the serving process's processor time (user and system), less what the events cost it that nobody follows.
// Garbage is collected as the command has it. Events come 20 a second, of one SKU each, or of 100 where all 1,000 follow different
// ones. p99 is from before the transaction of the report to the client.
func BenchmarkLive(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	for _, kind := range []string{"identical", "different"} {
		for _, peer := range []string{"ours", "raw", "stock", "node"} {
			if kind == "different" && peer == "raw" {
				continue
			}
			b.Run(kind+"/"+peer, func(b *testing.B) { benchLive(b, peer, kind == "different") })
		}
	}
}

const (
	benchClients = 1000
	benchEvents  = 60
)

func benchLive(b *testing.B, peer string, different bool) {
	l := startLive(b, "sqlite", func(c *Config) { c.MaxSockets = 10_000 })
	secret, _ := l.token(enum.Admin)
	url, cpu := strings.Replace(l.url, "http", "ws", 1)+"/graphql", func() time.Duration { return cpuTime(b) }
	switch peer {
	case "raw":
		url = l.raw(b)
	case "stock":
		url = l.stock(b)
	case "node":
		url, cpu = l.node(b)
	}
	skus := make([]string, benchClients)
	for i := range skus {
		skus[i] = fmt.Sprintf("SKU-%04d", i)
	}
	l.report("alpha", skus...) // the levels are there; from here on they change
	changed := func(event int) []string {
		if different {
			return skus[event%10*100:][:100]
		}
		return skus[:1]
	}
	deliveries, each := benchEvents*benchClients, benchEvents
	if different {
		deliveries, each = benchEvents*100, benchEvents/10
	}
	cost := func(f func()) time.Duration {
		before := cpu()
		f()
		return cpu() - before
	}
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	idle := cost(func() {
		for event := range benchEvents {
			<-pace.C
			l.report("alpha", changed(event)...)
		}
	})
	query := `subscription ($m: ID!, $s: String) { activity(merchantId: $m, sku: $s) { sku kind at before after cursor } }`
	vars := func(i int) map[string]any {
		if different {
			return map[string]any{"m": l.merchant("alpha"), "s": skus[i]}
		}
		return map[string]any{"m": l.merchant("alpha")}
	}
	var subscribes []string
	for i := range benchClients {
		subscribes = append(subscribes, subscribeWith("1", query, vars(i)))
	}
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // this very program
		cmd.Env = append(os.Environ(), benchURL+"="+url, "LIVE_SECRET="+secret, "LIVE_EACH="+strconv.Itoa(each))
		in, out := must(cmd.StdinPipe()), must(cmd.StdoutPipe())
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		for _, s := range subscribes {
			_, _ = io.WriteString(in, s+"\n") //nolint:errcheck // read at the other end, or it tells nothing
		}
		_ = in.Close()
		lines := bufio.NewScanner(out)
		if !lines.Scan() || lines.Text() != "ready" {
			b.Fatal("the clients are not ready: ", lines.Text())
		}
		<-time.After(2 * time.Second) // until all have begun
		used := cost(func() {
			for event := range benchEvents {
				<-pace.C
				l.report("alpha", changed(event)...)
			}
			lines.Scan()
		})
		var p50, p99 float64
		if n, err := fmt.Sscan(lines.Text(), &p50, &p99); n != 2 {
			b.Fatal(lines.Text(), err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64((used-idle).Nanoseconds())/1000/float64(deliveries), "µs-cpu/delivery")
		b.ReportMetric(p50, "p50-ms")
		b.ReportMetric(p99, "p99-ms")
		b.ReportMetric(0, "ns/op")
	}
}

func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// raw serves sockets that get every activity of alpha as a prepared message.
func (l *live) raw(b *testing.B) string {
	var mu sync.Mutex
	var conns []*websocket.Conn
	up := websocket.Upgrader{Subprotocols: []string{subprotocol}, WriteBufferPool: &sync.Pool{}}
	url := l.serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // the client has left
		_, _, _ = conn.ReadMessage()
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"connection_ack"}`))
		_, _, _ = conn.ReadMessage()
		mu.Lock()
		conns = append(conns, conn)
		mu.Unlock()
		_, _, _ = conn.ReadMessage()
	}))
	l.all(b, func(a *ent.Activity) {
		text := must(json.Marshal(map[string]any{"id": "1", "type": "next", "payload": map[string]any{"data": map[string]any{"activity": tellable(a)}, "extensions": map[string]any{"cursor": "YToxMjM0NQ"}}}))
		p := must(websocket.NewPreparedMessage(websocket.TextMessage, text))
		mu.Lock()
		for _, c := range conns {
			_ = c.WritePreparedMessage(p) // one that has left
		}
		mu.Unlock()
	})
	return url
}

func tellable(a *ent.Activity) map[string]any {
	return map[string]any{"sku": a.Sku, "kind": a.Kind, "at": a.At, "before": a.Before, "after": a.After, "cursor": "YToxMjM0NQ"}
}

// all calls tell with every activity of alpha until the benchmark ends.
func (l *live) all(b *testing.B, tell func(*ent.Activity)) {
	ctx, cancel := context.WithCancel(context.Background())
	f := l.feed.Follow(l.db.Reader(), must(l.feed.Newest(ctx)), activity.Filter{MerchantID: l.merchants["alpha"]}, false)
	var work sync.WaitGroup
	work.Go(func() {
		defer f.Close()
		for page, err := f.Next(ctx); err == nil; page, err = f.Next(ctx) {
			for _, a := range page {
				tell(a)
			}
		}
	})
	b.Cleanup(func() { cancel(); work.Wait() })
}

// node serves what graphql-ws on Node makes of the same events, which it is told, and tells the processor time of that process.
func (l *live) node(b *testing.B) (url string, cpu func() time.Duration) {
	dir := filepath.Join("..", "..", "cmd", "stockbridge", "testdata", "clients")
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		b.Skip("graphql-ws is not installed: run npm ci in cmd/stockbridge/testdata/clients")
	}
	cmd := exec.CommandContext(b.Context(), "node", "peer.mjs")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, out := must(cmd.StdinPipe()), bufio.NewScanner(must(cmd.StdoutPipe()))
	if err := cmd.Start(); err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _, _ = in.Close(), cmd.Wait() }) // killed at the latest with the benchmark
	number := func() int64 {
		if !out.Scan() {
			b.Fatal("node has ended: ", out.Err())
		}
		return must(strconv.ParseInt(out.Text(), 10, 64))
	}
	url = fmt.Sprintf("ws://127.0.0.1:%d/graphql", number())
	var mu sync.Mutex
	send := func(line []byte) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := in.Write(append(line, '\n')); err != nil {
			b.Error(err)
		}
	}
	l.all(b, func(a *ent.Activity) { send(must(json.Marshal(tellable(a)))) })
	return url, func() time.Duration {
		send([]byte("cpu"))
		return time.Duration(number()) * time.Microsecond
	}
}

// stock serves the same schema and feed by gqlgen's own executor and transport, without what plans save.
func (l *live) stock(b *testing.B) string {
	srv := handler.New(graph.New(graph.Config{Reader: access.Scope(l.db.Reader()), DB: l.db, Feed: l.feed, Log: l.Log, NoPlans: true}))
	srv.AddTransport(transport.Websocket{Implementation: gorilla{}})
	return l.serve(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r.WithContext(access.With(r.Context(), &access.Viewer{Name: "Ada", Role: access.Admin})))
	}))
}

func (l *live) serve(b *testing.B, h http.Handler) string {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go func() { _ = s.Serve(listener) }() // until it is closed
	b.Cleanup(func() { _ = s.Close() })
	return "ws://" + listener.Addr().String() + "/graphql"
}

// gorilla is the library for gqlgen's transport, which since 0.17.92 brings another.
type gorilla struct{}

type gorillaConn struct{ *websocket.Conn }

func (gorilla) Accept(w http.ResponseWriter, r *http.Request, _ transport.WebsocketAcceptOptions) (transport.WebsocketConn, error) {
	up := websocket.Upgrader{Subprotocols: []string{subprotocol}}
	c, err := up.Upgrade(w, r, nil)
	return gorillaConn{c}, err
}

func (c gorillaConn) NextReader() (int, io.Reader, error) {
	kind, r, err := c.Conn.NextReader()
	if websocket.IsCloseError(err, websocket.CloseNormalClosure, websocket.CloseGoingAway, websocket.CloseAbnormalClosure) {
		err = transport.ErrWebsocketClosed
	}
	return kind, r, err
}

func (c gorillaConn) WriteClose(code int, message string) error {
	return c.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, message))
}

// readers is the clients of BenchmarkLive: it reads subscribe messages from standard input, opens a socket
// for each, and tells the 50th and 99th percentile, in ms, of how old what came was.
func readers(url string) error {
	each := must(strconv.Atoi(os.Getenv("LIVE_EACH")))
	var mu sync.Mutex
	var ages []time.Duration
	var done sync.WaitGroup
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		d := websocket.Dialer{Subprotocols: []string{subprotocol}}
		conn, _, err := d.Dial(url, nil) //nolint:bodyclose // an upgrade has none
		if err != nil {
			return err
		}
		for _, text := range []string{`{"type":"connection_init","payload":{"Authorization":"Bearer ` + os.Getenv("LIVE_SECRET") + `"}}`, lines.Text()} {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
				return err
			}
			if text != lines.Text() {
				if _, _, err := conn.ReadMessage(); err != nil {
					return err
				}
			}
		}
		done.Go(func() {
			defer conn.Close() //nolint:errcheck // all is read
			own := make([]time.Duration, 0, each)
			for range each {
				_, text, err := conn.ReadMessage()
				now := time.Now()
				if err != nil || !bytes.Contains(text, []byte(`"next"`)) {
					fmt.Println(errors.Join(err, errors.New(string(text))))
					os.Exit(1)
				}
				_, after, _ := bytes.Cut(text, []byte(`"at":"`))
				at, _, _ := bytes.Cut(after, []byte(`"`))
				if when, err := time.Parse(time.RFC3339Nano, string(at)); err == nil {
					own = append(own, now.Sub(when))
				}
			}
			mu.Lock()
			ages = append(ages, own...)
			mu.Unlock()
		})
	}
	fmt.Println("ready")
	done.Wait()
	slices.Sort(ages)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Println(ms(ages[len(ages)/2]), ms(ages[len(ages)*99/100]))
	return nil
}
