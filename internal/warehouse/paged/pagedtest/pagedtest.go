// Package pagedtest tests adapters of warehouses that are asked page by page: a clock that waits cost nothing, reports in
// short form, and one table of all that a warehouse may do wrong in the middle of a pull.
package pagedtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
)

// Clock goes on by what is slept, and no further.
type Clock struct {
	mu    sync.Mutex // guards what follows
	now   time.Time
	waits []time.Duration
}

// NewClock makes a Clock.
func NewClock() *Clock { return &Clock{now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Waits is what was slept so far, one after the other.
func (c *Clock) Waits() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.waits...)
}

// Options lets a source reach loopback and go by the clock.
func (c *Clock) Options() outbound.Options {
	return outbound.Options{
		Network: outbound.Policy{AllowPrivate: true},
		Retry: outbound.Retry{Jitter: func() float64 { return 0 }, Clock: outbound.Clock{
			Now: c.Now,
			Sleep: func(ctx context.Context, d time.Duration) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.waits, c.now = append(c.waits, d), c.now.Add(d)
				return ctx.Err()
			},
		}},
	}
}

// Open makes a warehouse by its package's New, and closes it after the test.
func Open[C any, S warehouse.Source](tb testing.TB, make func(C, outbound.Options) (S, error), cfg C, opts outbound.Options) S {
	tb.Helper()
	s, err := make(cfg, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Pull reads one report, each row as "line SKU@facility/available/on hand/committed note", ? for a figure that is unknown.
// After it the source must have no other.
func Pull(ctx context.Context, t testing.TB, s warehouse.Source) (rows []string, complete bool, err error) {
	t.Helper()
	r, err := s.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Read(ctx, func(l warehouse.Level, e *warehouse.RowError) error {
		rows = append(rows, Row(l, e))
		return nil
	})
	if _, end := s.Next(ctx); !errors.Is(end, io.EOF) {
		t.Errorf("after the report: %v", end)
	}
	return rows, r.Complete(), err
}

// Row is a row in short form.
func Row(l warehouse.Level, e *warehouse.RowError) string {
	if e != nil {
		return e.Error()
	}
	row := fmt.Sprintf("%d %s@%s", l.Line, l.SKU, l.Facility)
	for _, q := range []warehouse.Quantity{l.Available, l.OnHand, l.Committed} {
		if row += "/?"; q.Known {
			row = fmt.Sprintf("%s%d", strings.TrimSuffix(row, "?"), q.Units)
		}
	}
	if l.Note != "" {
		row += " " + l.Note
	}
	return row
}
