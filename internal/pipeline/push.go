package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/channel"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// push sends the store what differs (Smart) or all it should show (Full), and stores every outcome. It returns a
// partially error when the store became unusable on the way.
func (s *syncing) push(ctx context.Context) (err error) {
	store := s.conn.Edges.Store
	defer wrap(fmt.Sprintf("push to store %q", store.Name), &err)
	s.enter(enum.Waiting)
	ctx, release, err := s.p.hold(ctx, database.StoreLease, store.ID)
	if err != nil {
		return err
	}
	defer release()
	s.enter(enum.Pushing)
	sink, err := s.p.cfg.Sink(ctx, store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()

	standing, err := s.p.db.BeginPush(ctx, store.ID)
	if err != nil {
		return err
	}
	full := s.run.Mode == enum.Full
	s.progress(func(c *database.Counts) {
		c.Planned, c.Excluded = standing.Levels, standing.Excluded
		if !full {
			c.Unchanged = max(0, standing.Levels-standing.ToPush)
		}
	})
	unusable, err := s.sendAll(ctx, sink, full)
	if err != nil {
		return err // the push stays open: what was under way is due again
	}
	if err := s.p.db.EndPush(context.WithoutCancel(ctx), store.ID); err != nil {
		return err
	}
	switch {
	case context.Cause(ctx) != nil:
		return context.Cause(ctx)
	case unusable != nil && (s.counts.Pushed > 0 || paused(unusable)):
		return partially{unusable}
	default:
		return unusable
	}
}

// sendAll sends batch after batch, as many at once as the store takes, and marks each. unusable is why the store takes
// no more; err is a failure to read or store on our side.
func (s *syncing) sendAll(ctx context.Context, sink channel.Sink, full bool) (unusable, err error) {
	caps := sink.Capabilities()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	batches, results := make(chan []database.Demand), make(chan result, 2*caps.Concurrency)
	var senders sync.WaitGroup
	for range caps.Concurrency {
		senders.Go(func() {
			for batch := range batches {
				if ctx.Err() == nil {
					results <- s.send(ctx, sink, batch)
				}
			}
		})
	}
	var listing error
	go func() {
		listing = s.list(ctx, full, caps, batches)
		close(batches)
		senders.Wait()
		close(results)
	}()
	// What came back is stored even when the run is being stopped.
	keep, unsure := context.WithoutCancel(ctx), ""
	for r := range results {
		// Whatever else is in by now goes into the same transaction: what holds up a push is marking (BenchmarkSync).
		for more := true; more && len(r.answers) < markRows; {
			select {
			case next, ok := <-results:
				r.add(next)
				more = ok
			default:
				more = false
			}
		}
		unusable = worse(unusable, r.unusable)
		if r.unsure != "" {
			unsure = r.unsure
		}
		err = errors.Join(err, s.mark(keep, r))
		if unusable != nil || err != nil {
			stop(errors.Join(unusable, err))
		}
	}
	if listing != nil && context.Cause(ctx) == nil {
		err = errors.Join(err, listing)
	}
	if unusable == nil && unsure != "" && s.counts.Pushed == 0 {
		unusable = fault.New(fault.Unreachable, "the store gave no answer that can be trusted: %s", unsure)
	}
	return unusable, err
}

// markRows is about how many outcomes one transaction stores.
const markRows = 5000

// list reads the levels to push and hands them out in batches until ctx ends.
func (s *syncing) list(ctx context.Context, full bool, caps channel.Capabilities, batches chan<- []database.Demand) error {
	var last *database.Demand
	limit := caps.MaxBatch * max(1, min(2*caps.Concurrency, 2000/caps.MaxBatch))
	for {
		page, err := s.p.db.ToPush(ctx, s.conn.StoreID, full, last, limit)
		if err != nil {
			return err
		}
		for from := 0; from < len(page); from += caps.MaxBatch {
			select {
			case batches <- page[from:min(from+caps.MaxBatch, len(page))]:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if len(page) < limit {
			return nil
		}
		last = &page[len(page)-1]
	}
}

// result is what became of one or more batches.
type result struct {
	answers  []database.Answer
	doubtful []database.Demand // on their way when the run was stopped
	problems []database.Problem
	unsure   string // the words of a level that got no answer to be trusted, "" when all got one
	unusable error  // why the store takes no more, nil when it does
}

func (r *result) add(o result) {
	r.answers, r.doubtful, r.problems = append(r.answers, o.answers...), append(r.doubtful, o.doubtful...), append(r.problems, o.problems...)
	r.unusable = worse(r.unusable, o.unusable)
	if r.unsure == "" {
		r.unsure = o.unsure
	}
}

// paused tells of a store that is left alone for a while: nothing was sent, and nothing was found out about it.
func paused(err error) bool { return fault.CodeOf(err) == fault.StorePaused }

// worse is which of two reasons to tell why a store takes no more: rather what it did than that it is left alone for that.
func worse(a, b error) error {
	if a == nil || b != nil && paused(a) {
		return b
	}
	return a
}

// send sends one batch.
func (s *syncing) send(ctx context.Context, sink channel.Sink, demands []database.Demand) (r result) {
	batch := channel.Batch{Store: globalid.New("Store", s.conn.StoreID), Run: globalid.New("SyncRun", s.run.ID), Key: uuid.NewString(), Levels: make([]channel.Level, len(demands))}
	for i, d := range demands {
		batch.Levels[i] = channel.Level{SKU: d.ChannelSKU, Location: d.Location, Quantity: d.Quantity}
	}
	outcomes, err := sink.Push(ctx, batch)
	stopped := ctx.Err() != nil && err != nil && fault.CodeOf(err) == ""
	if !stopped {
		r.unusable = err
	}
	for i, d := range demands {
		o := channel.Outcome{Message: "the store gave no answer for this level"}
		if i < len(outcomes) {
			o = outcomes[i]
		}
		a := database.Answer{Demand: d, Acknowledged: o.Verdict == channel.Acknowledged, Unsure: o.Verdict == channel.Unknown, Words: o.Message}
		switch {
		case stopped && o.Verdict == channel.Unknown:
			r.doubtful = append(r.doubtful, d)
			continue
		case (stopped || paused(err)) && o.Verdict == channel.Unsent:
			continue // it stays as it is, to be pushed
		case !a.Acknowledged:
			if a.Words == "" && err != nil {
				a.Words = fault.Message(err)
			}
			if a.Unsure {
				r.unsure = a.Words
			}
			r.problems = append(r.problems, database.Problem{Kind: enum.LevelProblem, SKU: d.ChannelSKU, Code: o.Code, Message: a.Words})
		}
		r.answers = append(r.answers, a)
	}
	return r
}

// mark stores what became of batches, and counts it.
func (s *syncing) mark(ctx context.Context, r result) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if len(r.doubtful) > 0 {
		if err := s.p.db.Doubt(ctx, r.doubtful); err != nil {
			return err
		}
	}
	if len(r.answers) > 0 {
		if err := s.p.db.Mark(ctx, s.run.MerchantID, s.conn.StoreID, s.run.ID, r.answers); err != nil {
			return err
		}
	}
	s.progress(func(c *database.Counts) {
		c.Pushed += int64(len(r.answers) - len(r.problems))
		c.Failed += int64(len(r.problems))
	})
	s.problems(ctx, r.problems, 0)
	return nil
}
