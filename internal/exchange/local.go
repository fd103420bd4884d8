package exchange

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"stockbridge/internal/fault"
)

// local is a directory of this machine. Every operation opens the file root anew, so a directory that was taken away
// and put back is found again, and goes through os.Root, so no name and no link leads out of it.
type local struct {
	url  string
	root string // one of the file roots
	dir  string // below root, slash-separated; "." for the root itself
}

func openLocal(u *url.URL, roots []string) (FS, error) {
	if u.Host != "" && u.Host != "localhost" {
		return nil, fault.At("url", fault.Invalid, "url %s names the machine %s, and file:// means this one; write file:///dir with three slashes", u, u.Host)
	}
	dir := filepath.FromSlash(u.Path)
	if !filepath.IsAbs(dir) {
		return nil, fault.At("url", fault.Invalid, "url %s names no directory; write file:///dir", u)
	}
	if len(roots) == 0 {
		return nil, fault.At("url", fault.PathRefused, "no local directory is open to file exchanges; start the server with --file-root set to the directory that holds %s", u.Path)
	}
	for _, root := range roots {
		abs, err := filepath.Abs(root)
		if err != nil {
			return nil, fault.Wrap(err, fault.PathRefused, "file root %s cannot be found", root)
		}
		if rel, err := filepath.Rel(abs, dir); err == nil && filepath.IsLocal(rel) {
			return &local{url: strings.TrimSuffix(u.String(), "/"), root: abs, dir: filepath.ToSlash(rel)}, nil
		}
	}
	return nil, fault.At("url", fault.PathRefused, "directory %s is not below one that is open to file exchanges; move it, or start the server with --file-root set to the directory that holds it", u.Path)
}

// do runs f on the URL's own directory.
func (l *local) do(ctx context.Context, op, name string, f func(dir *os.Root) error) error {
	return l.below(ctx, op, name, func(root *os.Root) error {
		dir, err := root.OpenRoot(l.dir)
		if err != nil {
			return err
		}
		return errors.Join(f(dir), dir.Close())
	})
}

// below runs f on the file root.
func (l *local) below(ctx context.Context, op, name string, f func(root *os.Root) error) error {
	if err := cmp.Or(ctx.Err(), checkNames(op, name)); err != nil {
		return err
	}
	root, err := os.OpenRoot(l.root)
	if err == nil {
		err = errors.Join(f(root), root.Close())
	}
	if err == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return refused(op, l.url+"/"+name, err)
}

func (l *local) List(ctx context.Context, dir string) (list []fs.FileInfo, err error) {
	err = l.do(ctx, "list", dir, func(root *os.Root) error {
		d, err := root.Open(dir)
		if err != nil {
			return err
		}
		list, err = d.Readdir(-1)
		slices.SortFunc(list, byName)
		return errors.Join(err, d.Close())
	})
	return list, err
}

func byName(a, b fs.FileInfo) int { return strings.Compare(a.Name(), b.Name()) }

func (l *local) Stat(ctx context.Context, name string) (info fs.FileInfo, err error) {
	err = l.do(ctx, "look at", name, func(root *os.Root) (err error) {
		info, err = root.Stat(name)
		return err
	})
	return info, err
}

func (l *local) Open(ctx context.Context, name string) (rc io.ReadCloser, err error) {
	err = l.do(ctx, "read", name, func(root *os.Root) error {
		// Opening a pipe would wait for its writer.
		f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errNotFile
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
		rc = &localFile{ctx: ctx, f: f, where: l.url + "/" + name}
		return nil
	})
	return rc, err
}

type localFile struct {
	ctx   context.Context
	f     *os.File
	where string
}

func (f *localFile) Read(p []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := f.f.Read(p)
	if err != nil && err != io.EOF {
		err = refused("read", f.where, err)
	}
	return n, err
}

func (f *localFile) Close() error { return f.f.Close() }

func (l *local) WriteFile(ctx context.Context, name string, r io.Reader) error {
	src := &source{ctx: ctx, r: r, moved: func() {}}
	err := l.do(ctx, "write", name, func(root *os.Root) error {
		if err := vacant(root, name); err != nil {
			return err
		}
		tmp := name + ".tmp"
		f, err := root.Create(tmp)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, src)
		// Before the rename: after a power cut a name must not stand for an empty file.
		if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
			return undo(err, func() error { return root.Remove(tmp) })
		}
		if err := root.Rename(tmp, name); err != nil {
			return undo(err, func() error { return root.Remove(tmp) })
		}
		return syncDir(root, path.Dir(name))
	})
	return cmp.Or(src.err, err)
}

// vacant answers fs.ErrExist for a name that is taken.
func vacant(root *os.Root, name string) error {
	if _, err := root.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return nil
}

// syncDir makes a rename outlast a power cut, on file systems that can.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	if err = d.Sync(); errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

func (l *local) Rename(ctx context.Context, from, to string) error {
	if err := checkNames("rename to", to); err != nil {
		return err
	}
	return l.do(ctx, "rename", from, func(root *os.Root) error {
		if err := vacant(root, to); err != nil {
			return err
		}
		if err := root.Rename(from, to); err != nil {
			return err
		}
		return syncDir(root, path.Dir(to))
	})
}

func (l *local) Remove(ctx context.Context, name string) error {
	return l.do(ctx, "remove", name, func(root *os.Root) error { return root.Remove(name) })
}

func (l *local) MkdirAll(ctx context.Context, dir string) error {
	return l.below(ctx, "make directory", dir, func(root *os.Root) error {
		return root.MkdirAll(path.Join(l.dir, dir), 0o755)
	})
}

func (l *local) Close() error { return nil }
