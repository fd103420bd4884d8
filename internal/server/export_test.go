package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// Exports are for who is signed in, and a stream that breaks is never taken for whole.
func TestExport(t *testing.T) {
	t.Parallel()
	r := start(t, func(c *Config) {
		c.Export = func(ctx context.Context, name string, q url.Values) (*Export, error) {
			viewer, err := access.From(ctx)
			switch {
			case err != nil:
				return nil, err
			case q.Get("m") == "foreign":
				return nil, fault.At("m", fault.NotFound, "no such merchant")
			case q.Get("m") == "wrong":
				return nil, fault.At("m", fault.Invalid, "no such thing")
			case q.Get("m") == "away":
				return nil, errors.New("the database is away")
			}
			return &Export{Name: name, ContentType: "text/csv; charset=utf-8", Write: func(_ context.Context, w io.Writer) error {
				_, err := io.WriteString(w, viewer.Name+"\n")
				if q.Get("m") == "breaks" {
					err = errors.New("it broke")
				}
				return err
			}}, nil
		}
	})
	resp, text := r.do(t, http.MethodGet, "/export/a.csv?m=1", "", signedIn)
	if h := resp.Header; resp.StatusCode != 200 || text != "ada\n" || h.Get("Content-Type") != "text/csv; charset=utf-8" || h.Get("Content-Disposition") != "attachment; filename=a.csv" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%v %q", resp, text)
	}
	for _, tc := range []struct {
		method, path, head string
		status             int
		says               string
	}{
		{"GET", "/export/a.csv", "Accept: */*", 401, "UNAUTHENTICATED"},
		{"GET", "/export/a.csv", "Authorization: Bearer bad", 401, "UNAUTHENTICATED"},
		{"GET", "/export/a.csv?m=foreign", signedIn, 404, "NOT_FOUND"},
		{"GET", "/export/a.csv?m=wrong", signedIn, 400, "INVALID"},
		{"GET", "/export/a.csv?m=away", signedIn, 500, "INTERNAL"},
		{"POST", "/export/a.csv", signedIn, 405, "BAD_REQUEST"},
		{"OPTIONS", "/export/a.csv", "Origin: https://shop.example", 204, ""},
	} {
		if resp, text := r.do(t, tc.method, tc.path, "", tc.head); resp.StatusCode != tc.status || !strings.Contains(text, tc.says) {
			t.Errorf("%s %s: %d %s", tc.method, tc.path, resp.StatusCode, text)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/export/a.csv?m=breaks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer good")
	if resp, err := http.DefaultClient.Do(req); err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil {
			t.Error("a broken stream ends like a whole one")
		}
	}
}
