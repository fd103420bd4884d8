package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"stockbridge/internal/database/dbtest"
)

// livePage is the guide's page on following: what its blocks hold, and a directory with its scripts, which a web server shows.
type livePage struct {
	blocks   map[string]string // by name
	dir, url string
}

// openLivePage skips where a program is missing that the page needs.
func openLivePage(t *testing.T) *livePage {
	t.Helper()
	needClients(t)
	for _, tool := range []string{"bash", "curl", "/usr/bin/chromium"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	text, err := os.ReadFile("../../docs/guide/live.md")
	if err != nil {
		t.Fatal(err)
	}
	p := &livePage{blocks: map[string]string{}, dir: t.TempDir()}
	for _, found := range regexp.MustCompile("(?sm)^```[a-z]+ ([a-z.]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		p.blocks[found[1]] = found[2]
	}
	modules, err := filepath.Abs(filepath.Join(clientsDir, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(p.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"follow.mjs", "live.html"} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(p.blocks[name]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pages := httptest.NewServer(http.FileServerFS(os.DirFS(p.dir)))
	t.Cleanup(pages.Close)
	p.url = pages.URL
	return p
}

// run begins a program in the page's directory, which ends with the test at the latest.
func (p *livePage) run(ctx context.Context, t *testing.T, environ []string, args ...string) (told *output, stop func()) {
	t.Helper()
	told = &output{}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = p.dir, told, told, append(os.Environ(), environ...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() } // it has ended, or is told to
	t.Cleanup(stop)
	return told, stop
}

// browser is the program that opens the page in a browser.
func (p *livePage) browser(t *testing.T, server, token, merchant string) []string {
	t.Helper()
	browse, err := filepath.Abs(filepath.Join(clientsDir, "browse.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"node", browse, p.url + "/live.html#server=" + server + "/graphql&token=" + token + "&merchantId=" + merchant}
}

// The guide's page on following does what it says with curl, in Node and in a browser: all go on where they were when the
// server is restarted, without gap or repeat (spec 5.1).
func TestLivePage(t *testing.T) {
	t.Parallel()
	page := openLivePage(t)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	database := dbtest.URL(t, "sqlite")
	start := func() *instance {
		return serve(t, database, "--admin-token", adminToken, "--allow-private-endpoints", "--listen", address, "--allow-origin", page.url)
	}
	s := start()
	merchant, warehouse, _, _ := s.connect(t, openShop(t, nil))
	var made struct{ CreateToken struct{ Secret string } }
	s.ask(t, &made, "mutation($m: ID!) { createToken(input: {name: \"Dashboard\", role: PARTNER, merchantIds: [$m]}) { secret } }", map[string]any{"m": merchant})
	environ := []string{"STOCKBRIDGE=" + s.url + "/graphql", "TOKEN=" + made.CreateToken.Secret, "MERCHANT=" + merchant}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := func(environ []string, args ...string) (told *output, stop func()) {
		return page.run(ctx, t, environ, args...)
	}
	inNode, _ := run(environ, "node", "follow.mjs")
	inBrowser, _ := run(nil, page.browser(t, s.url, made.CreateToken.Secret, merchant)...)
	byCurl, stopCurl := run(environ, "bash", "-c", "exec "+page.blocks["follow"])
	await := func(told *output, pattern string) string {
		t.Helper()
		found, err := told.await(ctx, pattern)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.log)
		}
		return found
	}
	// Nothing tells from outside that a subscription has begun, so reports go on until everyone has told of one.
	quantity := 0
	for begun := false; !begun; {
		quantity++
		s.report(t, warehouse, "HELMET", quantity)
		begun = strings.Contains(inNode.String(), "HELMET") && strings.Contains(inBrowser.String(), "HELMET") && strings.Contains(byCurl.String(), "HELMET")
		select {
		case <-ctx.Done():
			t.Fatalf("nobody tells of anything: %s\n%s\n%s", inNode, inBrowser, byCurl)
		case <-time.After(50 * time.Millisecond):
		}
	}
	const last = 100000
	s.report(t, warehouse, "HELMET", last)
	await(inNode, `WAREHOUSE_LEVEL_CHANGED HELMET \d+ -> (100000)`)
	await(inBrowser, `WAREHOUSE_LEVEL_CHANGED HELMET (100000)`)
	cursor := await(byCurl, `id: (\S+)\n(?:event: next\n)?data: [^\n]*"WAREHOUSE_LEVEL_CHANGED"[^\n]*"after":100000`)
	stopCurl()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s = start()
	for n := 1; n <= 3; n++ {
		s.report(t, warehouse, "HELMET", last+n)
	}
	resumed, _ := run(append(environ, "LAST="+cursor), "bash", "-c", "exec "+page.blocks["resume"])
	for told, pattern := range map[*output]string{inNode: `WAREHOUSE_LEVEL_CHANGED HELMET \d+ -> (1\d{5})`, inBrowser: `WAREHOUSE_LEVEL_CHANGED HELMET (1\d{5})`,
		resumed: `"WAREHOUSE_LEVEL_CHANGED","sku":"HELMET","before":\d+,"after":(1\d{5})`} {
		await(told, strings.Replace(pattern, `1\d{5}`, "100003", 1))
		var all []string
		for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(told.String(), -1) {
			all = append(all, found[1])
		}
		want := "100000 100001 100002 100003"
		if told == resumed {
			want = "100001 100002 100003"
		}
		if got := strings.Join(all, " "); got != want {
			t.Errorf("told %s, want %s\n%s", got, want, told)
		}
	}
}

// Who follows with a budget that is spent goes on when there is enough again, in Node and in a browser.
func TestLivePageWaitsForItsBudget(t *testing.T) {
	t.Parallel()
	page := openLivePage(t)
	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken, "--allow-private-endpoints", "--allow-origin", page.url, "--cost-budget=1000", "--cost-restore=2")
	merchant, warehouse, _, _ := s.connect(t, openShop(t, nil))
	spent := func() string { // a token with nothing left
		var made struct{ CreateToken struct{ Secret string } }
		s.ask(t, &made, "mutation($m: ID!) { createToken(input: {name: \"Dashboard\", role: PARTNER, merchantIds: [$m]}) { secret } }", map[string]any{"m": merchant})
		bearer := &instance{url: s.url, token: made.CreateToken.Secret}
		for _, query := range []string{`{ __schema { queryType { name } } }`, `{ __typename }`} { // 100, then 1
			for text := ""; !strings.Contains(text, "THROTTLED"); {
				_, text = bearer.do(t, "POST", "/graphql", `{"query":"`+query+`"}`, "")
			}
		}
		return bearer.token
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	inNode, _ := page.run(ctx, t, []string{"STOCKBRIDGE=" + s.url + "/graphql", "TOKEN=" + spent(), "MERCHANT=" + merchant}, "node", "follow.mjs")
	inBrowser, _ := page.run(ctx, t, nil, page.browser(t, s.url, spent(), merchant)...)
	for n := 1; !strings.Contains(inNode.String(), "HELMET") || !strings.Contains(inBrowser.String(), "HELMET"); n++ {
		s.report(t, warehouse, "HELMET", n)
		select {
		case <-ctx.Done():
			t.Fatalf("nobody tells of anything: %s\n%s", inNode, inBrowser)
		case <-time.After(2 * time.Second): // a report costs too
		}
	}
}
