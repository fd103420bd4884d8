package database

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/fault"
)

const (
	// KeyKept is how long the answer to a request with an idempotency key is remembered.
	KeyKept = 24 * time.Hour
	// keyStale is after how long a request that has not been answered is taken for one that its process died in.
	// It is longer than a request may take.
	keyStale = 5 * time.Minute
)

// ClaimKey begins a request that is to be made once. bearer tells whose key it is: that of a token is no other's. request
// is a hash of what is asked. Where the same was asked and answered within KeyKept, its answer comes back, as
// AnswerKey stored it; else a claim, never 0, which AnswerKey or ReleaseKey has to end. A claim that neither did within
// five minutes goes to the next who asks the same. Faults: IDEMPOTENCY_KEY_REUSED where the key came with another
// request, IDEMPOTENCY_CONCURRENT while the first is under way.
func (db *DB) ClaimKey(ctx context.Context, bearer int64, key string, request []byte) (claim int64, answer []byte, err error) {
	err = db.inTx(ctx, func(t *tx) error {
		now := db.Now()
		if _, err := t.ExecContext(ctx, db.rebind(`DELETE FROM idempotency_keys WHERE token_id = ? AND key = ?
			AND (created_at <= ? OR answer IS NULL AND request = ? AND created_at <= ?)`), bearer, key, now.Add(-KeyKept), request, now.Add(-keyStale)); err != nil {
			return err
		}
		// Of two at the same time the one waits here for the other's commit.
		err := t.QueryRowContext(ctx, db.rebind(`INSERT INTO idempotency_keys (token_id, key, request, created_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (token_id, key) DO NOTHING RETURNING id`), bearer, key, request, now).Scan(&claim)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var asked []byte
		err = t.QueryRowContext(ctx, db.rebind("SELECT request, answer FROM idempotency_keys WHERE token_id = ? AND key = ?"), bearer, key).Scan(&asked, &answer)
		switch {
		case errors.Is(err, sql.ErrNoRows): // released just now
			return underWay()
		case err != nil:
			return err
		case !bytes.Equal(asked, request):
			return fault.New(fault.KeyReused, "this Idempotency-Key came with another request before; make a new key for every new request")
		case answer == nil:
			return underWay()
		}
		return nil
	})
	if err != nil {
		return 0, nil, fmt.Errorf("claim an idempotency key: %w", err)
	}
	return claim, answer, nil
}

func underWay() *fault.Error {
	return fault.New(fault.KeyConcurrent, "the first request with this Idempotency-Key is still under way; send it again in a few seconds to get its answer")
}

// AnswerKey stores the answer that a claim's request had, for whoever asks the same again. It fails where the claim has
// gone to somebody else.
func (db *DB) AnswerKey(ctx context.Context, claim int64, answer []byte) error {
	err := db.inTx(ctx, func(t *tx) error {
		done, err := t.ExecContext(ctx, db.rebind("UPDATE idempotency_keys SET answer = ? WHERE id = ?"), answer, claim)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return errors.New("the request took so long that its key was given to another")
	})
	if err != nil {
		return fmt.Errorf("remember an answer: %w", err)
	}
	return nil
}

// ReleaseKey gives a claim up: the next request with its key runs.
func (db *DB) ReleaseKey(ctx context.Context, claim int64) error {
	err := db.inTx(ctx, func(t *tx) error {
		_, err := t.ExecContext(ctx, db.rebind("DELETE FROM idempotency_keys WHERE id = ? AND answer IS NULL"), claim)
		return err
	})
	if err != nil {
		return fmt.Errorf("release an idempotency key: %w", err)
	}
	return nil
}
