package graph

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/merchant"
	"stockbridge/ent/token"
	"stockbridge/graph/model"
	"stockbridge/graph/page"
	"stockbridge/internal/access"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

func (q query) Tokens(ctx context.Context, first *int64, after *string, last *int64, before *string, in *model.TokenWhere, orderBy *model.TokenOrder) (*model.Page[ent.Token], error) {
	var w where
	rows := q.Reader.Token.Query()
	if id := given(in).MerchantID; id != nil {
		row, err := globalid.Of("Merchant", *id)
		if err != nil {
			return nil, fault.At("where.merchantId", fault.NotFound, "%s", fault.Message(err))
		}
		rows.Where(token.HasMerchantsWith(merchant.ID(row)))
	}
	w.text("name", token.FieldName, given(in).Name)
	equal(&w, token.FieldRole, given(in).Role)
	return list(ctx, rows, w, page.Args{First: first, After: after, Last: last, Before: before},
		ordered(func(t *ent.Token) int64 { return t.ID }, orderBy, map[model.TokenOrderField]*page.Column[ent.Token]{
			model.TokenOrderFieldName:       page.Text(token.FieldName, func(t *ent.Token) string { return t.Name }),
			model.TokenOrderFieldCreatedAt:  page.Moment(token.FieldCreatedAt, func(t *ent.Token) time.Time { return t.CreatedAt }),
			model.TokenOrderFieldExpiresAt:  page.MaybeMoment(token.FieldExpiresAt, func(t *ent.Token) *time.Time { return t.ExpiresAt }),
			model.TokenOrderFieldLastUsedAt: page.MaybeMoment(token.FieldLastUsedAt, func(t *ent.Token) *time.Time { return t.LastUsedAt }),
		}))
}

func (m mutation) CreateToken(ctx context.Context, in model.CreateTokenInput) (out *model.CreateTokenPayload, err error) {
	out = &model.CreateTokenPayload{}
	out.UserErrors, err = administer(ctx, func() error {
		var faults fault.List
		merchants := make([]int64, len(in.MerchantIds))
		for i, id := range in.MerchantIds {
			if merchants[i], err = globalid.Of("Merchant", id); err != nil {
				faults = append(faults, fault.At(fmt.Sprintf("merchantIds.%d", i), fault.NotFound, "%s", fault.Message(err)))
			}
		}
		documents, err := access.ParseDocuments(in.Documents)
		var more fault.List
		if errors.As(err, &more) {
			faults = append(faults, more...)
		} else if err != nil {
			return err
		}
		if err := faults.Or(); err != nil {
			return err
		}
		secret, err := access.NewSecret(rand.Reader)
		if err != nil {
			return err
		}
		row, err := m.DB.CreateToken(ctx, database.CreateToken{Name: in.Name, Role: in.Role, MerchantIDs: merchants, ExpiresAt: in.ExpiresAt,
			Hash: access.Hash(secret), Hint: secret[len(secret)-4:], Documents: documents})
		if err != nil {
			return err
		}
		out.Secret = &secret
		out.Token, err = again(ctx, m.Reader.Token.Query(), row.ID, "token")
		return err
	})
	return out, err
}

func (m mutation) RevokeToken(ctx context.Context, in model.RevokeTokenInput) (out *model.RevokeTokenPayload, err error) {
	out = &model.RevokeTokenPayload{}
	out.UserErrors, err = administer(ctx, func() error {
		id, err := globalid.Of("Token", in.TokenID)
		if err != nil {
			return fault.At("tokenId", fault.NotFound, "%s", fault.Message(err))
		}
		if _, err := m.DB.RevokeToken(ctx, id); err != nil {
			return err
		}
		out.Token, err = again(ctx, m.Reader.Token.Query(), id, "token")
		return err
	})
	return out, err
}

type tokenFields struct{}

// Documents are those that a token is for.
func (tokenFields) Documents(_ context.Context, t *ent.Token) ([]string, error) {
	return access.DocumentHashes(t.Documents).Written(), nil
}
