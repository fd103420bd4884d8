// Package vendurereal runs a real Vendure on loopback for tests, with an SQLite database of its own, and does there what a
// merchant and their customers do: set up variants and stock locations, order, ship.
package vendurereal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Username and Password are the superadmin's.
const (
	Username = "superadmin"
	Password = "sesame street 12"
)

// ListLimit is the shop's adminListQueryLimit: low, so that lists have pages.
const ListLimit = 40

const install = "run 'npm ci --ignore-scripts && npm rebuild better-sqlite3' in internal/channel/vendure/vendurereal"

// Server is a running Vendure. Its methods fail the test where Vendure says no.
type Server struct {
	Admin string // URL of the Admin API
	Shop  string // URL of the Shop API

	tb    testing.TB
	token string // of the superadmin's session
}

// Start runs a shop until the test ends: one stock location (id 1), a payment and a shipping method, no products. Where
// Node.js or its packages are not installed the test is skipped, or fails when CI=true.
func Start(tb testing.TB) *Server {
	tb.Helper()
	dir, err := home()
	if err == nil {
		_, err = exec.LookPath("node")
	}
	for _, part := range []string{"@vendure/core/package.json", "better-sqlite3/build/Release/better_sqlite3.node"} {
		if err == nil {
			_, err = os.Stat(filepath.Join(dir, "node_modules", part))
		}
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("Vendure is not installed (%v): %s", err, install)
		}
		tb.Skipf("Vendure is not installed (%v): %s", err, install)
	}
	settings, err := json.Marshal(map[string]any{"port": 0, "username": Username, "password": Password, "listLimit": ListLimit})
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(dir, "server.mjs"), string(settings)) //nolint:gosec // ours
	cmd.Dir = tb.TempDir()
	cmd.Env = append(os.Environ(), "VENDURE_DISABLE_TELEMETRY=true", "NODE_ENV=test")
	var said bytes.Buffer
	cmd.Stderr = &said
	stdin, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready := make(chan int, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			var line struct{ Port int }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Port > 0 {
				ready <- line.Port
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // what it logs later; ends with the process
		close(ready)
	}()
	tb.Cleanup(func() {
		if err := stdin.Close(); err != nil {
			tb.Error(err)
		}
		end := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) // it should have ended by itself
		defer end.Stop()
		<-read
		if err := cmd.Wait(); err != nil {
			tb.Errorf("Vendure ended: %v", err)
		}
		if tb.Failed() {
			tb.Logf("Vendure said:\n%s", &said)
		}
	})
	patience := time.NewTimer(4 * time.Minute) // seconds on an idle machine
	defer patience.Stop()
	var port int
	select {
	case port = <-ready:
	case <-patience.C:
	}
	if port == 0 {
		tb.Fatal("Vendure did not start")
	}
	at := fmt.Sprintf("http://127.0.0.1:%d/", port)
	s := &Server{Admin: at + "admin-api", Shop: at + "shop-api", tb: tb}
	s.token = s.login()
	return s
}

// home is this package's folder, from wherever in the module a test runs.
func home() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "internal/channel/vendure/vendurereal"), nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = fmt.Errorf("no go.mod above %s", dir)
	}
	return "", err
}

// Ask sends a document to the Admin API as superadmin, and reads the reply's data into data, which may be nil.
func (s *Server) Ask(document string, variables map[string]any, data any) {
	s.tb.Helper()
	s.post(s.Admin, s.token, document, variables, data)
}

// post returns the session token of the reply, if there is one.
func (s *Server) post(url, token, document string, variables map[string]any, data any) string {
	s.tb.Helper()
	body, err := json.Marshal(map[string]any{"query": document, "variables": variables})
	s.check(err)
	req, err := newRequest(s.tb.Context(), url, token, body)
	s.check(err)
	header, reply, err := roundTrip(req)
	s.check(err)
	var got struct {
		Data   json.RawMessage
		Errors json.RawMessage
	}
	if err := json.Unmarshal(reply, &got); err != nil || len(got.Errors) > 0 {
		s.tb.Fatalf("Vendure answered %s to %s", reply, body)
	}
	if data != nil {
		s.check(json.Unmarshal(got.Data, data))
	}
	return header.Get("vendure-auth-token")
}

func (s *Server) check(err error) {
	s.tb.Helper()
	if err != nil {
		s.tb.Fatal(err)
	}
}

func (s *Server) login() string {
	s.tb.Helper()
	token := s.post(s.Admin, "", `mutation($u:String!,$p:String!){login(username:$u,password:$p){__typename}}`, map[string]any{"u": Username, "p": Password}, nil)
	if strings.TrimSpace(token) == "" {
		s.tb.Fatal("Vendure lets nobody in")
	}
	return token
}
