package inventory

import (
	"fmt"
	"unicode/utf8"
)

// ValidatePattern tells whether a limit's pattern (spec 4.5) is well formed. A pattern
// is held against the whole SKU, case-sensitively, character by character. '*' matches
// any characters, also none; '?' any one character; and a class one character:
//
//	[abc]   one of these
//	[a-z]   one from this range; ranges and characters mix: [A-Z0-9_]
//	[!a-z]  one that is none of these; [^a-z] is the same
//
// In a class, ']' stands for itself directly after the opening (and '!' or '^'), '-'
// first or last, and '*' and '?' anywhere. There is no escape: [*] matches a star.
// Everything else, '/' and '\' included, stands for itself. An empty pattern, a class
// without its closing ']', a range that runs backwards, and text that is not UTF-8 are
// malformed.
func ValidatePattern(pattern string) error {
	_, err := compilePattern(pattern)
	return err
}

// pattern is a compiled pattern: what to match one after the other.
type pattern []token

type token struct {
	kind  tokenKind
	char  rune // of oneChar
	class []span
}

type span struct{ from, to rune }

type tokenKind uint8

const (
	oneChar tokenKind = iota
	anyChar
	anyChars
	inClass
	notInClass
)

func compilePattern(text string) (pattern, error) {
	if text == "" {
		return nil, fmt.Errorf("the pattern is empty: write a SKU, or * for all SKUs")
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("pattern %q is not UTF-8 text", text)
	}
	chars := []rune(text)
	var p pattern
	for i := 0; i < len(chars); i++ {
		switch chars[i] {
		case '*':
			if len(p) == 0 || p[len(p)-1].kind != anyChars {
				p = append(p, token{kind: anyChars})
			}
		case '?':
			p = append(p, token{kind: anyChar})
		case '[':
			t, n, err := compileClass(chars[i:])
			if err != nil {
				return nil, fmt.Errorf("pattern %q, character %d: %w", text, i+1, err)
			}
			p = append(p, t)
			i += n - 1
		default:
			p = append(p, token{char: chars[i]})
		}
	}
	return p, nil
}

// compileClass reads the class that chars begins with, n characters long.
func compileClass(chars []rune) (t token, n int, err error) {
	t.kind, n = inClass, 1
	if n < len(chars) && (chars[n] == '!' || chars[n] == '^') {
		t.kind = notInClass
		n++
	}
	for first := n; n < len(chars); {
		from := chars[n]
		if from == ']' && n > first {
			return t, n + 1, nil
		}
		to := from
		if n+2 < len(chars) && chars[n+1] == '-' && chars[n+2] != ']' {
			to = chars[n+2]
			n += 2
		}
		if to < from {
			return t, n, fmt.Errorf("the range %c-%c runs backwards: write %c-%c", from, to, to, from)
		}
		t.class = append(t.class, span{from, to})
		n++
	}
	return t, n, fmt.Errorf("the class is not closed: add ']', or write [[] for a bracket")
}

// matches takes time in the order of len(p) × len(s) at most: of several stars only the
// last one reached ever has to give way.
func (p pattern) matches(s string) bool {
	at, star, resume := 0, -1, 0
	for i := 0; i < len(s) || at < len(p); {
		if at < len(p) && p[at].kind == anyChars {
			star, resume = at, i
			at++
			continue
		}
		if at < len(p) && i < len(s) {
			if n := p[at].matchesFirst(s[i:]); n > 0 {
				at, i = at+1, i+n
				continue
			}
		}
		if star < 0 || resume >= len(s) {
			return false
		}
		_, n := decode(s[resume:])
		resume += n
		at, i = star+1, resume
	}
	return true
}

// matchesFirst gives the bytes of the first character of s if t matches it, else 0.
func (t *token) matchesFirst(s string) int {
	char, n := decode(s)
	var matched bool
	switch t.kind {
	case oneChar:
		matched = char == t.char
	case anyChar:
		matched = true
	default:
		for _, span := range t.class {
			matched = matched || span.from <= char && char <= span.to
		}
		matched = matched == (t.kind == inClass)
	}
	if !matched {
		return 0
	}
	return n
}

// decode reads the first character of s. A byte that is not UTF-8 is a character of its
// own (-1) that no pattern can name.
func decode(s string) (rune, int) {
	char, n := utf8.DecodeRuneInString(s)
	if char == utf8.RuneError && n == 1 {
		char = -1
	}
	return char, n
}
