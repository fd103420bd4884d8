//go:build unix

package server

import (
	"errors"
	"syscall"
)

const triesWrites = true

// try writes what the connection takes at once, which may be nothing.
func (w *wire) try(b []byte) (n int, err error) {
	if w.raw == nil {
		return 0, nil
	}
	rerr := w.raw.Write(func(fd uintptr) bool {
		for {
			n, err = syscall.Write(int(fd), b)
			if !errors.Is(err, syscall.EINTR) {
				return true
			}
		}
	})
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	return max(n, 0), errors.Join(rerr, err)
}
