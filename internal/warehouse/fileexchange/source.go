// Package fileexchange is the platform "fileExchange": a warehouse that leaves its reports as CSV files in a directory, local or
// behind SFTP, FTPS or FTP (wire.md, "File exchange warehouse").
package fileexchange

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/csvreport"
)

// AfterImport is what becomes of a file that is recorded.
type AfterImport string

// Archive is the default.
const (
	Archive AfterImport = "ARCHIVE" // it moves to processed/ beside it
	Delete  AfterImport = "DELETE"
)

const (
	defaultFiles = "out/inv_*.csv"
	settle       = 2 * time.Second // between two looks; a file that changes meanwhile is still being written
	processed    = "processed"     // directories beside the reports
	rejected     = "rejected"
)

// Config is how a file exchange is reached, and what its files look like. Sign-in and host key are those of exchange.Config.
type Config struct {
	URL         string            `json:"url"` // file:///dir, or sftp://, ftps:// or ftp://user@host:port/dir
	Username    string            `json:"username,omitempty"`
	Password    string            `json:"password,omitempty"`
	PrivateKey  string            `json:"privateKey,omitempty"`
	Passphrase  string            `json:"passphrase,omitempty"`
	HostKey     string            `json:"hostKey,omitempty"`
	Complete    bool              `json:"complete,omitempty"` // every file names all SKUs of the warehouse
	Columns     csvreport.Columns `json:"columns"`
	AfterImport AfterImport       `json:"afterImport,omitempty"` // "": Archive
	// Files says which files are reports: a directory and a pattern for names in it, as path.Match has them; "": out/inv_*.csv.
	Files string `json:"files,omitempty"`
}

// Options are what the server gives every source.
type Options struct {
	FileRoots []string                                        // --file-root: where file:// may lead; empty: nowhere
	Network   outbound.Policy                                 // for all but file://
	Pin       func(ctx context.Context, hostKey string) error // keeps the host key of an SFTP server met for the first time
	Clock     outbound.Clock                                  // zero: the real one
}

// Source is a warehouse.Source. Each time it has looked and handed out what it found, Next answers io.EOF; the call after that looks
// anew. A name is handed out once.
type Source struct {
	cfg     Config
	opts    Options
	fsys    exchange.FS
	dir     string // of the reports
	pattern string // of their names
	looked  bool
	queue   []fs.FileInfo // oldest first
	taken   map[string]bool
	waiting []string
}

// New checks the setting and dials nobody. Besides the faults of exchange.Open, those of Columns.Validate and INVALID at fields
// "afterImport" and "files" may come.
func New(cfg Config, opts Options) (*Source, error) {
	var faults fault.List
	switch cfg.AfterImport {
	case "", Archive, Delete:
	default:
		faults = append(faults, fault.At("afterImport", fault.Invalid, "%.50q is unknown: choose ARCHIVE or DELETE", cfg.AfterImport))
	}
	files := cmp.Or(cfg.Files, defaultFiles)
	if _, err := path.Match(files, ""); err != nil || !fs.ValidPath(files) || strings.ContainsAny(path.Dir(files), `*?[\`) {
		faults = append(faults, fault.At("files", fault.Invalid, "%.200q is no pattern below the url: write a directory and a pattern for names in it, such as %s", files, defaultFiles))
	}
	fsys, err := exchange.Open(exchange.Config{
		URL: cfg.URL, Username: cfg.Username, Password: cfg.Password, PrivateKey: cfg.PrivateKey, Passphrase: cfg.Passphrase,
		HostKey: cfg.HostKey, Pin: opts.Pin, FileRoots: opts.FileRoots, Network: opts.Network, Retry: outbound.Retry{Clock: opts.Clock},
	})
	for _, err := range []error{cfg.Columns.Validate(), err} {
		var list fault.List
		var one *fault.Error
		switch {
		case errors.As(err, &list):
			faults = append(faults, list...)
		case errors.As(err, &one):
			faults = append(faults, one)
		case err != nil:
			return nil, err
		}
	}
	if err := faults.Or(); err != nil {
		return nil, err
	}
	return &Source{cfg: cfg, opts: opts, fsys: fsys, dir: path.Dir(files), pattern: path.Base(files), taken: map[string]bool{}}, nil
}

// Next answers the oldest report that is whole: by modification time, then name. What is still being written is left for a later look.
func (s *Source) Next(ctx context.Context) (warehouse.Report, error) {
	if !s.looked {
		if err := s.look(ctx); err != nil {
			return nil, fmt.Errorf("look for reports: %w", err)
		}
		s.looked = true
	}
	for len(s.queue) > 0 {
		info := s.queue[0]
		now, err := s.stat(ctx, info.Name())
		gone := errors.Is(err, fs.ErrNotExist)
		if err != nil && !gone {
			return nil, err
		}
		s.queue = s.queue[1:]
		switch {
		case gone: // somebody took it away
		case !same(info, now):
			s.wait(info.Name(), "it has just changed")
		default:
			s.taken[info.Name()] = true
			return &report{source: s, info: info}, nil
		}
	}
	s.looked = false
	return nil, io.EOF
}

// Waiting says which files the last look left for a later one, and why, one sentence each. It holds until the look after.
func (s *Source) Waiting() []string { return s.waiting }

func (s *Source) wait(name, why string) {
	s.waiting = append(s.waiting, fmt.Sprintf("%s waits for the next pull: %s", name, why))
}

// look finds the reports that do not change between two looks.
func (s *Source) look(ctx context.Context) error {
	s.queue, s.waiting = nil, nil
	list := func() (found found, err error) {
		err = s.persist(ctx, func() error {
			found, err = s.find(ctx)
			return err
		})
		return found, err
	}
	first, err := list()
	if err != nil {
		return err
	}
	second := first
	if len(first.twins) < len(first.files) && !s.rested(first.files) {
		if err := s.opts.Clock.Pause(ctx, settle); err != nil {
			return err
		}
		if second, err = list(); err != nil {
			return err
		}
	}
	before := map[string]fs.FileInfo{}
	for _, info := range first.files {
		before[info.Name()] = info
	}
	for _, info := range second.files {
		name := info.Name()
		switch {
		case second.twins[name] != "":
			s.wait(name, second.twins[name]+" stands beside it")
		case before[name] == nil || !same(before[name], info):
			s.wait(name, "it is still being written")
		default:
			s.queue = append(s.queue, info)
		}
	}
	return nil
}

// rested tells that one look is enough: all files are on this machine, whose clock says that nobody has written to them for a while.
func (s *Source) rested(files []fs.FileInfo) bool {
	now := s.opts.Clock.Time()
	return strings.HasPrefix(s.cfg.URL, "file://") && !slices.ContainsFunc(files, func(f fs.FileInfo) bool { return now.Sub(f.ModTime()) < 10*settle })
}

// found is what one look saw.
type found struct {
	files []fs.FileInfo     // the reports not yet taken, oldest first
	twins map[string]string // report → the .part or .tmp file beside it
}

// find looks once. Only regular files count: a link could lead to a file that somebody else moves. A directory that is not there yet
// has none, if the one of the URL is there.
func (s *Source) find(ctx context.Context) (found, error) {
	f := found{twins: map[string]string{}}
	all, err := s.fsys.List(ctx, s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = s.fsys.Stat(ctx, ".")
		return f, err
	}
	if err != nil {
		return f, err
	}
	names := map[string]bool{}
	for _, info := range all {
		names[info.Name()] = true
	}
	for _, info := range all {
		name := info.Name()
		ext := path.Ext(name)
		if ok, err := path.Match(s.pattern, name); err != nil || !ok || !info.Mode().IsRegular() || s.taken[name] || ext == ".part" || ext == ".tmp" || !fs.ValidPath(name) {
			continue
		}
		f.files = append(f.files, info)
		stem := strings.TrimSuffix(name, ext)
		for _, twin := range []string{name + ".part", name + ".tmp", stem + ".part", stem + ".tmp"} {
			if names[twin] {
				f.twins[name] = twin
			}
		}
	}
	slices.SortFunc(f.files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), strings.Compare(a.Name(), b.Name()))
	})
	return f, nil
}

// Test looks once, writes nothing, and does not try again.
func (s *Source) Test(ctx context.Context) (string, error) {
	f, err := s.find(ctx)
	if err != nil {
		return "", err
	}
	words := fmt.Sprintf("%s answered; files that wait as %s/%s: %d", s.cfg.URL, s.dir, s.pattern, len(f.files))
	if len(f.files) > 0 {
		words += ", oldest " + f.files[0].Name()
	}
	if len(f.twins) > 0 {
		words += fmt.Sprintf("; still being written: %d", len(f.twins))
	}
	return words, nil
}

// Close lets go of the connection.
func (s *Source) Close() error { return s.fsys.Close() }

// stat looks again at a report that was found.
func (s *Source) stat(ctx context.Context, name string) (info fs.FileInfo, err error) {
	err = s.persist(ctx, func() error {
		info, err = s.fsys.Stat(ctx, path.Join(s.dir, name))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look at %s again: %w", name, err)
	}
	return info, nil
}

func same(a, b fs.FileInfo) bool { return a.Size() == b.Size() && a.ModTime().Equal(b.ModTime()) }

// persist repeats what a lost connection breaks off (spec section 6); op may be done twice.
func (s *Source) persist(ctx context.Context, op func() error) error {
	return outbound.Retry{Clock: s.opts.Clock}.Do(ctx, func() error {
		err := op()
		if fault.CodeOf(err) == fault.Unreachable {
			err = &outbound.Again{Err: err}
		}
		return err
	})
}
