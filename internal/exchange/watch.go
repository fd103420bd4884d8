package exchange

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"stockbridge/internal/fault"
)

// watch closes a connection when the context ends or nothing moves for too long: SFTP and FTP calls wait for ever by themselves.
type watch struct {
	timer   *time.Timer
	timeout time.Duration
	unhook  func() bool

	mu    sync.Mutex // guards what follows, and lets end wait for a closing that is under way
	ended bool
	late  bool // it was the time-out that closed the connection
}

func startWatch(ctx context.Context, timeout time.Duration, closeConn func()) *watch {
	w := &watch{timeout: timeout}
	finish := func(late bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.ended {
			w.late = w.late || late
			closeConn()
		}
	}
	w.unhook = context.AfterFunc(ctx, func() { finish(false) })
	w.timer = time.AfterFunc(timeout, func() { finish(true) })
	return w
}

func (w *watch) moved() { w.timer.Reset(w.timeout) }

// end tells whether the time-out closed the connection. After it, nothing does.
func (w *watch) end() (late bool) {
	w.timer.Stop()
	w.unhook()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	return w.late
}

// unreachable tells why no connection came about.
func unreachable(ctx context.Context, addr string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case fault.CodeOf(err) != "": // the address is refused
		return fmt.Errorf("dial %s: %w", addr, err)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fault.Wrap(err, fault.Unreachable, "%s did not answer in time; check that it is up and lets this server in", addr)
	}
	return fault.Wrap(err, fault.Unreachable, "%s cannot be reached (%v); check host and port", addr, err)
}
