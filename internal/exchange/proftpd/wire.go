package proftpd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Streams of a Wire, as its server sees them.
const (
	Upload   = "upstream"
	Download = "downstream"
)

// Wire lies between a server and its clients, and can be cut. The connections that files come over are FTP's data
// connections, and those of SFTP as a whole.
type Wire struct {
	tb    testing.TB
	files []*toxiproxy.Proxy // those that files come over
}

// StartBehindWire is Start for a server that is reached through a Wire only. It listens on another address than clients dial,
// which its PASV replies name, and its passive ports are the same on both.
func StartBehindWire(tb testing.TB, home string, directives ...string) (*Server, *Wire) {
	tb.Helper()
	const outside, inside = "127.0.0.1", "127.0.0.2"
	first, last := passivePorts(tb, outside, inside)
	s := start(tb, inside, home, append([]string{fmt.Sprintf("PassivePorts %d %d", first, last)}, directives...))
	w := &Wire{tb: tb}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := func(listen, upstream string) *toxiproxy.Proxy {
		p := toxiproxy.NewProxy(server, listen, listen, upstream)
		s.check(p.Start())
		tb.Cleanup(p.Stop)
		return p
	}
	for port := first; port <= last; port++ {
		w.files = append(w.files, proxy(fmt.Sprintf("%s:%d", outside, port), fmt.Sprintf("%s:%d", inside, port)))
	}
	s.FTP = proxy(outside+":0", s.FTP).Listen
	sftp := proxy(outside+":0", s.SFTP)
	w.files = append(w.files, sftp)
	s.SFTP = sftp.Listen
	return s, w
}

// passivePorts finds a few ports in a row that are free on all hosts, below those that systems give out by themselves.
func passivePorts(tb testing.TB, hosts ...string) (first, last int) {
	tb.Helper()
	const row = 6
	for range 100 {
		first := 20_000 + rand.IntN(10_000)
		free := true
		for port := first; port < first+row && free; port++ {
			for _, host := range hosts {
				l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
				if free = free && err == nil; err == nil {
					l.Close()
				}
			}
		}
		if free {
			return first, first + row - 1
		}
	}
	tb.Fatal("no ports in a row are free")
	return 0, 0
}

// Cut ends every connection that files come over after so many bytes of a stream, until Heal.
func (w *Wire) Cut(stream string, bytes int) {
	w.tb.Helper()
	w.add(`{"type":"limit_data","stream":%q,"attributes":{"bytes":%d}}`, stream, bytes)
}

// Reset ends every connection that files come over by a TCP reset as soon as something is sent on a stream, until Heal.
func (w *Wire) Reset(stream string) {
	w.tb.Helper()
	w.add(`{"type":"reset_peer","stream":%q,"attributes":{"timeout":0}}`, stream)
}

func (w *Wire) add(format string, args ...any) {
	w.tb.Helper()
	for _, p := range w.files {
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(format, args...))); err != nil {
			w.tb.Fatal(err)
		}
	}
}

// Heal lets everything through again.
func (w *Wire) Heal() {
	for _, p := range w.files {
		p.Toxics.ResetToxics(context.Background())
	}
}
