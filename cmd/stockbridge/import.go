package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"stockbridge/ent"
	"stockbridge/ent/importproblem"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/catalog"
	"stockbridge/internal/database"
	"stockbridge/internal/globalid"
	"stockbridge/internal/pipeline"
)

// importCommand works on the database itself: on PostgreSQL beside servers that may be running, on SQLite alone.
type importCommand struct {
	Merchant string `help:"The id of the merchant, as the API gives it." required:"" placeholder:"ID"`
	Kind     string `help:"What the rows are: PRODUCTS, COMPONENTS or LISTINGS." enum:"PRODUCTS,COMPONENTS,LISTINGS" required:""`
	Format   string `help:"How the file is written: CSV or JSON_LINES." enum:"CSV,JSON_LINES" default:"CSV"`
	OnError  string `help:"What a row does that cannot be used: REJECT_ALL keeps all out, SKIP_ROWS lets the others in." enum:"REJECT_ALL,SKIP_ROWS" default:"REJECT_ALL"`
	DryRun   bool   `help:"Check and count everything, and write nothing."`
	File     string `arg:"" help:"The file; - is the standard input."`
}

// Run imports a file and tells what came of it. An import that did not succeed is an error.
func (c *importCommand) Run(i *invocation) (err error) {
	merchant, err := globalid.Of("Merchant", c.Merchant)
	if err != nil {
		return fmt.Errorf("--merchant: %w", err)
	}
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // it is only read
		in = f
	}
	db, err := i.openDatabase(database.Options{Alone: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	planner := pipeline.New(pipeline.Config{DB: db, Log: i.log, Version: version()}) // it plans, and neither pulls nor pushes
	defer planner.Close(i)                                                           // after the planning that goes on behind
	if err := planner.Join(i); err != nil {
		return err
	}
	imports := catalog.New(catalog.Config{DB: db, Replan: planner.Replan, Working: planner.Working, Log: i.log})
	id, err := imports.Run(i, database.NewImport{MerchantID: merchant, Kind: enum.ImportKind(c.Kind), Format: enum.ImportFormat(c.Format),
		OnError: enum.ImportOnError(c.OnError), DryRun: c.DryRun}, in)
	if err != nil {
		return err
	}
	return i.tellImport(db, id)
}

func (i *invocation) tellImport(db *database.DB, id int64) error {
	row, err := db.Reader().CatalogImport.Get(i, id)
	if err != nil {
		return fmt.Errorf("read the import: %w", err)
	}
	dry := ""
	if row.DryRun {
		dry = " (dry run: nothing was written)"
	}
	i.say("%s: %s%s", row.Kind, row.Status, dry)
	i.say("rows %d, created %d, updated %d, unchanged %d, failed %d", row.Rows, row.Created, row.Updated, row.Unchanged, row.Failed)
	problems, err := db.Reader().ImportProblem.Query().Where(importproblem.CatalogImportID(id)).Order(ent.Asc(importproblem.FieldID)).Limit(shownProblems).All(i)
	if err != nil {
		return fmt.Errorf("read the import's problems: %w", err)
	}
	for _, p := range problems {
		at := fmt.Sprintf("line %d", p.Line)
		if p.Sku != "" {
			at += " SKU " + p.Sku
		}
		if p.Field != "" {
			at += " " + p.Field
		}
		i.say("%s %s: %s", at, p.Code, p.Message)
	}
	switch {
	case row.Error != nil:
		return errors.New(*row.Error)
	case row.Status != enum.ImportSucceeded:
		return fmt.Errorf("the import ended %s", row.Status)
	}
	return nil
}
