package graph

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/ent"
	"stockbridge/ent/catalogimport"
	"stockbridge/ent/importproblem"
	"stockbridge/ent/schema/enum"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

func (q query) CatalogImports(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.CatalogImportWhere, orderBy *model.CatalogImportOrder) (*model.Page[ent.CatalogImport], error) {
	var w where
	w.id("merchantId", catalogimport.FieldMerchantID, "Merchant", given(in).MerchantID)
	equal(&w, catalogimport.FieldKind, given(in).Kind)
	equal(&w, catalogimport.FieldStatus, given(in).Status)
	order := ordered(func(i *ent.CatalogImport) int64 { return i.ID }, orderBy, map[model.CatalogImportOrderField]*page.Column[ent.CatalogImport]{
		model.CatalogImportOrderFieldCreatedAt:  page.Moment(catalogimport.FieldCreatedAt, func(i *ent.CatalogImport) time.Time { return i.CreatedAt }),
		model.CatalogImportOrderFieldFinishedAt: page.MaybeMoment(catalogimport.FieldFinishedAt, func(i *ent.CatalogImport) *time.Time { return i.FinishedAt }),
	})
	order.Desc = order.Desc || orderBy == nil
	progress := q.Imports.Progress()
	p, err := list(ctx, q.Reader.CatalogImport.Query(), w, page.Args{First: first, After: after, Last: last, Before: before}, order)
	if err != nil {
		return nil, err
	}
	for _, i := range p.Nodes() {
		progress.Show(i)
	}
	return p, nil
}

type catalogImportFields struct{ *resolver }

func (f catalogImportFields) Problems(ctx context.Context, i *ent.CatalogImport, first *int64, after *string, last *int64, before *string) (*model.Page[ent.ImportProblem], error) {
	var w where
	equal(&w, importproblem.FieldCatalogImportID, &i.ID)
	return list(ctx, f.Reader.ImportProblem.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		page.Order[ent.ImportProblem]{ID: func(p *ent.ImportProblem) int64 { return p.ID }})
}

type importProblemFields struct{}

func (importProblemFields) Code(_ context.Context, p *ent.ImportProblem) (fault.Code, error) {
	return fault.Code(p.Code), nil
}

// importWait is how long an answer waits for an import to end.
const importWait = 10 * time.Second

func (m mutation) ImportCatalog(ctx context.Context, in model.ImportCatalogInput) (out *model.ImportCatalogPayload, err error) {
	out = &model.ImportCatalogPayload{}
	out.UserErrors, err = change(ctx, func() error {
		merchant, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		var file io.Reader
		switch {
		case in.File != nil && in.Text != nil:
			return fault.At("text", fault.Invalid, "file and text do not go together: leave one out")
		case in.File != nil:
			file = in.File.File
		case in.Text != nil:
			file = strings.NewReader(*in.Text)
		default:
			return fault.At("file", fault.Blank, "this is needed: send a file as multipart/form-data, or its content as text")
		}
		row, done, err := m.Imports.Start(ctx, database.NewImport{MerchantID: merchant.ID, Kind: in.Kind, Format: in.Format, OnError: in.OnError, DryRun: in.DryRun}, file)
		if err != nil {
			return err
		}
		if in.Wait {
			select {
			case <-done:
			case <-time.After(importWait):
			case <-ctx.Done():
			}
		}
		progress := m.Imports.Progress()
		if out.Import, err = again(ctx, m.Reader.CatalogImport.Query(), row.ID, "import"); err == nil {
			progress.Show(out.Import)
		}
		return err
	})
	return out, err
}

// CatalogImport follows an import until it ended.
func (s subscription) CatalogImport(ctx context.Context, id string) (<-chan *ent.CatalogImport, error) {
	changed, progress := s.Imports.Changed(), s.Imports.Progress()
	row, err := find(ctx, "CatalogImport", "id", id, s.Reader.CatalogImport.Get)
	if err != nil {
		return nil, err
	}
	selection := graphql.GetFieldContext(ctx).Field.Selections
	return stream(ctx, func(send func(*ent.CatalogImport) bool) {
		for told := ""; ; {
			progress.Show(row)
			if now := row.String(); now != told {
				if !send(row) {
					return
				}
				told = now
			}
			if row.Status != enum.ImportRunning {
				return
			}
			select {
			case <-changed:
			case <-time.After(lookAgain):
			case <-ctx.Done():
				return
			}
			changed, progress = s.Imports.Changed(), s.Imports.Progress()
			switch found, err := s.Reader.CatalogImport.Query().Where(catalogimport.ID(row.ID)).Collect(ctx, selection).Only(ctx); {
			case ent.IsNotFound(err): // it went with its merchant
				return
			case err != nil:
				s.unread(ctx, err)
			default:
				row = found
			}
		}
	}), nil
}
