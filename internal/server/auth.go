package server

import (
	"context"
	"net/http"
	"strings"

	"stockbridge/internal/fault"
)

// bearer reads the value of an Authorization header or connection_init entry.
func bearer(header string) (secret string, ok bool) {
	scheme, secret, ok := strings.Cut(strings.TrimSpace(header), " ")
	secret = strings.TrimSpace(secret)
	return secret, ok && strings.EqualFold(scheme, "Bearer") && secret != ""
}

// signIn finds the viewer and notes the name for the log.
func (s *Server) signIn(ctx context.Context, secret string) (context.Context, error) {
	ctx, name, err := s.Authenticate(ctx, secret)
	if err != nil {
		return nil, err
	}
	requestOf(ctx).viewer = name
	return ctx, nil
}

// refuseSignIn tells a bad secret from a server that cannot look it up now.
func (s *Server) refuseSignIn(w http.ResponseWriter, r *http.Request, err error) {
	if fault.CodeOf(err) == unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		refuse(w, http.StatusUnauthorized, unauthenticated, fault.Message(err))
		return
	}
	if r.Context().Err() == nil {
		s.Log.ErrorContext(r.Context(), "sign in", "err", err)
	}
	refuse(w, http.StatusServiceUnavailable, internal, "the token cannot be looked up now; try again")
}
