//go:build unix

package server

import (
	"errors"
	"syscall"
)

const triesWrites = true

// attempt is one write that does not wait. It is kept, for a closure for each write would be garbage for each delivery.
type attempt struct {
	f   func(fd uintptr) bool
	buf []byte
	n   int
	err error
}

// try writes what the connection takes at once, which may be nothing. Only the one that made the wire busy calls it.
func (w *wire) try(b []byte) (int, error) {
	if w.raw == nil {
		return 0, nil
	}
	a := &w.attempt
	if a.f == nil {
		a.f = func(fd uintptr) bool {
			for {
				a.n, a.err = syscall.Write(int(fd), a.buf)
				if !errors.Is(a.err, syscall.EINTR) {
					return true
				}
			}
		}
	}
	a.buf = b
	err := w.raw.Write(a.f)
	a.buf = nil
	switch {
	case err != nil:
		return 0, err
	case errors.Is(a.err, syscall.EAGAIN):
		return 0, nil
	case a.err != nil:
		return 0, a.err
	}
	return a.n, nil
}
