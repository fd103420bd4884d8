// Package fileexchange hands levels to a store as CSV files in a directory, local or
// behind SFTP, FTPS or FTP (wire.md, "File exchange store").
package fileexchange

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	maxBatch = 50_000 // levels in a file
	dir      = "in"   // below the URL
)

// Store is a connected file exchange store.
type Store struct {
	url   string
	retry outbound.Retry

	mu   sync.Mutex // guards fsys, which takes one operation at a time, and last
	fsys exchange.FS
	last time.Time // in the name of the last file
}

var _ channel.Sink = (*Store)(nil)

// New checks the configuration, with the faults of exchange.Open, and dials nothing. The clock of retry names the files too.
func New(cfg exchange.Config, retry outbound.Retry) (*Store, error) {
	fsys, err := exchange.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Store{url: cfg.URL, retry: retry, fsys: fsys}, nil
}

// Capabilities are 50,000 levels in a file, and one file at a time.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: maxBatch, Concurrency: 1}
}

// Close lets go of the connection.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fsys.Close()
}

// Push writes one file, in/inv_<run>_<UTC time>.csv, which appears whole or not at all. Levels are acknowledged once it is
// there; what the store makes of it is not told. Every error means that no file can be written now, and carries a
// code of exchange.FS.
func (s *Store) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if len(batch.Levels) == 0 {
		return nil, ctx.Err()
	}
	file, err := encode(batch.Levels)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.name(batch.Run)
	began := false // whether an attempt may have left the file there
	err = s.retry.Do(ctx, func() error {
		if err := s.fsys.MkdirAll(ctx, dir); err != nil {
			return again(err)
		}
		err := s.fsys.WriteFile(ctx, name, bytes.NewReader(file))
		for ; errors.Is(err, fs.ErrExist) && !began; err = s.fsys.WriteFile(ctx, name, bytes.NewReader(file)) {
			name = s.name(batch.Run) // another's
		}
		if errors.Is(err, fs.ErrExist) {
			return nil // ours: only the answer to an earlier attempt was lost
		}
		began = began || err != nil && fault.CodeOf(err) != fault.PathRefused
		return again(err)
	})
	all := channel.Outcome{Verdict: channel.Acknowledged}
	if err != nil {
		all = channel.Outcome{Verdict: channel.Unsent, Code: string(fault.CodeOf(err)), Message: outbound.Excerpt([]byte(fault.Message(err)))}
		switch {
		case began:
			all.Verdict = channel.Unknown
		case fault.CodeOf(err) == fault.PathRefused:
			all.Verdict = channel.Refused
		}
	}
	return slices.Repeat([]channel.Outcome{all}, len(batch.Levels)), err
}

// again marks the failures that may pass.
func again(err error) error {
	if fault.CodeOf(err) == fault.Unreachable {
		return &outbound.Again{Err: err}
	}
	return err
}

// name makes the name of the next file. No two files of a Store have the same time, so that they sort in the order written.
func (s *Store) name(run string) string {
	t := s.retry.Clock.Time().UTC().Truncate(time.Millisecond)
	if !t.After(s.last) {
		t = s.last.Add(time.Millisecond)
	}
	s.last = t
	run = strings.Map(func(c rune) rune {
		if c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return '-'
	}, run)
	return dir + "/inv_" + run + "_" + t.Format("20060102T150405.000Z") + ".csv"
}

// encode makes the file of wire.md. SKUs are written as they are, also those that a spreadsheet would take for a
// formula: the store must know them again. Lines end in LF, because a writer that ends them in CRLF rewrites line breaks inside fields too.
func encode(levels []channel.Level) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	err := w.Write([]string{"sku", "location", "quantity"})
	for _, l := range levels {
		err = errors.Join(err, w.Write([]string{l.SKU, l.Location, strconv.FormatInt(l.Quantity, 10)}))
	}
	w.Flush()
	if err = errors.Join(err, w.Error()); err != nil {
		return nil, fmt.Errorf("write CSV: %w", err)
	}
	return b.Bytes(), nil
}

// Test looks into the directory where files go, and tells what is there and how long it took.
func (s *Store) Test(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	start := s.retry.Clock.Time()
	list, err := s.fsys.List(ctx, dir)
	holds := fmt.Sprintf("%s/ holds %d files", dir, len(list))
	if errors.Is(err, fs.ErrNotExist) {
		_, err = s.fsys.Stat(ctx, ".")
		holds = dir + "/ is not there yet and will be made by the first push"
	}
	if err != nil {
		return "", fmt.Errorf("test: %w", err)
	}
	return fmt.Sprintf("%s answered in %s; %s", s.url, s.retry.Clock.Time().Sub(start).Round(time.Millisecond), holds), nil
}
