package exchange

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/jlaffaye/ftp"
)

// ftpInfo is what a server tells of a file.
type ftpInfo struct {
	name  string
	entry *ftp.Entry
}

func (i ftpInfo) Name() string       { return i.name }
func (i ftpInfo) Size() int64        { return int64(i.entry.Size) }
func (i ftpInfo) ModTime() time.Time { return i.entry.Time }
func (i ftpInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i ftpInfo) Sys() any           { return nil }
func (i ftpInfo) Mode() fs.FileMode {
	switch i.entry.Type {
	case ftp.EntryTypeFolder:
		return fs.ModeDir | 0o755
	case ftp.EntryTypeLink:
		return fs.ModeSymlink | 0o777
	}
	return 0o644
}

// full is a name as the server knows it. It is absolute, so that it holds wherever the session stands, and no option for LIST.
func (c *ftpConn) full(name string) string {
	if path.IsAbs(c.tree.dir) {
		return path.Join(c.tree.dir, name)
	}
	return path.Join("/", c.home, c.tree.dir, name)
}

// heard is what a server says while it is listened to. The library takes every type of RFC 3659 that it does not know for a
// file, links (OS.unix=…) among them.
type heard struct {
	on    bool
	lines bytes.Buffer
}

func (h *heard) Write(p []byte) (int, error) {
	if h.on {
		return h.lines.Write(p)
	}
	return len(p), nil
}

// during runs f and tells the names that are neither file nor directory in the MLSD or MLST lines that come meanwhile.
func (h *heard) during(f func() error) (others map[string]bool, err error) {
	h.on = true
	err = f()
	h.on = false
	others = map[string]bool{}
	for line := range strings.Lines(h.lines.String()) {
		facts, name, _ := strings.Cut(strings.TrimLeft(strings.TrimRight(line, "\r\n"), " "), " ")
		for fact := range strings.SplitSeq(strings.ToLower(facts), ";") {
			switch typ, is := strings.CutPrefix(fact, "type="); {
			case is && typ != "file" && typ != "dir" && typ != "cdir" && typ != "pdir":
				others[name] = true
			}
		}
	}
	h.lines.Reset()
	return others, err
}

// entries lists a directory, by MLSD where it is offered (RFC 3659). LIST takes patterns, so it is asked without a name.
func (c *ftpConn) entries(dir string) ([]*ftp.Entry, error) {
	name := dir
	if !c.server.IsTimePreciseInList() {
		if err := c.server.ChangeDir(dir); err != nil {
			return nil, told(err)
		}
		name = ""
	}
	var all []*ftp.Entry
	others, err := c.heard.during(func() (err error) {
		all, err = c.server.List(name)
		return err
	})
	if err != nil {
		return nil, told(err)
	}
	kept := all[:0]
	for _, e := range all {
		if e.Name != "" && e.Name != "." && e.Name != ".." && !strings.Contains(e.Name, "/") { // MLSD names the directory itself too
			if others[e.Name] {
				e.Type = ftp.EntryTypeLink
			}
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// dated gives a file of a listing its exact time: LIST tells minutes, or days.
func (c *ftpConn) dated(dir string, e *ftp.Entry) (*ftp.Entry, error) {
	if c.server.IsTimePreciseInList() || !c.server.IsGetTimeSupported() || e.Type != ftp.EntryTypeFile {
		return e, nil
	}
	exact := *e
	var err error
	exact.Time, err = c.server.GetTime(path.Join(dir, e.Name))
	switch {
	case err == nil:
		return &exact, nil
	case c.tree.broken(err):
		return nil, err
	}
	return e, nil // it went away meanwhile, or has no time
}

// lookUp tells of one file or directory, by MLST where it is offered.
func (c *ftpConn) lookUp(full string) (fs.FileInfo, error) {
	base := path.Base(full)
	if c.server.IsTimePreciseInList() {
		var e *ftp.Entry
		others, err := c.heard.during(func() (err error) {
			e, err = c.server.GetEntry(full)
			return err
		})
		switch {
		case err == nil && len(others) > 0: // a link, and what it leads to is asked for
			return c.follow(full)
		case err == nil:
			return ftpInfo{base, e}, nil
		}
		if err = told(err); c.unclear(err) && full != "/" {
			// SIZE has better words: ProFTPD's MLST says "cannot be listed" to everything.
			if _, sizeErr := c.server.FileSize(full); sizeErr != nil {
				err = told(sizeErr)
			}
		}
		if !c.unclear(err) || full == "/" {
			return nil, err
		}
		return c.lookForIn(full)
	}
	return c.follow(full)
}

// follow tells of a file or directory without MLST: what can be entered is a directory, what has a size is a file.
func (c *ftpConn) follow(full string) (fs.FileInfo, error) {
	base := path.Base(full)
	err := c.server.ChangeDir(full)
	switch {
	case err == nil:
		return ftpInfo{base, &ftp.Entry{Name: base, Type: ftp.EntryTypeFolder}}, nil
	case c.tree.broken(err) || full == "/":
		return nil, told(err)
	}
	if c.server.IsGetTimeSupported() {
		e := &ftp.Entry{Name: base}
		size, err := c.server.FileSize(full)
		if err == nil {
			e.Size = uint64(size)
			e.Time, err = c.server.GetTime(full)
		}
		if err == nil {
			return ftpInfo{base, e}, nil
		}
		if c.tree.broken(err) {
			return nil, err
		}
	}
	return c.lookForIn(full)
}

// lookForIn finds a name in its directory's listing. A directory that cannot be listed but is there is not ours to see into.
func (c *ftpConn) lookForIn(full string) (fs.FileInfo, error) {
	dir, base := path.Split(full)
	dir = path.Clean(dir)
	entries, err := c.entries(dir)
	if err != nil {
		if c.tree.broken(err) || dir == full {
			return nil, err
		}
		if _, missing := c.lookUp(dir); missing != nil {
			return nil, missing
		}
		return nil, err
	}
	for _, e := range entries {
		if e.Name == base {
			if e, err = c.dated(dir, e); err != nil {
				return nil, err
			}
			return ftpInfo{base, e}, nil
		}
	}
	return nil, fs.ErrNotExist
}

// unclear is a no whose words do not tell why.
func (c *ftpConn) unclear(err error) bool {
	return !c.tree.broken(err) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission)
}

// explain finds out what a refusal that does not say so was about: whether anything is there.
func (c *ftpConn) explain(full string, err error) error {
	if err = told(err); !c.unclear(err) {
		return err
	}
	if _, missing := c.lookUp(full); errors.Is(missing, fs.ErrNotExist) {
		return errors.Join(missing, err)
	}
	return err
}

// free answers fs.ErrExist for a name that is taken: servers rename over it.
func (c *ftpConn) free(full string) error {
	if _, err := c.lookUp(full); !errors.Is(err, fs.ErrNotExist) {
		return cmp.Or(err, fs.ErrExist)
	}
	return nil
}

func (c *ftpConn) mkdirAll(full string) error {
	info, err := c.lookUp(full)
	switch {
	case err == nil && !info.IsDir():
		return refusal("it is a file, not a directory")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := c.mkdirAll(path.Dir(full)); err != nil {
		return err
	}
	if err := c.server.MakeDir(full); err != nil {
		if info, there := c.lookUp(full); there == nil && info.IsDir() {
			return nil // somebody else was quicker
		}
		return told(err)
	}
	return nil
}
