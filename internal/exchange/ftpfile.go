package exchange

import (
	"cmp"
	"context"
	"io"

	"github.com/jlaffaye/ftp"
)

// ftpFile is a file that comes over a connection of its own.
type ftpFile struct {
	ctx  context.Context
	r    *ftpTree
	c    *ftpConn // nil once it was given back or up
	name string
	data *ftp.Response
	left int64 // bytes still to come, as the server told the size
}

// Read tells the end of the file only when the server has confirmed that it sent all of it: over FTP, a connection that was
// cut looks like the end.
func (f *ftpFile) Read(p []byte) (n int, err error) {
	if f.c == nil {
		return 0, io.EOF
	}
	err = f.r.watched(f.ctx, f.c, "read", f.name, func() error {
		n, err = f.data.Read(p)
		f.left -= int64(n)
		if err == io.ErrUnexpectedEOF && f.left == 0 {
			err = io.EOF // some servers end without the good-bye of TLS
		}
		if err == io.EOF {
			err = cmp.Or(f.data.Close(), io.EOF)
		}
		return err
	})
	if err == io.EOF {
		switch {
		case f.c.gone():
		case f.r.conn == nil:
			f.r.conn = f.c
		default:
			f.c.hangUp()
		}
	}
	if err != nil {
		f.c = nil
	}
	return n, err
}

// Close gives a file up that was not read to its end, and the connection with it: servers differ in how they take an abort.
func (f *ftpFile) Close() error {
	if f.c != nil {
		f.c.close()
		f.c = nil
	}
	return nil
}
