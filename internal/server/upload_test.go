package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// parts writes a multipart body; each part is a name, a file's name or "", and a text.
func parts(all ...[3]string) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "--b\r\nContent-Disposition: form-data; name=%q", p[0])
		if p[1] != "" {
			fmt.Fprintf(&b, "; filename=%q", p[1])
		}
		fmt.Fprintf(&b, "\r\n\r\n%s\r\n", p[2])
	}
	return b.String() + "--b--\r\n"
}

const asParts = "Content-Type: multipart/form-data; boundary=b"

// Files come by the GraphQL multipart request specification, and what does not keep to it is refused with 400.
func TestUploads(t *testing.T) { // not in parallel: it sets where temporary files go
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	r := start(t, func(c *Config) { c.MaxBody, c.MaxUpload = 1000, 10_000 })
	operations := `{"query": "mutation($f: [Upload]!) { read(files: $f) }", "variables": {"f": [null, null]}}`
	for name, tc := range map[string]struct {
		body   string
		status int
		says   string
	}{
		"two files":           {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0"], "b": ["variables.f.1"]}`}, [3]string{"a", "x.csv", "12345"}, [3]string{"b", "y", ""}), 200, `{"data":{"read":"x.csv 5 5 <nil>;y 0 0 <nil>;"}}`},
		"one file twice":      {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0", "variables.f.1"]}`}, [3]string{"a", "x", "1"}), 200, `x 1 1`},
		"no file":             {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{}`}), 200, `{"data":{"read":""}}`},
		"a file is missing":   {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0"]}`}), 400, "missing"},
		"a file too many":     {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{}`}, [3]string{"a", "x", "1"}), 400, "does not name"},
		"a file twice":        {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0"], "b": ["variables.f.1"]}`}, [3]string{"a", "x", "1"}, [3]string{"a", "x", "1"}), 400, "does not name"},
		"the wrong order":     {parts([3]string{"a", "x", "1"}, [3]string{"operations", "", operations}), 400, "order"},
		"nothing":             {"--b--\r\n", 400, "order"},
		"no multipart":        {"hello", 400, "multipart"},
		"cut short":           {strings.TrimSuffix(parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0"]}`}, [3]string{"a", "x", "1"}), "--b--\r\n"), 400, "cut short"},
		"operations is none":  {parts([3]string{"operations", "", "[]"}, [3]string{"map", "", "{}"}), 400, "operations"},
		"map is none":         {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": "variables.f.0"}`}), 400, "part map"},
		"no query":            {parts([3]string{"operations", "", "{}"}, [3]string{"map", "", "{}"}), 400, "query is missing"},
		"operations too long": {parts([3]string{"operations", "", strings.Repeat(" ", 1001)}, [3]string{"map", "", "{}"}), 400, "larger than 1000"},
		"files too long":      {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["variables.f.0"]}`}, [3]string{"a", "x", strings.Repeat("x", 10_000)}), 413, "TOO_LARGE"},
		"too many files":      {parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"1":[],"2":[],"3":[],"4":[],"5":[],"6":[],"7":[],"8":[],"9":[],"10":[],"11":[]}`}), 400, "more than 10"},
	} {
		resp, text := r.do(t, http.MethodPost, "/graphql", tc.body, signedIn, asParts)
		if resp.StatusCode != tc.status || !strings.Contains(text, tc.says) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, text)
		}
	}
	for _, path := range []string{"", "variables", "query", "variables.f", "variables.g", "variables.f.2", "variables.f.-1", "variables.f.x", "variables.f.0.x", "variables.g.0", "f.0"} {
		body := parts([3]string{"operations", "", operations}, [3]string{"map", "", `{"a": ["` + path + `"]}`}, [3]string{"a", "x", "1"})
		if resp, text := r.do(t, http.MethodPost, "/graphql", body, signedIn, asParts); resp.StatusCode != 400 || !strings.Contains(text, "not there") {
			t.Errorf("%q: %d %s", path, resp.StatusCode, text)
		}
	}
	if resp, text := r.do(t, http.MethodPost, "/graphql", parts([3]string{"operations", "", operations}), asParts); resp.StatusCode != 401 {
		t.Errorf("nobody: %d %s", resp.StatusCode, text)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// An Idempotency-Key stands for what files hold, not for their names and sizes alone.
func TestUploadsAreToldApart(t *testing.T) {
	t.Parallel()
	r := start(t, nil)
	hash := func(content string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader(parts(
			[3]string{"operations", "", `{"query": "{ who }", "variables": {"f": null}}`}, [3]string{"map", "", `{"a": ["variables.f"]}`}, [3]string{"a", "x.csv", content})))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", strings.TrimPrefix(asParts, "Content-Type: "))
		var files uploads
		defer func() { files.close() }()
		params, bad := r.params(httptest.NewRecorder(), req, &files)
		if bad != nil {
			t.Fatal(bad)
		}
		return string(hashOf(params))
	}
	if first, again, other := hash("1"), hash("1"), hash("2"); first != again || first == other {
		t.Error("files of one size are not told apart by what they hold")
	}
}
