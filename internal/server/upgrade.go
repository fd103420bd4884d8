package server

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"stockbridge/internal/access"
	"stockbridge/internal/fault"
)

// hijacking hands a connection over as a wire.
type hijacking struct {
	http.ResponseWriter
	buffers *sync.Pool
	wire    *wire
}

func (h *hijacking) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.wire = newWire(conn, h.buffers)
	return h.wire, rw, nil
}

// socket upgrades a request. What serves it afterwards holds nothing of the request, whose buffers are of no more use.
func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	if !s.originAllowed(r) {
		refuse(w, http.StatusForbidden, fault.Forbidden, "pages of another origin may not open sockets here, except those of --allow-origin")
		return
	}
	rec := &request{}
	ctx, secret := context.WithValue(s.sockets, requestKey{}, rec), ""
	if header := r.Header.Values("Authorization"); len(header) > 0 {
		signed, found, err := s.signIn(r.Context(), header)
		if err != nil {
			s.refuseSignIn(w, r, err)
			return
		}
		if v, err := access.From(signed); err == nil {
			ctx, secret, rec.viewer = access.With(ctx, v), found, v.Name
		}
	}
	up := websocket.Upgrader{
		Subprotocols: []string{subprotocol}, HandshakeTimeout: headerWait, ReadBufferSize: readBuffer, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{},
		CheckOrigin: func(*http.Request) bool { return true }, // done
		Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
			w.Header().Set("Sec-WebSocket-Version", "13") // RFC 6455, 4.2.2
			refuse(w, status, badRequest, reason.Error())
		},
	}
	leave, ok := s.enter()
	if !ok {
		refuse(w, http.StatusServiceUnavailable, internal, "the server is stopping; try again")
		return
	}
	taking := &hijacking{ResponseWriter: w, buffers: &s.buffers}
	conn, err := up.Upgrade(taking, r, nil)
	if err != nil { // answered
		leave()
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &socket{Server: s, conn: conn, wire: taking.wire, ctx: ctx, cancel: cancel, secret: secret, leave: func() {}, begun: time.Now(), running: make(map[string]*operation)}
	go func() {
		defer leave()
		c.serve()
	}()
}
