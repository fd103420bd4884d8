package fileexchange

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"stockbridge/internal/exchange"
	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/csvreport"
)

// report is one file, as it was when the source offered it. A file that is not the same any more is never moved or deleted: it is
// a new report, and comes at the next pull.
type report struct {
	source *Source
	info   fs.FileInfo
}

func (r *report) Name() string { return r.info.Name() }

func (r *report) Stamp() string {
	return fmt.Sprintf("%d bytes of %s", r.info.Size(), r.info.ModTime().UTC().Format(time.RFC3339Nano))
}

func (r *report) path() string { return path.Join(r.source.dir, r.Name()) }

// Read streams the rows; a remote file that is cut off is read on if it is still the same. Besides BAD_REPORT its errors are those of reaching the file.
func (r *report) Read(ctx context.Context, yield func(warehouse.Level, *warehouse.RowError) error) error {
	file, err := r.source.fsys.Open(ctx, r.path())
	if errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(err, fault.BadReport, "%s was taken away before it could be read", r.Name())
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", r.Name(), err)
	}
	counted := &counter{r: file}
	refused := false
	err = csvreport.Read(ctx, counted, r.source.cfg.Columns, func(l warehouse.Level, e *warehouse.RowError) error {
		err := yield(l, e)
		refused = err != nil
		return err
	})
	closeErr := file.Close()
	switch {
	case refused:
		return err
	case err != nil && fault.CodeOf(err) != fault.BadReport && !errors.Is(err, exchange.ErrChanged):
		return fmt.Errorf("read %s: %w", r.Name(), err)
	}
	// What was wrong with a file that is still being written says nothing about the file.
	now, statErr := r.source.stat(ctx, r.Name())
	switch {
	case statErr != nil && !errors.Is(statErr, fs.ErrNotExist):
		return statErr
	case statErr != nil || !same(r.info, now) || errors.Is(err, exchange.ErrChanged):
		return fault.New(fault.BadReport, "%s changed while it was read: it is read again at the next pull; write reports under another name first, then rename them", r.Name())
	case err != nil:
		return fault.Wrap(err, fault.BadReport, "%s: %s", r.Name(), fault.Message(err))
	case counted.n != r.info.Size():
		return fault.New(fault.BadReport, "%s was cut short: %d of %d bytes came; it is read again at the next pull", r.Name(), counted.n, r.info.Size())
	case closeErr != nil:
		return fmt.Errorf("close %s: %w", r.Name(), closeErr)
	}
	return nil
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (r *report) Complete() bool { return r.source.cfg.Complete }

// Accept archives or deletes the file, and takes back the note that an earlier file of its name failed. A file that is gone is
// archived already.
func (r *report) Accept(ctx context.Context) error {
	err := r.source.persist(ctx, func() error {
		there, err := r.unchanged(ctx)
		switch {
		case err != nil:
			return err
		case there && r.source.cfg.AfterImport == Delete:
			err = r.source.fsys.Remove(ctx, r.path())
		case there:
			_, err = r.move(ctx, processed)
		}
		if err != nil {
			return err
		}
		return r.takeNoteBack(ctx)
	})
	if err != nil {
		return fmt.Errorf("put %s away: %w", r.Name(), err)
	}
	return nil
}

// Fail leaves the file where it is, and says why in rejected/<name>.error.txt.
func (r *report) Fail(ctx context.Context, reason error) error {
	return r.note(ctx, r.Name(), reason, fmt.Sprintf("It stays where it is, and is read again at every pull. Put a mended %s in its place, or take it away.", r.Name()))
}

// Reject moves the file to rejected/, with the reason in <name>.error.txt beside it.
func (r *report) Reject(ctx context.Context, reason error) error {
	name := r.Name()
	err := r.source.persist(ctx, func() error {
		there, err := r.unchanged(ctx)
		if err == nil && there {
			name, err = r.move(ctx, rejected)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put %s aside: %w", r.Name(), err)
	}
	return r.note(ctx, name, reason, "It was turned down, and is not read again. Send a new file.")
}

// unchanged tells whether the file that was offered is still there.
func (r *report) unchanged(ctx context.Context) (bool, error) {
	now, err := r.source.fsys.Stat(ctx, r.path())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && same(r.info, now), err
}

// move takes the file to a directory beside it, under a name that is free there, and returns the name.
func (r *report) move(ctx context.Context, to string) (name string, err error) {
	dir := path.Join(r.source.dir, to)
	if err := r.source.fsys.MkdirAll(ctx, dir); err != nil {
		return "", err
	}
	ext := path.Ext(r.Name())
	stamped := strings.TrimSuffix(r.Name(), ext) + "." + r.source.opts.Clock.Time().UTC().Format("20060102T150405Z")
	for n := range 100 {
		switch n {
		case 0:
			name = r.Name()
		case 1:
			name = stamped + ext
		default:
			name = fmt.Sprintf("%s-%d%s", stamped, n, ext)
		}
		if err = r.source.fsys.Rename(ctx, r.path(), path.Join(dir, name)); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	return name, err
}

func (r *report) notePath(name string) string {
	return path.Join(r.source.dir, rejected, name+".error.txt")
}

// note tells a partner who sees nothing but files why one was not imported.
func (r *report) note(ctx context.Context, name string, reason error, next string) error {
	fsys, at := r.source.fsys, r.notePath(name)
	text := fmt.Sprintf("%s was not imported (%s).\n\n%s\n\n%s\n", r.Name(), r.source.opts.Clock.Time().UTC().Format(time.RFC3339), fault.Message(reason), next)
	err := r.source.persist(ctx, func() error {
		if err := fsys.MkdirAll(ctx, path.Dir(at)); err != nil {
			return err
		}
		if err := r.removeNote(ctx, name); err != nil {
			return err
		}
		return fsys.WriteFile(ctx, at, strings.NewReader(text))
	})
	if err != nil {
		return fmt.Errorf("note why %s was not imported: %w", r.Name(), err)
	}
	return nil
}

// takeNoteBack removes the note on a failed file of this name, if there is one. One that belongs to a file in rejected/ stays with it.
func (r *report) takeNoteBack(ctx context.Context) error {
	if _, err := r.source.fsys.Stat(ctx, path.Join(r.source.dir, rejected, r.Name())); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return r.removeNote(ctx, r.Name())
}

func (r *report) removeNote(ctx context.Context, name string) error {
	if err := r.source.fsys.Remove(ctx, r.notePath(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
