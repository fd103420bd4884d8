package server

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
)

// Bounds of uploads.
const (
	maxFiles   = 10
	uploadWait = 5 * time.Minute // for a request with files
)

// uploads are the files of one request. They have no name on disk, so nothing is left of them after close, or a crash.
type uploads []*os.File

func (u uploads) close() {
	for _, f := range u {
		_ = f.Close() // it was read, if at all
	}
}

// multipart reads a request with files: the document in the part "operations", then in "map" which files stand for which
// variables, then the files (https://github.com/jaydenseric/graphql-multipart-request-spec).
func (s *Server) multipart(w http.ResponseWriter, r *http.Request, boundary string, raw *document, files *uploads) *malformed {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(uploadWait)) // not every connection has deadlines, in tests
	_ = control.SetWriteDeadline(time.Now().Add(uploadWait + s.MaxTime + writeWait))
	parts := multipart.NewReader(http.MaxBytesReader(w, r.Body, s.MaxUpload), boundary)
	err := s.readParts(parts, raw, files)
	var large *http.MaxBytesError
	var bad malformedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return &malformed{http.StatusRequestEntityTooLarge, tooLarge, fmt.Sprintf("the request is larger than %d bytes; send the file in parts", s.MaxUpload)}
	case errors.As(err, &bad):
		return &malformed{http.StatusBadRequest, badRequest, string(bad)}
	}
	var path *os.PathError
	if errors.As(err, &path) {
		s.Log.ErrorContext(r.Context(), "keep an upload", "err", err)
		return &malformed{http.StatusInternalServerError, internal, "the file cannot be kept; the server's log says more"}
	}
	return &malformed{http.StatusBadRequest, badRequest, "the body is no multipart/form-data, or was cut short"}
}

// malformedError is what a client has to mend.
type malformedError string

func (e malformedError) Error() string { return string(e) }

func (s *Server) readParts(parts *multipart.Reader, raw *document, files *uploads) error {
	if err := s.field(parts, "operations", raw); err != nil {
		return err
	}
	var places map[string][]string
	if err := s.field(parts, "map", &places); err != nil {
		return err
	}
	if len(places) > maxFiles {
		return malformedError(fmt.Sprintf("map names more than %d files: send fewer at once", maxFiles))
	}
	for len(places) > 0 {
		part, err := parts.NextPart()
		if err == io.EOF {
			return malformedError("a file that map names is missing")
		}
		if err != nil {
			return err
		}
		paths, ok := places[part.FormName()]
		if !ok {
			return malformedError("there is a part that map does not name, or names no more")
		}
		delete(places, part.FormName())
		upload, err := keep(part, files)
		if err != nil {
			return err
		}
		for _, path := range paths {
			if !place(raw.Variables, path, upload) {
				return malformedError(`map names a variable that is not there, or is not null: write "variables.input.file", and null in its place`)
			}
		}
	}
	switch _, err := parts.NextPart(); err {
	case io.EOF:
		return nil
	case nil:
		return malformedError("there is a part that map does not name, or names no more")
	default:
		return err
	}
}

// field reads the next part, which must have this name and be JSON.
func (s *Server) field(parts *multipart.Reader, name string, into any) error {
	part, err := parts.NextPart()
	if err != nil && err != io.EOF {
		return err
	}
	if err == io.EOF || part.FormName() != name {
		return malformedError("the parts are, in this order: operations, map, and the files")
	}
	text, err := io.ReadAll(io.LimitReader(part, s.MaxBody+1))
	switch {
	case err != nil:
		return err
	case int64(len(text)) > s.MaxBody:
		return malformedError(fmt.Sprintf("the part %s is larger than %d bytes", name, s.MaxBody))
	case decode(strings.NewReader(string(text)), into) != nil:
		return malformedError(fmt.Sprintf("the part %s is not one JSON object of the right form", name))
	}
	return nil
}

// keep copies a file to disk.
func keep(part *multipart.Part, files *uploads) (graphql.Upload, error) {
	f, err := os.CreateTemp("", "stockbridge-*")
	if err != nil {
		return graphql.Upload{}, err
	}
	*files = append(*files, f)
	if err := os.Remove(f.Name()); err != nil {
		return graphql.Upload{}, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(f, sum), part)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return graphql.Upload{File: kept{f, sum.Sum(nil)}, Filename: part.FileName(), Size: size, ContentType: part.Header.Get("Content-Type")}, err
}

// kept is a file that is told apart from others by what it holds (hashOf).
type kept struct {
	*os.File
	sum []byte
}

// MarshalJSON writes the sum of the content.
func (k kept) MarshalJSON() ([]byte, error) { return json.Marshal(k.sum) }

// place puts a file where variables have null.
func place(variables map[string]any, path string, upload graphql.Upload) bool {
	keys := strings.Split(path, ".")
	if len(keys) < 2 || keys[0] != "variables" {
		return false
	}
	var at any = variables
	for _, key := range keys[1 : len(keys)-1] {
		switch in := at.(type) {
		case map[string]any:
			at = in[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(in) {
				return false
			}
			at = in[i]
		default:
			return false
		}
	}
	last := keys[len(keys)-1]
	switch in := at.(type) {
	case map[string]any:
		if was, ok := in[last]; !ok || was != nil {
			return false
		}
		in[last] = upload
		return true
	case []any:
		i, err := strconv.Atoi(last)
		if err != nil || i < 0 || i >= len(in) || in[i] != nil {
			return false
		}
		in[i] = upload
		return true
	}
	return false
}
