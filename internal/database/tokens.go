package database

import (
	"time"

	"stockbridge/ent/schema/enum"
)

// CreateToken lets a new bearer in.
type CreateToken struct {
	Name        string // 1 to 255 bytes
	Role        enum.Role
	MerchantIDs []int64    // none for ADMIN, at least one for the others
	ExpiresAt   *time.Time // in the future; nil is never
	Hash        []byte     // of the secret
	Hint        string     // the secret's last characters
}
