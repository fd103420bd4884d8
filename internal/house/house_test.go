// Package house holds the tests of the rules that no compiler keeps: which package may use which, one package doc
// each, no init functions, nothing of one machine in the tree.
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	module = "stockbridge"
	top    = "../.."
)

// arrows says which packages of ours a package may use. x/... is x and all below it, as for the go command; the
// longest matching key counts. A package may always use those under the same key. Tests may use more.
var arrows = map[string][]string{
	"cmd/...":                {"..."},
	"ent/...":                {"ent/schema/..."},
	"ent/schema/...":         {},
	"graph/...":              {"internal/pipeline", "internal/catalog", "internal/platform", "internal/cron", "internal/warehouse/...", "internal/channel", "internal/database", "internal/activity", "internal/inventory", "internal/schedule", "internal/access", "internal/fault", "internal/globalid", "ent/..."},
	"internal/access":        {"internal/database", "internal/fault", "internal/globalid", "ent/..."},
	"internal/activity":      {"internal/database", "internal/access", "internal/fault", "internal/globalid", "ent/..."},
	"internal/catalog":       {"internal/csvread", "internal/sortfile", "internal/database", "internal/activity", "internal/fault", "internal/globalid", "ent/..."},
	"internal/channel":       {"internal/inventory", "internal/fault"},
	"internal/channel/...":   {"internal/channel", "internal/exchange", "internal/outbound", "internal/fault"},
	"internal/cron":          {"internal/pipeline", "internal/schedule", "internal/database", "internal/fault", "ent/..."},
	"internal/csvread":       {},
	"internal/dashboard":     {},
	"internal/database/...":  {"internal/inventory", "internal/schedule", "internal/fault", "internal/globalid", "ent/..."},
	"internal/demo":          {},
	"internal/exchange/...":  {"internal/outbound", "internal/fault"},
	"internal/fault":         {},
	"internal/globalid":      {"internal/fault"},
	"internal/house":         {},
	"internal/inventory":     {},
	"internal/outbound":      {"internal/fault"},
	"internal/pipeline":      {"internal/sortfile", "internal/warehouse/...", "internal/channel/...", "internal/inventory", "internal/database", "internal/activity", "internal/exchange", "internal/outbound", "internal/fault", "internal/globalid", "ent/..."},
	"internal/platform":      {"internal/warehouse/...", "internal/channel/...", "internal/database", "internal/exchange", "internal/outbound", "internal/access", "internal/fault", "internal/globalid", "ent/..."},
	"internal/schedule":      {"internal/fault"},
	"internal/server":        {"graph/...", "internal/access", "internal/dashboard", "internal/fault"},
	"internal/sortfile":      {},
	"internal/warehouse":     {"internal/inventory", "internal/fault"},
	"internal/warehouse/...": {"internal/warehouse", "internal/csvread", "internal/exchange", "internal/outbound", "internal/fault"},
}

// matches tells whether a pattern of arrows names a package.
func matches(pattern, pkg string) bool {
	below, wild := strings.CutSuffix(pattern, "...")
	return pattern == pkg || wild && (strings.HasPrefix(pkg+"/", below) || below == "")
}

// room is the key of arrows that a package is under, "" for none.
func room(pkg string) string {
	longest := ""
	for pattern := range arrows {
		if matches(pattern, pkg) && (pattern == pkg || len(pattern) > len(longest) && longest != pkg) {
			longest = pattern
		}
	}
	return longest
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(command(t, "go", "list", "-json=ImportPath,Imports", "./...")))
	var all []listed
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// command runs a program at the top of the repository.
func command(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = top
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, stderr.Bytes())
	}
	return out
}

func TestPackagesUseOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		from := room(name)
		if from == "" {
			t.Errorf("%s is in no room: say in arrows what it may use", name)
			continue
		}
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module+"/")
			switch domain, _, _ := strings.Cut(imported, "/"); {
			case ours:
				if room(to) != from && !slices.ContainsFunc(arrows[from], func(pattern string) bool { return matches(pattern, to) }) {
					t.Errorf("%s uses %s: %s may use %v", name, to, from, arrows[from])
				}
			case from == "internal/inventory" && strings.Contains(domain, "."):
				t.Errorf("%s uses %s: the rules use nothing but the standard library", name, imported)
			}
		}
	}
}

// tracked is every committed or staged file, relative to the top.
func tracked(t *testing.T) []string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(top, ".git")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("not a git checkout")
	}
	return strings.FieldsFunc(string(command(t, "git", "ls-files", "-z")), func(r rune) bool { return r == 0 })
}

var generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)

// source reads a tracked file; nil for one that is deleted but not yet committed so.
func source(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return text
}

func TestEachPackageHasOneDocAndNoInit(t *testing.T) {
	t.Parallel()
	docs := map[string][]string{}
	for _, name := range tracked(t) {
		text := source(t, name)
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "/testdata/") || text == nil || generated.Match(text) {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, text, parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: an init function; wire it where the program starts", fset.Position(f.Pos()))
			}
		}
		if strings.HasSuffix(file.Name.Name, "_test") || bytes.Contains(text, []byte("\n//go:build ignore\n")) || bytes.HasPrefix(text, []byte("//go:build ignore\n")) {
			continue
		}
		dir := filepath.Dir(name)
		if _, ok := docs[dir]; !ok {
			docs[dir] = nil
		}
		if file.Doc != nil {
			docs[dir] = append(docs[dir], name)
		}
	}
	for dir, files := range docs {
		if len(files) != 1 {
			t.Errorf("%s: want exactly one package doc, have %d %v", dir, len(files), files)
		}
	}
}

func TestNothingOfOneMachineIsCommitted(t *testing.T) {
	t.Parallel()
	// Spelled in pieces so that this file does not match itself.
	paths := regexp.MustCompile(`/` + `work/|/` + `root/|/` + `home/[a-z]+/|/` + `Users/[A-Za-z]+/`)
	registries := regexp.MustCompile(`(proxy|sum)\.` + `golang\.org|registry\.` + `npmjs\.org|goproxy\.` + `(io|cn)`)
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, ".sum") {
			continue
		}
		text := source(t, name)
		for _, re := range []*regexp.Regexp{paths, registries} {
			if at := re.FindIndex(text); at != nil {
				t.Errorf("%s:%d names %q", name, 1+bytes.Count(text[:at[0]], []byte("\n")), text[at[0]:at[1]])
			}
		}
	}
}

func TestGeneratedCodeIsMarked(t *testing.T) {
	t.Parallel()
	var files []string
	for _, name := range tracked(t) {
		if strings.HasSuffix(name, ".go") && generated.Match(source(t, name)) {
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		t.Fatal("no generated file was found")
	}
	// A line reads "path: attribute: value".
	for line := range strings.Lines(string(command(t, "git", append([]string{"check-attr", "linguist-generated", "--"}, files...)...))) {
		if !strings.HasSuffix(line, ": true\n") {
			t.Errorf(".gitattributes does not mark generated code: %s", strings.TrimSpace(line))
		}
	}
}
