package graph

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/product"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/database"
)

func (q query) Products(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.ProductWhere, orderBy *model.ProductOrder) (*model.Page[ent.Product], error) {
	var w where
	w.id("merchantId", product.FieldMerchantID, "Merchant", given(in).MerchantID)
	w.text("sku", product.FieldSku, given(in).SKU)
	w.text("name", product.FieldName, given(in).Name)
	w.text("upc", product.FieldUpc, given(in).UPC)
	return list(ctx, q.Reader.Product.Query(), w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(p *ent.Product) int64 { return p.ID }, orderBy, map[model.ProductOrderField]*page.Column[ent.Product]{
			model.ProductOrderFieldSKU:       page.Text(product.FieldSku, func(p *ent.Product) string { return p.Sku }),
			model.ProductOrderFieldName:      page.Text(product.FieldName, func(p *ent.Product) string { return p.Name }),
			model.ProductOrderFieldCreatedAt: page.Moment(product.FieldCreatedAt, func(p *ent.Product) time.Time { return p.CreatedAt }),
			model.ProductOrderFieldUpdatedAt: page.Moment(product.FieldUpdatedAt, func(p *ent.Product) time.Time { return p.UpdatedAt }),
		}))
}

func (m mutation) CreateProduct(ctx context.Context, in model.CreateProductInput) (out *model.CreateProductPayload, err error) {
	out = &model.CreateProductPayload{}
	out.UserErrors, err = change(ctx, func() error {
		merchant, err := find(ctx, "Merchant", "merchantId", in.MerchantID, m.Reader.Merchant.Get)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateProduct(ctx, database.CreateProduct{MerchantID: merchant.ID, SKU: in.SKU, Name: given(in.Name), UPC: in.UPC, ImageURL: in.ImageURL,
			Components: components(in.Components)})
		if err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, merchant.ID)
		out.Product, err = again(ctx, m.Reader.Product.Query(), row.ID, "product")
		return err
	})
	return out, err
}

func (m mutation) UpdateProduct(ctx context.Context, in model.UpdateProductInput) (out *model.UpdateProductPayload, err error) {
	out = &model.UpdateProductPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Product", "productId", in.ProductID, m.Reader.Product.Get)
		if err != nil {
			return err
		}
		u := database.UpdateProduct{ExpectedVersion: in.ExpectedVersion, SKU: in.SKU, Name: in.Name, UPC: opt(in.UPC), ImageURL: opt(in.ImageURL)}
		if in.Components != nil {
			u.Components = new(components(in.Components))
		}
		if _, err := m.DB.UpdateProduct(ctx, row.MerchantID, row.ID, u); err != nil {
			return err
		}
		out.Replanning = m.replan(ctx, row.MerchantID)
		out.Product, err = again(ctx, m.Reader.Product.Query(), row.ID, "product")
		return err
	})
	return out, err
}

func (m mutation) DeleteProduct(ctx context.Context, in model.DeleteProductInput) (out *model.DeleteProductPayload, err error) {
	out = &model.DeleteProductPayload{}
	out.UserErrors, err = change(ctx, func() error {
		row, err := find(ctx, "Product", "productId", in.ProductID, m.Reader.Product.Get)
		if err != nil {
			return err
		}
		if err := m.DB.DeleteProduct(ctx, row.MerchantID, row.ID); err != nil {
			return err
		}
		out.DeletedID, out.Replanning = &in.ProductID, m.replan(ctx, row.MerchantID)
		return nil
	})
	return out, err
}

func components(in []*model.BundleComponentInput) []database.Component {
	out := make([]database.Component, len(in))
	for i, c := range in {
		out[i] = database.Component{SKU: c.SKU, Quantity: c.Quantity}
	}
	return out
}
