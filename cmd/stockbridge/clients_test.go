package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/database/dbtest"
)

const clientsDir = "testdata/clients"

// node runs a program of Node in a directory and returns what it prints.
func node(t *testing.T, dir string, environ []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// needClients skips where the packages of testdata/clients are not installed. In CI they have to be.
func needClients(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(clientsDir, "node_modules"))
	}
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("%v: run npm ci in cmd/stockbridge/%s", err, clientsDir)
	default:
		t.Skipf("%v: npm ci in cmd/stockbridge/%s installs what this test needs", err, clientsDir)
	}
}

// clientWorld is a server with an OPERATOR's token, and what the programs are told of it.
func clientWorld(t *testing.T, kind string) (s *instance, merchant, warehouse string, environ []string) {
	t.Helper()
	s = serve(t, dbtest.URL(t, kind), "--admin-token", adminToken, "--allow-private-endpoints")
	merchant, warehouse, _, _ = s.connect(t, openShop(t, nil))
	var made struct{ CreateToken struct{ Secret string } }
	s.ask(t, &made, "mutation($m: ID!) { createToken(input: {name: \"Dashboard\", role: OPERATOR, merchantIds: [$m]}) { secret } }", map[string]any{"m": merchant})
	return s, merchant, warehouse, []string{"STOCKBRIDGE_URL=" + s.url + "/graphql", "STOCKBRIDGE_TOKEN=" + made.CreateToken.Secret, "MERCHANT=" + merchant, "WAREHOUSE=" + warehouse}
}

// spec 5.1, 5.4: the clients that people use ask, change, follow, and go on where the connection was cut, without gap or repeat.
func TestClientsOfOthers(t *testing.T) {
	t.Parallel()
	needClients(t)
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, merchant, _, environ := clientWorld(t, kind)
			for _, client := range []string{"ws", "apollo", "urql", "sse"} {
				t.Run(client, func(t *testing.T) {
					var told struct{ Seen []struct{ Cursor string } }
					if out := node(t, clientsDir, environ, "scenario.mjs", client); json.Unmarshal([]byte(out), &told) != nil {
						t.Fatal(out)
					}
					var stored struct {
						Activities struct{ Nodes []struct{ Cursor string } }
					}
					s.ask(t, &stored, "query($m: ID!, $sku: String!) { activities(first: 250, where: {merchantId: $m, sku: $sku, kinds: [WAREHOUSE_LEVEL_CHANGED]}) { nodes { cursor } } }",
						map[string]any{"m": merchant, "sku": "FOR-" + client})
					want := stored.Activities.Nodes
					slices.Reverse(want)
					if len(want) > len(told.Seen) && client == "ws" { // the one that made a beginning
						want = want[1:]
					}
					if !slices.Equal(told.Seen, want) {
						t.Errorf("the client saw %v, stored is %v", told.Seen, want)
					}
				})
			}
		})
	}
}

// The schema is one that Relay takes, and Relay finds objects, pages, changes and what is followed in its store.
func TestRelay(t *testing.T) {
	t.Parallel()
	needClients(t)
	s, merchant, warehouse, environ := clientWorld(t, "sqlite")
	product := s.change(t, "createProduct", "product", map[string]any{"merchantId": merchant, "sku": "RELAY-1"})
	for n := range 4 {
		s.report(t, warehouse, fmt.Sprintf("RELAY-%d", n+1), 10)
	}
	dir := t.TempDir()
	here, err := filepath.Abs(clientsDir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(here, "relay"))); err != nil {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"schema.graphql":    string(schema),
		"package.json":      `{"type": "module"}`,
		"relay.config.json": `{"src": ".", "schema": "schema.graphql", "language": "javascript", "eagerEsModules": true, "customScalarTypes": {}, "excludes": ["**/node_modules/**", "**/__generated__/**"]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(here, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	node(t, dir, nil, "node_modules/relay-compiler/cli.js", "relay.config.json")
	node(t, dir, append(environ, "PRODUCT="+product), "run.mjs")
}

// Since the last release nothing was taken out of the schema that a client may use, nor changed in a way that breaks it.
func TestSchemaBreaksNoClient(t *testing.T) {
	t.Parallel()
	needClients(t)
	dir := t.TempDir()
	here, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	current, err := os.ReadFile("../../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	diff := func(old string) (string, error) {
		file := filepath.Join(dir, "old.graphql")
		if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "node", "node_modules/@graphql-inspector/cli/cjs/index.js", "diff", file, filepath.Join(here, "schema.graphqls"))
		cmd.Dir = clientsDir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// The tool has to notice what it is there for.
	if out, err := diff(strings.Replace(string(current), "type Query {", "type Query {\n  gone: String\n", 1)); err == nil || !strings.Contains(out, "gone") {
		t.Fatalf("a field that was taken out goes unnoticed: %v\n%s", err, out)
	}
	tag, err := exec.CommandContext(t.Context(), "git", "describe", "--tags", "--abbrev=0").Output()
	if err != nil {
		t.Log("there is no release yet to compare with")
		return
	}
	old, err := exec.CommandContext(t.Context(), "git", "show", strings.TrimSpace(string(tag))+":schema.graphqls").Output()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := diff(string(old)); err != nil {
		t.Errorf("breaks clients of %s: %v\n%s", tag, err, out)
	}
}
