package server

import (
	"compress/gzip"
	"fmt"
	"mime"
	"net/http"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/gzhttp"
)

// worthCompressing is how many bytes of an answer make up for the work. Shorter ones fit a packet anyway.
const worthCompressing = 1 << 10

// compressed answers in gzip where the client takes it and it is worth it. Events are sent as they come: a compressor
// would hold them back, and keep memory for every stream.
func compressed(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.EnableZstd(false), gzhttp.MinSize(worthCompressing), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.SetContentType(false),
		gzhttp.ContentTypeFilter(func(contentType string) bool {
			media, _, _ := mime.ParseMediaType(contentType)
			return media != eventStream && gzhttp.DefaultContentTypeFilter(contentType)
		}))
	if err != nil {
		panic(fmt.Errorf("compress answers: %w", err)) // the options are fixed
	}
	compressing := wrap(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if websocket.IsWebSocketUpgrade(r) { // a socket would keep a compressor as long as it lives
			next.ServeHTTP(w, r)
			return
		}
		compressing(w, r)
	})
}
