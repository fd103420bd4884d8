package access

import (
	"context"
	"fmt"

	"stockbridge/internal/database"
	"stockbridge/internal/fault"
)

// maxKey is the most characters an idempotency key may have.
const maxKey = 255

// Once remembers the answers to requests that are sent with an idempotency key, so that one that is sent again
// changes nothing more. It is safe for concurrent use, also by several processes on one database.
type Once struct {
	db     *database.DB
	sealer *Sealer
}

// NewOnce remembers in a database. Answers are sealed, for they may hold what is shown only once.
func NewOnce(db *database.DB, sealer *Sealer) *Once { return &Once{db, sealer} }

// Claim is a request under way. End it by Keep or Release.
type Claim struct {
	once  *Once
	id    int64
	place string
}

// Begin looks for what the viewer in ctx was answered to a request with this key. Where it was, the answer comes back
// and no claim; else a claim. request is a hash of all that makes one request another than the next. Faults:
// IDEMPOTENCY_KEY_INVALID of a key that is not 1 to 255 visible characters of ASCII, and those of database.ClaimKey.
func (o *Once) Begin(ctx context.Context, key string, request []byte) (*Claim, []byte, error) {
	v, err := From(ctx)
	if err != nil {
		return nil, nil, err
	}
	if key == "" || len(key) > maxKey || !visible(key) {
		return nil, nil, fault.New(fault.KeyInvalid, "an Idempotency-Key has 1 to %d characters, all letters, digits or signs of ASCII and no spaces; a random UUID will do", maxKey)
	}
	id, sealed, err := o.db.ClaimKey(ctx, v.TokenID, key, request)
	if err != nil {
		return nil, nil, err
	}
	c := &Claim{once: o, id: id, place: fmt.Sprintf("idempotency/%d/%s", v.TokenID, key)}
	if sealed == nil {
		return c, nil, nil
	}
	answer, err := o.sealer.Open(c.place, sealed)
	if err != nil { // not the caller's to mend
		return nil, nil, fmt.Errorf("read a remembered answer: %s", err) //nolint:errorlint // the words alone: the code would be told to the caller
	}
	return nil, answer, nil
}

// Keep remembers the answer for 24 hours.
func (c *Claim) Keep(ctx context.Context, answer []byte) error {
	return c.once.db.AnswerKey(ctx, c.id, c.once.sealer.Seal(c.place, answer))
}

// Release lets the request run anew when it is sent again.
func (c *Claim) Release(ctx context.Context) error { return c.once.db.ReleaseKey(ctx, c.id) }
