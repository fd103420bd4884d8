package main

import (
	"errors"
	"fmt"
	"os"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/catalog"
	"stockbridge/internal/database"
)

// exportCommand works on the database itself, beside a server that may be running.
type exportCommand struct {
	Merchant string `help:"The id of the merchant, as the API gives it." required:"" placeholder:"ID"`
	Store    string `help:"Only the listings or channel levels of the store with this id." placeholder:"ID"`
	Format   string `help:"How to write the file: CSV or JSON_LINES." enum:"CSV,JSON_LINES" default:"CSV"`
	Subject  string `arg:"" help:"What to write: products, components, listings, warehouse-levels or channel-levels." enum:"products,components,listings,warehouse-levels,channel-levels"`
	File     string `arg:"" optional:"" help:"The file, which must not be there yet. Left out: the standard output."`
}

// Run writes an export. A file that could not be finished is taken away again.
func (c *exportCommand) Run(i *invocation) (err error) {
	db, err := i.openDatabase(database.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	e, err := catalog.Open(i, db.Reader(), c.Subject, enum.ImportFormat(c.Format), c.Merchant, c.Store)
	if err != nil {
		return err
	}
	out := i.stdout
	if c.File != "" {
		f, err := os.OpenFile(c.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		out = f
		defer func() {
			if err = errors.Join(err, f.Close()); err != nil {
				err = errors.Join(err, os.Remove(c.File))
			}
		}()
	}
	if err := e.Write(i, out); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}
