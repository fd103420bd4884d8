package server

import (
	"bytes"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// spent is what an answer came to: the weights of checkCost, for the objects that are there. It reads the answer's bytes
// once, with the document beside, and decodes nothing. Where a platform was asked and failed is an error, and no trace in the
// data of how often: then it is enough.
func spent(op *graphql.OperationContext, data []byte, failed bool) int64 {
	var root places
	if asks := root.gather(op.Operation.SelectionSet); asks && failed {
		return enough
	}
	r := reading{text: data}
	r.value(&root)
	return max(1, r.cost)
}

// places is what the document asks for at one place of the answer.
type places struct {
	each  int64 // what an object here costs
	below []below
}

type below struct {
	key string // in the answer
	*places
}

// gather adds what a selection asks for, and tells whether it asks a platform. Fields are bounded with fragments expanded, so
// this is bounded too.
func (p *places) gather(set ast.SelectionSet) (asks bool) {
	for _, selection := range set {
		switch s := selection.(type) {
		case *ast.Field:
			k := kindOf(s)
			if !k.descends {
				p.each += k.once
				continue
			}
			to := p.at(s.Alias)
			if to == nil {
				to = &places{each: k.each}
				p.each, p.below = p.each+k.once, append(p.below, below{s.Alias, to})
			}
			asks = to.gather(s.SelectionSet) || k.asks || asks
		case *ast.InlineFragment:
			asks = p.gather(s.SelectionSet) || asks
		case *ast.FragmentSpread:
			if s.Definition != nil {
				asks = p.gather(s.Definition.SelectionSet) || asks
			}
		}
	}
	return asks
}

// at is nil where nothing below costs: for scalars, and for what only looks like an object.
func (p *places) at(key string) *places {
	if p == nil {
		return nil
	}
	for _, b := range p.below {
		if b.key == key {
			return b.places
		}
	}
	return nil
}

// reading goes through JSON that the executor wrote. It would end early in what is none.
type reading struct {
	text []byte
	at   int
	cost int64
}

// next is the next byte that is no white space, 0 at the end.
func (r *reading) next() byte {
	for ; r.at < len(r.text); r.at++ {
		if c := r.text[r.at]; c > ' ' {
			return c
		}
	}
	return 0
}

func (r *reading) value(p *places) {
	switch r.next() {
	case '{':
		if p != nil {
			r.cost += p.each
		}
		r.all('}', func() {
			key := r.string()
			if r.next() == ':' {
				r.at++
			}
			var in *places
			if c := r.next(); c == '{' || c == '[' {
				in = p.at(string(key))
			}
			r.value(in)
		})
	case '[':
		r.all(']', func() { r.value(p) })
	case '"':
		r.string()
	default:
		if n := bytes.IndexAny(r.text[r.at:], ",]} \n\t\r"); n >= 0 {
			r.at += n
		} else {
			r.at = len(r.text)
		}
	}
}

// all reads what is between brackets, of which the first is next.
func (r *reading) all(end byte, one func()) {
	for r.at++; ; r.at++ {
		c := r.next()
		if c == end {
			r.at++
			return
		}
		if c == 0 {
			return
		}
		one()
		if c := r.next(); c == end {
			r.at++
			return
		} else if c != ',' {
			r.at = len(r.text) // no JSON
			return
		}
	}
}

// string reads a text, as it is written.
func (r *reading) string() []byte {
	from := r.at + 1
	for at := from; at < len(r.text); at++ {
		n := bytes.IndexByte(r.text[at:], '"')
		if n < 0 {
			break
		}
		at += n
		slashes := 0
		for at-1-slashes >= from && r.text[at-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			r.at = at + 1
			return r.text[from:at]
		}
	}
	r.at = len(r.text)
	return nil
}
