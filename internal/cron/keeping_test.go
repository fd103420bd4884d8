package cron

import (
	"testing"
	"time"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

// What is too old goes within the hour, by itself, and again and again.
func TestPruningRunsHourly(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.cron = b.make()
		if err := b.cron.Keep(24 * time.Hour); err != nil {
			t.Fatal(err)
		}
		b.start()
		for range 2 {
			claim, _, err := b.db.ClaimKey(t.Context(), 1, "k", []byte("asked"))
			if err == nil {
				err = b.db.AnswerKey(t.Context(), claim, []byte("answer"))
			}
			if err != nil {
				t.Fatal(err)
			}
			for {
				if n, err := b.db.Reader().IdempotencyKey.Query().Count(t.Context()); err != nil {
					t.Fatal(err)
				} else if n == 0 {
					break
				}
				if err := b.clock.BlockUntilContext(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				b.clock.Advance(time.Hour)
			}
		}
	})
}

// A run deletes problems past their time, and with 0 none; the position is where the next run goes on.
func TestKeepingForGood(t *testing.T) {
	each(t, func(t *testing.T, b *bundle) {
		b.run()
		b.enable()
		ctx := t.Context()
		run, _, err := b.db.EnqueueRun(ctx, b.merchant, b.connection, enum.Smart, enum.Manual)
		if err == nil {
			err = b.db.AddProblems(ctx, b.merchant, run.ID, []database.Problem{{Kind: enum.RowProblem, Message: "m"}}, 0)
		}
		if err == nil {
			err = b.db.FinishRun(ctx, run.ID, enum.Partial, nil, database.Counts{})
		}
		if err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(25 * time.Hour)
		for _, tt := range []struct {
			keep time.Duration
			want int
		}{{0, 1}, {26 * time.Hour, 1}, {24 * time.Hour, 0}} {
			(&pruning{Cron: b.cron, keep: tt.keep}).run(ctx)
			if n, err := b.db.Reader().RunProblem.Query().Count(ctx); n != tt.want || err != nil {
				t.Errorf("keeping %v leaves %d, %v; want %d", tt.keep, n, err, tt.want)
			}
		}
	})
}
