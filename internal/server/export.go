package server

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// Export is a file to be streamed.
type Export struct {
	Name        string // to call it
	ContentType string
	Write       func(context.Context, io.Writer) error
}

// OpenExport finds the export that a viewer asks for by its name and query. Faults: NOT_FOUND and INVALID.
type OpenExport func(ctx context.Context, name string, query url.Values) (*Export, error)

// export serves GET /export/{name}. A stream that cannot be finished is broken off, so that no client takes it for whole.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	if s.crossOrigin(w, r, "GET") {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	leave, ok := s.enter()
	if !ok {
		refuse(w, http.StatusServiceUnavailable, internal, "the server is stopping; try again")
		return
	}
	defer leave()
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET, OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, badRequest, "use GET")
		return
	}
	ctx, _, err := s.signIn(r.Context(), r.Header.Values("Authorization"))
	if err != nil {
		s.refuseSignIn(w, r, err)
		return
	}
	if v, err := access.From(ctx); err == nil && documentsAlone(w, v) {
		return
	}
	file, err := s.Export(ctx, r.PathValue("name"), r.URL.Query())
	if err != nil {
		s.refuseExport(w, r, err)
		return
	}
	w.Header().Set("Content-Type", file.ContentType)
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.sockets, cancel)() // the client had its time
	if err := file.Write(ctx, patient{w}); err != nil {
		if r.Context().Err() == nil {
			s.Log.ErrorContext(ctx, "export", "err", err)
		}
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) refuseExport(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault.Error
	switch {
	case !errors.As(err, &f):
		if r.Context().Err() == nil {
			s.Log.ErrorContext(r.Context(), "export", "err", err)
		}
		refuse(w, http.StatusInternalServerError, internal, "internal error; the server's log says more")
	case f.Code == fault.NotFound:
		refuse(w, http.StatusNotFound, f.Code, f.Message)
	default:
		refuse(w, http.StatusBadRequest, f.Code, f.Message)
	}
}

// patient gives the client time for each write, and not for all of a file together.
type patient struct{ http.ResponseWriter }

func (p patient) Write(b []byte) (int, error) {
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(writeWait)) // not every connection has one, in tests
	return p.ResponseWriter.Write(b)
}
