package inventory

import (
	"path"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPattern shows what a limit's pattern matches (spec 4.5).
func TestPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, matches, not string }{ // SKUs separated by spaces
		{"A-1", "A-1", "a-1 A-12 XA-1 A-"},
		{"*", "A Ä-1 a/b", ""},
		{"A-*", "A- A-1 A-1/2", "B-A- a-1 A"},
		{"*-1", "-1 A-1 A-1-1", "A-12"},
		{"*A*A*", "AA xAxAx AAA", "A BAB"},
		{"a*b*c", "abc aXbXc abcbc", "abcb acb"},
		{"?", "A Ä 語 \xff", "AB ÄÄ"},
		{"SKU-00?", "SKU-001 SKU-00é", "SKU-00 SKU-0011"},
		{"[A-C]1", "A1 B1 C1", "D1 a1 1 AB1"},
		{"[A-C0-9_]", "A 5 _", "D - -_"},
		{"[!A-C]", "D a - Ä ! \xff", "A B C DD"},
		{"[^A-C]", "D a ^", "A B C"},
		{"[]x]", "] x", "[ ]x"},
		{"[!]x]", "y [", "] x"},
		{"[-a]", "- a", "b"},
		{"[a-]", "- a", "b"},
		{"[+--]", "+ , -", "*"},
		{"[*?]", "* ?", "a **"},
		{"[[]x]", "[x]", "x [x x]"},
		{"[Ä-Ü]", "Ö Ä", "ä A"},
		{"]", "]", "["},
		{`\*`, `\ \a`, "* a"},
		{"a/*", "a/ a/b a/b/c", "a"},
		{"\uFFFD", "\uFFFD", "\xff"},
		{"[!a!]", "b ^", "a !"},
	} {
		p, err := compilePattern(tt.pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, sku := range strings.Fields(tt.matches) {
			if !p.matches(sku) {
				t.Errorf("%q does not match %q", tt.pattern, sku)
			}
		}
		for _, sku := range strings.Fields(tt.not) {
			if p.matches(sku) {
				t.Errorf("%q matches %q", tt.pattern, sku)
			}
		}
		if empty := p.matches(""); empty != (tt.pattern == "*") {
			t.Errorf("%q matches nothing: %v", tt.pattern, empty)
		}
	}
}

func TestMalformedPattern(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"", "[", "A[", "[]", "[!]", "[^]", "[!", "[a", "[a-", "[z-a]", "[a-z", "a\xff", "[\xff]", "*[a-"} {
		if err := ValidatePattern(pattern); err == nil {
			t.Errorf("%q passes", pattern)
		}
	}
}

// TestPatternTakesNoLongerThanItsLength would not end if stars gave way to each other.
func TestPatternTakesNoLongerThanItsLength(t *testing.T) {
	t.Parallel()
	p, err := compilePattern(strings.Repeat("*a", 100) + "b")
	if err != nil {
		t.Fatal(err)
	}
	if p.matches(strings.Repeat("a", 255)) {
		t.Error("matches without a b")
	}
}

// FuzzPattern holds the matcher against path.Match wherever the two mean the same.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{
		{"*", "A"}, {"A-*", "A-1"}, {"?[a-c]*", "xbz"}, {"[^x]", "y"}, {"[z-a]", "b"}, {"*a*b", "aab"}, {"[", "["}, {"Ä?", "Ä語"}, {"", ""},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, sku string) {
		p, err := compilePattern(pattern)
		if err != nil {
			return
		}
		got := p.matches(sku)
		if star, err := compilePattern("*" + pattern + "*"); err != nil || got && !star.matches("x"+sku+"y") {
			t.Fatalf("%q matches %q, but not with stars around: %v", pattern, sku, err)
		}
		if strings.ContainsAny(pattern+sku, `/\`) || strings.Contains(pattern, "[!") || !utf8.ValidString(sku) {
			return // path.Match reads these in another way
		}
		if want, err := path.Match(pattern, sku); err == nil && got != want {
			t.Fatalf("%q matches %q: %v, but path.Match says %v", pattern, sku, got, want)
		}
	})
}

// TestFirstMatchingLimitDecides also when exact SKUs and patterns mix (spec 4.5).
func TestFirstMatchingLimitDecides(t *testing.T) {
	t.Parallel()
	l := compileLimits(Store{Scope: ListedSKUs, Limits: []Limit{
		{"A-1", Send}, {"A-*", Skip}, {"A-2", Send}, {"A-1", Skip}, {"[z", Send}, {"B", Skip}, {"B*", Send},
	}})
	for sku, want := range map[string]bool{"A-1": true, "A-2": false, "A-3": false, "B": false, "B-1": true, "[z": false, "C": false} {
		if got := l.allow(sku, false); got != want {
			t.Errorf("%s: %v", sku, got)
		}
	}
	if !l.allow("C", true) || l.allow("B", true) {
		t.Error("scope decides only where no limit matches")
	}
}
