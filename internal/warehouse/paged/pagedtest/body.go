package pagedtest

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// keep reads a request's body to its end, so that the server notices when the client hangs up, and gives it back whole.
func keep(r *http.Request) io.ReadCloser { return io.NopCloser(strings.NewReader(Body(r))) }

// Body is the text of a request's body, which stays to be read.
func Body(r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		text = []byte("(" + err.Error() + ")")
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return string(text)
}
