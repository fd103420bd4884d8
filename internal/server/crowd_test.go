package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database/dbtest"
)

// Where the server is that TestMain has clients connect to, in a process of their own.
const (
	crowdHost = "STOCKBRIDGE_TEST_CROWD_HOST"
	benchURL  = "STOCKBRIDGE_TEST_BENCH_URL"
)

func TestMain(m *testing.M) {
	run := func(clients func(string) error, server string) {
		if err := clients(server); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	if host := os.Getenv(crowdHost); host != "" {
		run(crowd, host)
		return
	}
	if url := os.Getenv(benchURL); url != "" {
		run(readers, url)
		return
	}
	dbtest.Main(m)
}

// 10,000 sockets with an idle subscription each, of clients in another process: all get what happens, and what each holds of
// heap and stacks is 30 KB at most.
func TestTenThousandIdleSockets(t *testing.T) {
	n := 10_000
	if raceDetector {
		n = 500 // each costs ten times as much
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if need := uint64(n + 500); limit.Cur < need { //nolint:gosec // above 0
		raised := syscall.Rlimit{Cur: need, Max: max(need, limit.Max)}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%d open files are needed: %v", need, err)
			}
			t.Skipf("%d open files are needed, and the limit of %d cannot be raised: %v", need, limit.Cur, err)
		}
	}
	l := startLive(t, "sqlite", nil)
	secret, _ := l.token(enum.Partner, "alpha")
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := inUse()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very program
	cmd.Env = append(os.Environ(), crowdHost+"="+strings.TrimPrefix(l.url, "http://"), "CROWD_SIZE="+strconv.Itoa(n), "CROWD_SECRET="+secret,
		"CROWD_SUBSCRIBE="+subscribeWith("1", follow, map[string]any{"m": l.merchant("alpha")}))
	out := must(cmd.StdoutPipe())
	in := must(cmd.StdinPipe())
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "open" {
		t.Fatal("the clients could not connect: ", lines.Text())
	}
	l.begun(1, n)
	each := (inUse() - before) / uint64(n) //nolint:gosec // above 0
	t.Logf("%d sockets hold %d bytes each", n, each)
	if each > 30<<10 && !raceDetector {
		t.Errorf("a socket holds %d bytes, at most 30 KB it should", each)
	}
	l.report("alpha", "A")
	if !lines.Scan() || lines.Text() != "told" {
		t.Error("not all clients were told: ", lines.Text())
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// crowd is the clients of TestTenThousandIdleSockets. They leave when standard input ends.
func crowd(host string) error {
	conns := make([]net.Conn, must(strconv.Atoi(os.Getenv("CROWD_SIZE"))))
	upgrade := "GET /graphql HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: " + subprotocol + "\r\n\r\n"
	masked := func(text string) []byte { // with a mask of zeros
		return append([]byte{0x81, 0xfe, byte(len(text) >> 8), byte(len(text)), 0, 0, 0, 0}, text...) //nolint:gosec // the two bytes of a length
	}
	messages := append(masked(`{"type":"connection_init","payload":{"Authorization":"Bearer `+os.Getenv("CROWD_SECRET")+`"}}`), masked(os.Getenv("CROWD_SUBSCRIBE"))...)
	buf := make([]byte, 4<<10)
	until := func(c net.Conn, end string) error {
		var got []byte
		for !strings.Contains(string(got), end) {
			k, err := c.Read(buf)
			if err != nil {
				return fmt.Errorf("%q: %w", got, err)
			}
			got = append(got, buf[:k]...)
		}
		return nil
	}
	for i := range conns {
		conns[i] = must(net.Dial("tcp", host))
		must(conns[i].Write([]byte(upgrade)))
		if err := until(conns[i], "\r\n\r\n"); err != nil {
			return err
		}
		must(conns[i].Write(messages))
		if err := until(conns[i], "connection_ack"); err != nil {
			return err
		}
	}
	fmt.Println("open")
	for _, c := range conns {
		if err := until(c, `"sku":"A"`); err != nil {
			return err
		}
	}
	fmt.Println("told")
	_, err := io.ReadAll(os.Stdin) // until all is measured
	return err
}
