package exchange

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// maxCuts is how often one file is taken up again. Each time brings it on, so a long file over a bad line gets through;
// a server that gives a little at a time does not hold a run for ever.
const maxCuts = 100

// openAt opens a remote file at an offset, and tells what it is now.
type openAt func(ctx context.Context, name string, at int64) (io.ReadCloser, fs.FileInfo, error)

// resuming reads a remote file to its end over as many connections as that takes.
type resuming struct {
	ctx   context.Context
	name  string
	retry outbound.Retry
	open  openAt

	info fs.FileInfo // when the first byte was read
	at   int64       // bytes handed out
	part io.Closer   // nil when there is nothing to close
	r    *bufio.Reader
	cuts int
	err  error // what ended it
}

func openResuming(ctx context.Context, name string, retry outbound.Retry, open openAt) (io.ReadCloser, error) {
	part, info, err := open(ctx, name, 0)
	if err != nil {
		return nil, err
	}
	return &resuming{ctx: ctx, name: name, retry: retry, open: open, info: info, part: part, r: bufio.NewReaderSize(part, 256<<10)}, nil
}

func (f *resuming) Read(p []byte) (int, error) {
	for f.err == nil {
		if err := f.ctx.Err(); err != nil {
			return 0, err
		}
		n, err := f.r.Read(p)
		f.at += int64(n)
		if n > 0 || err == nil {
			return n, nil // the reader comes back with its error
		}
		f.err = f.goOn(err)
	}
	return 0, f.err
}

// goOn opens the file anew where it was cut off. Its error ends the reading; io.EOF is that of a file read to its end.
func (f *resuming) goOn(cut error) error {
	switch {
	case f.atEnd(cut):
		return io.EOF
	case cut == io.EOF:
		cut = fault.New(fault.Unreachable, "read %s: it ended after %d of %d bytes", f.name, f.at, f.info.Size())
	case fault.CodeOf(cut) != fault.Unreachable:
		return cut
	}
	if f.cuts++; f.cuts > maxCuts {
		return cut
	}
	return f.retry.Do(f.ctx, func() error {
		f.letGo()
		part, info, err := f.open(f.ctx, f.name, f.at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return changed(f.name, cut)
		case err != nil:
			return passing(err)
		}
		f.part, f.r = part, bufio.NewReaderSize(part, 256<<10)
		if info.Size() != f.info.Size() || !info.ModTime().Equal(f.info.ModTime()) {
			return changed(f.name, cut)
		}
		// A connection that brings nothing before it is lost again counts as an attempt.
		if _, err = f.r.Peek(1); err == nil || f.atEnd(err) {
			return nil
		}
		if err == io.EOF {
			err = cut
		}
		return passing(err)
	})
}

func (f *resuming) atEnd(err error) bool { return err == io.EOF && f.at >= f.info.Size() }

func changed(name string, cut error) error {
	return fault.Wrap(errors.Join(ErrChanged, cut), fault.Unreachable, "read %s: the connection was lost, and the file was changed before it could be read on", name)
}

// passing marks a lost connection as one to try again.
func passing(err error) error {
	if fault.CodeOf(err) == fault.Unreachable {
		return &outbound.Again{Err: err}
	}
	return err
}

// letGo closes the part that is open. It was given up, so what its server has to say does not matter.
func (f *resuming) letGo() {
	if f.part != nil {
		_ = f.part.Close()
		f.part = nil
	}
}

func (f *resuming) Close() error {
	if f.part == nil {
		return nil
	}
	part := f.part
	f.part = nil
	return part.Close()
}
