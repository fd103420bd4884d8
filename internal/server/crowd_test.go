package server

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stockbridge/ent/schema/enum"
)

// 10,000 sockets with an idle subscription each: all get what happens, and what they hold, of heap and stacks, is bounded.
// CROWD asks for another number.
func TestTenThousandIdleSockets(t *testing.T) {
	n := 10_000
	if text := os.Getenv("CROWD"); text != "" {
		n, _ = strconv.Atoi(text)
	}
	if raceDetector {
		n = 500 // each costs ten times as much
	}
	var limit syscall.Rlimit
	need := uint64(2*n + 500)
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < need {
		raised := limit
		raised.Cur, raised.Max = need, max(need, limit.Max)
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%d open files are needed: %v", need, err)
			}
			t.Skipf("%d open files are needed, and the limit of %d cannot be raised: %v", need, limit.Cur, err)
		}
		defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) //nolint:errcheck // it was so before
	}
	l := startLive(t, "sqlite", nil)
	secret, _ := l.token(enum.Partner, "alpha")
	host := strings.TrimPrefix(l.url, "http://")
	upgrade := "GET /graphql HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + subprotocol + "\r\n\r\n"
	masked := func(text string) []byte { // with a mask of zeros
		b := []byte{0x81, 0xfe, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}
		return append(b, text...)
	}
	messages := append(masked(`{"type":"connection_init","payload":{"Authorization":"Bearer `+secret+`"}}`), masked(subscribeWith("1", follow, map[string]any{"m": l.merchant("alpha")}))...)
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	buf := make([]byte, 4<<10)
	until := func(c net.Conn, end string) {
		var got []byte
		for !strings.Contains(string(got), end) {
			k, err := c.Read(buf)
			if err != nil {
				t.Fatalf("%q: %v", got, err)
			}
			got = append(got, buf[:k]...)
		}
	}
	before := inUse()
	for i := range conns {
		c := must(net.Dial("tcp", host))
		conns[i] = c
		must(c.Write([]byte(upgrade)))
		until(c, "\r\n\r\n")
		must(c.Write(messages))
		until(c, "connection_ack")
	}
	l.begun(1, n)
	each := (inUse() - before) / uint64(n)
	t.Logf("%d sockets hold %d bytes each, their clients in this process included", n, each)
	if each > 30<<10 && !raceDetector {
		t.Errorf("a socket holds %d bytes, at most 30 KB it should", each)
	}
	l.report("alpha", "A")
	for _, c := range conns {
		until(c, `"sku":"A"`)
	}
}
