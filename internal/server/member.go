package server

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/graph"
	"stockbridge/internal/access"
)

// shared is one response, encoded once for all who get it.
type shared struct {
	at     int64  // its position; in a State, its number
	cursor string // to go on after it; "" is none
	text   []byte // and the brace that closes a message of graphql-transport-ws around it
	end    bool   // there is nothing after the one before this
}

// json is the response alone.
func (m *shared) json() []byte { return m.text[:len(m.text)-1] }

// outlet is where a member's messages go. Its methods do not wait, and are called one at a time.
type outlet interface {
	offer(*shared) bool // false: there is no room
	flush()             // sends what was offered
	lag()               // the member was put out of its group, for it had no room
	end()               // nothing more comes
}

// member is one client's subscription, in a group or on its way there.
type member struct {
	outlet
	key     groupKey
	sharing graph.Sharing
	viewer  *access.Viewer
	op      *graphql.OperationContext

	// Guarded by groups.mu.
	at     *int64 // all up to this position was offered; nil before it is known
	cursor string // for at; "" where there is none
	joined string // cursor when it joined: nothing after it was offered before
	group  *group // nil while it is in none
}

// memberOf is a client's subscription, on its way to a group.
func (s *Server) memberOf(ctx context.Context, op *graphql.OperationContext) *member {
	viewer, err := access.From(ctx)
	if err != nil {
		panic(err) // signed in
	}
	return &member{key: keyOf(viewer, op), sharing: s.Schema.Sharing(rootField(op).Name), viewer: viewer, op: op}
}

// give offers a message unless the member has it. False when there is no room.
func (m *member) give(msg *shared) bool {
	if msg.end {
		m.outlet.end()
		return true
	}
	if m.at != nil && msg.at <= *m.at {
		return true
	}
	if !m.offer(msg) {
		return false
	}
	if m.at != nil {
		*m.at = msg.at
		m.cursor = msg.cursor
	}
	return true
}
