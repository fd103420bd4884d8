package shopifytest

import (
	"slices"
	"strings"
)

// term is one "sku:value" of a search.
type term struct{ value string }

// searched reads a query of Shopify's search syntax as far as SKUs need it: terms "sku:value" with OR between them, values bare or in
// single or double quotes, a backslash before what is meant as it is.
func searched(query string) (terms []term, fault *problem) {
	bad := func(what string) ([]term, *problem) {
		return nil, problemf("BAD_REQUEST", "invalid search query: %s in %.60q", what, query)
	}
	for rest := query; ; {
		rest = strings.TrimLeft(rest, " \t\n")
		var ok bool
		if rest, ok = strings.CutPrefix(rest, "sku:"); !ok {
			return bad("no sku:")
		}
		var value strings.Builder
		end := ""
		if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
			end, rest = rest[:1], rest[1:]
		}
		closed := end == ""
	text:
		for rest != "" {
			c := rest[0]
			rest = rest[1:]
			switch {
			case c == '\\' && rest != "":
				value.WriteByte(rest[0])
				rest = rest[1:]
			case end != "" && c == end[0]:
				closed = true
				break text
			case end == "" && (c == ' ' || c == ':' || c == '(' || c == ')'):
				if c != ' ' {
					return bad("a special character that is not escaped")
				}
				rest = " " + rest
				break text
			default:
				value.WriteByte(c)
			}
		}
		if !closed {
			return bad("a quote that is not closed")
		}
		terms = append(terms, term{value.String()})
		if rest == "" {
			return terms, nil
		}
		if rest, ok = strings.CutPrefix(rest, " OR "); !ok {
			return bad("no OR")
		}
	}
}

// find is the ids of the items that a search finds, in order: without regard to case, and by a prefix where a value ends in *, as
// Shopify does, so that whoever asks must look again. mu is held.
func (s *Shop) find(terms []term) (ids []int64) {
	for _, t := range terms {
		low := strings.ToLower(t.value)
		ids = append(ids, s.bySKU[low]...)
		if prefix, wild := strings.CutSuffix(low, "*"); wild {
			for sku, list := range s.bySKU {
				if sku != low && strings.HasPrefix(sku, prefix) {
					ids = append(ids, list...)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
