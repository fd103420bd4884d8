// Package access knows who is asking and what they may see and do (spec 5.2 and 5.3), and
// keeps the secrets that Stockbridge is trusted with: tokens as hashes, credentials sealed.
package access

import (
	"context"
	"slices"
	"time"

	"stockbridge/internal/fault"
)

// Role says what a viewer may do (spec 5.2). A role that is none of these may do nothing.
type Role string

// The roles.
const (
	Admin    Role = "ADMIN"    // sees and writes all
	Operator Role = "OPERATOR" // sees and writes its merchants
	Partner  Role = "PARTNER"  // sees its merchants
)

// Viewer is who is asking. Nil is nobody, who sees nothing.
type Viewer struct {
	TokenID     int64 // below 0: the bearer of an issuer's JWT
	Name        string
	Role        Role
	MerchantIDs []int64   // ascending; means nothing for an ADMIN
	ExpiresAt   time.Time // zero: never
	// Documents are the only ones of GraphQL that it may run; nil is any.
	Documents DocumentHashes
}

// Sees tells whether the viewer may read what belongs to a merchant. What it may not see
// must read as not found.
func (v *Viewer) Sees(merchantID int64) bool {
	if v == nil {
		return false
	}
	switch v.Role {
	case Admin:
		return true
	case Operator, Partner:
		_, found := slices.BinarySearch(v.MerchantIDs, merchantID)
		return found
	}
	return false
}

// CanWrite tells whether the viewer may change what belongs to a merchant.
func (v *Viewer) CanWrite(merchantID int64) bool {
	return v.Sees(merchantID) && v.Role != Partner
}

// Expired tells whether the viewer may no longer ask, though it could when it signed in.
func (v *Viewer) Expired(now time.Time) bool {
	return !v.ExpiresAt.IsZero() && !now.Before(v.ExpiresAt)
}

type viewerKey struct{}

// With returns a context in which v is asking.
func With(ctx context.Context, v *Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}

// From returns who is asking. The error is a fault with code UNAUTHENTICATED when nobody is known to.
func From(ctx context.Context) (*Viewer, error) {
	if v, _ := ctx.Value(viewerKey{}).(*Viewer); v != nil {
		return v, nil
	}
	return nil, fault.New(fault.Unauthenticated, "you are not signed in; %s", signIn)
}
