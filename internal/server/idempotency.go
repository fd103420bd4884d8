package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"stockbridge/internal/fault"
)

// Headers of requests that are to be made once.
const (
	keyHeader      = "Idempotency-Key"
	replayedHeader = "Idempotency-Replayed" // "true" with an answer that was given before
)

// answer runs a query or mutation. A mutation with an Idempotency-Key is run once: sent again, it has the first answer.
//
// What is remembered is an answer without top-level errors, user errors included: the mutation was carried out, or
// would be refused for the same reasons. With top-level errors (INTERNAL, TIMEOUT, FORBIDDEN …) it is forgotten, and
// the request sent again runs anew. status is for clients that tell GraphQL's answers from others by the media type.
func (s *Server) answer(ctx context.Context, h http.Header, r *http.Request, params *graphql.RawParams, op *graphql.OperationContext) (resp *graphql.Response, status int) {
	keys := r.Header.Values(keyHeader)
	if s.Once == nil || len(keys) == 0 || op.Operation.Operation != ast.Mutation {
		return s.once(ctx, op), http.StatusOK
	}
	if len(keys) > 1 {
		keys = []string{""} // as bad as none
	}
	claim, remembered, err := s.Once.Begin(ctx, keys[0], hashOf(params))
	if err != nil {
		s.exec.release(ctx)
		return s.refuseKey(ctx, h, err)
	}
	if claim == nil {
		h.Set(replayedHeader, "true")
		resp = &graphql.Response{Data: remembered}
		s.exec.settle(ctx, op, resp) // it costs what it did the first time
		return resp, http.StatusOK
	}
	// A client that goes away asks again, and is to find an answer: only the server's end cuts this off.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(s.sockets, cancel)()
	done := false
	defer func() {
		if !done {
			s.end(ctx, claim.Release)
		}
	}()
	resp = s.once(ctx, op)
	if done = len(resp.Errors) == 0 && resp.Data != nil; done {
		s.end(ctx, func(ctx context.Context) error { return claim.Keep(ctx, resp.Data) })
	}
	return resp, http.StatusOK
}

// end ends a claim, whatever became of its request. Where that fails the key is free again by itself in some minutes.
func (s *Server) end(ctx context.Context, how func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeWait)
	defer cancel()
	if err := how(ctx); err != nil {
		s.Log.ErrorContext(ctx, "an idempotency key", "err", err)
	}
}

// refuseKey answers a request that was not run because of its key.
func (s *Server) refuseKey(ctx context.Context, h http.Header, err error) (*graphql.Response, int) {
	status, code, message := http.StatusInternalServerError, internal, "whether this was asked before cannot be looked up now; try again"
	switch c := fault.CodeOf(err); c {
	case fault.KeyInvalid:
		status, code, message = http.StatusBadRequest, c, fault.Message(err)
	case fault.KeyReused:
		status, code, message = http.StatusUnprocessableEntity, c, fault.Message(err)
	case fault.KeyConcurrent:
		h.Set("Retry-After", "1")
		status, code, message = http.StatusConflict, c, fault.Message(err)
	default:
		s.Log.ErrorContext(ctx, "an idempotency key", "err", err)
	}
	return &graphql.Response{Errors: gqlerror.List{fail(code, message)}}, status
}

// hashOf tells requests apart: by document, operation and variables. No variables are an empty object.
func hashOf(params *graphql.RawParams) []byte {
	variables := params.Variables
	if variables == nil {
		variables = map[string]any{}
	}
	text, err := json.Marshal([]any{params.Query, params.OperationName, variables}) // keys are in order
	if err != nil {
		panic(fmt.Errorf("encode a request: %w", err)) // it was JSON
	}
	sum := sha256.Sum256(text)
	return sum[:]
}
