package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"stockbridge/internal/database/dbtest"
)

// The server passes all audits of graphql-http: what GraphQL over HTTP demands, recommends and allows.
func TestGraphQLOverHTTP(t *testing.T) {
	t.Parallel()
	const dir = "../../internal/server/audit"
	missing := func(what string) {
		if os.Getenv("CI") == "true" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node is not installed")
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		missing("the audits are not installed: npm ci --prefix internal/server/audit")
	}
	s := serve(t, dbtest.URL(t, "sqlite"), "--admin-token", adminToken)
	cmd := exec.CommandContext(t.Context(), node, "audit.mjs")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "URL="+s.url+"/graphql", "TOKEN="+adminToken)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	passed := 0
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var audit struct{ ID, Name, Status, Reason string }
		if err := dec.Decode(&audit); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if audit.Status != "ok" {
			t.Errorf("%s %s: %s: %s", audit.ID, audit.Name, audit.Status, audit.Reason)
			continue
		}
		passed++
	}
	if passed != 61 {
		t.Errorf("%d of 61 audits pass", passed)
	}
}
