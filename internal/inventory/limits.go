package inventory

import "strings"

// limits decide which SKUs a store receives (spec 4.5). Exact SKUs are looked up, so
// that a list of thousands of them costs no more than one.
type limits struct {
	exact  map[string]limit
	wild   []wildLimit // in the order of the list
	listed bool        // only listed SKUs where nothing matches
	list   []Limit
}

type limit struct {
	position int
	send     bool
}

type wildLimit struct {
	limit
	pattern pattern
}

func compileLimits(s Store) limits {
	l := limits{exact: map[string]limit{}, listed: s.Scope == ListedSKUs, list: s.Limits}
	for i, x := range s.Limits {
		this := limit{position: i, send: x.Action == Send}
		p, err := compilePattern(x.Pattern)
		_, earlier := l.exact[x.Pattern]
		switch {
		case err != nil || earlier:
		case strings.ContainsAny(x.Pattern, "*?["):
			l.wild = append(l.wild, wildLimit{this, p})
		default:
			l.exact[x.Pattern] = this
		}
	}
	return l
}

// allow tells whether the store is to receive a SKU that is listed on it or is not.
func (l *limits) allow(sku string, listed bool) bool {
	if decides, found := l.decide(sku); found {
		return decides.send
	}
	return listed || !l.listed
}

// decide gives the first limit that matches a SKU, if one does.
func (l *limits) decide(sku string) (limit, bool) {
	exact, found := l.exact[sku]
	for _, w := range l.wild {
		if found && exact.position < w.position {
			break
		}
		if w.pattern.matches(sku) {
			return w.limit, true
		}
	}
	return exact, found
}
