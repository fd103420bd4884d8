package server

import (
	"context"
	"net/http"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// signIn finds the viewer an Authorization header or connection_init entry stands for, puts it into the context and its
// name into the log. It returns the secret too, to look again later whether it still stands.
func (s *Server) signIn(ctx context.Context, authorization []string) (_ context.Context, secret string, _ error) {
	secret, err := access.Bearer(authorization)
	if err != nil {
		return nil, "", err
	}
	viewer, err := s.Authenticate(ctx, secret)
	if err != nil {
		return nil, "", err
	}
	requestOf(ctx).viewer = viewer.Name
	return access.With(ctx, viewer), secret, nil
}

// refuseSignIn tells a bad secret from a server that cannot look it up now.
func (s *Server) refuseSignIn(w http.ResponseWriter, r *http.Request, err error) {
	if fault.CodeOf(err) == fault.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, fault.Unauthenticated, fault.Message(err))
		return
	}
	if r.Context().Err() == nil {
		s.Log.ErrorContext(r.Context(), "sign in", "err", err)
	}
	refuse(w, http.StatusServiceUnavailable, internal, "the token cannot be looked up now; try again")
}
