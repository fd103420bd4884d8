package server

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"
)

// scripted is a connection that takes what it is sent, and tells the test of it. Its other methods are not called.
type scripted struct {
	net.Conn
	deadline func(time.Time) // called by SetWriteDeadline
	write    func([]byte)    // called by Write
	try      func()          // called by a write that does not wait, and takes nothing
}

func (s *scripted) SyscallConn() (syscall.RawConn, error) {
	if s.try == nil {
		return nil, errors.ErrUnsupported
	}
	return scriptedTry{s}, nil
}

type scriptedTry struct{ *scripted }

func (s scriptedTry) Write(func(uintptr) bool) error { s.try(); return nil }

func (s scriptedTry) Control(func(uintptr)) error { return nil }

func (s scriptedTry) Read(func(uintptr) bool) error { return nil }

func (s *scripted) SetWriteDeadline(t time.Time) error { s.deadline(t); return nil }

func (s *scripted) Write(b []byte) (int, error) { s.write(b); return len(b), nil }

func (s *scripted) Close() error { return nil }

// No write waits for a client for ever: a writer that is done does not take away the deadline of the next.
func TestEveryWriteHasItsDeadline(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex // guards until
	var until time.Time
	set := func(at time.Time) {
		mu.Lock()
		defer mu.Unlock()
		until = at
	}
	var w *wire
	writes, raced := 0, false
	writing, cleared := make(chan struct{}), make(chan struct{})
	send := func(text string) {
		if err := w.put(t.Context(), textFrame([]byte(text))); err != nil {
			t.Error(err)
		}
	}
	w = newWire(&scripted{
		deadline: func(at time.Time) {
			if at.IsZero() && writes == 1 && w.mu.TryLock() { // another may write while this one is about to clear the deadline
				w.mu.Unlock()
				raced = true
				send("second")
				<-writing
				defer close(cleared)
			}
			set(at)
		},
		write: func([]byte) {
			if writes++; writes == 2 && raced {
				close(writing)
				<-cleared
			}
			mu.Lock()
			defer mu.Unlock()
			if until.IsZero() {
				t.Errorf("write %d may wait for ever", writes)
			}
		},
	}, &sync.Pool{})
	send("first")
	w.writing.Wait()
	if !raced {
		send("second")
		w.writing.Wait()
	}
	if writes != 2 || !until.IsZero() {
		t.Errorf("%d writes, and the last leaves the deadline %v", writes, until)
	}
}

// Whoever closes a wire waits for its writers: none begins afterwards, not even for what was only half sent.
func TestNothingIsWrittenAfterClose(t *testing.T) {
	t.Parallel()
	var w *wire
	w = newWire(&scripted{
		deadline: func(time.Time) {},
		write:    func(b []byte) { t.Errorf("%q is written after Close", b) },
		try: func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		},
	}, &sync.Pool{})
	_ = w.put(t.Context(), textFrame([]byte("late"))) // whether it is noticed here does not matter
	w.writing.Wait()
}
