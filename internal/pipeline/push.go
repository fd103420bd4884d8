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
	unlock, err := s.p.stores.lock(ctx, store.ID)
	if err != nil {
		return err
	}
	defer unlock()
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
	case unusable != nil && s.counts.Pushed > 0:
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
	batches := make(chan []database.Demand)
	var work sync.WaitGroup
	var mu sync.Mutex // guards unusable and err
	for range caps.Concurrency {
		work.Go(func() {
			for batch := range batches {
				refusal, failure := s.send(ctx, sink, batch)
				if refusal == nil && failure == nil {
					continue
				}
				mu.Lock()
				if refusal != nil && unusable == nil {
					unusable = refusal
				}
				err = errors.Join(err, failure)
				mu.Unlock()
				stop(errors.Join(refusal, failure))
			}
		})
	}
	lerr := s.list(ctx, full, caps, batches)
	close(batches)
	work.Wait()
	if lerr != nil && context.Cause(ctx) == nil {
		err = errors.Join(err, lerr)
	}
	return unusable, err
}

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

// send sends one batch and marks what became of it. refusal says that the store takes no more.
func (s *syncing) send(ctx context.Context, sink channel.Sink, demands []database.Demand) (refusal, failure error) {
	if ctx.Err() != nil {
		return nil, nil
	}
	batch := channel.Batch{Store: globalid.New("Store", s.conn.StoreID), Run: globalid.New("SyncRun", s.run.ID), Key: uuid.NewString(), Levels: make([]channel.Level, len(demands))}
	for i, d := range demands {
		batch.Levels[i] = channel.Level{SKU: d.ChannelSKU, Location: d.Location, Quantity: d.Quantity}
	}
	outcomes, refusal := sink.Push(ctx, batch)
	stopped := ctx.Err() != nil && refusal != nil && fault.CodeOf(refusal) == ""
	// What came back is stored even when the run is being stopped.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var answers []database.Answer
	var doubtful []database.Demand
	var problems []database.Problem
	var pushed int64
	for i, d := range demands {
		o := channel.Outcome{Message: "the store gave no answer for this level"}
		if i < len(outcomes) {
			o = outcomes[i]
		}
		a := database.Answer{Demand: d, Acknowledged: o.Verdict == channel.Acknowledged, Unsure: o.Verdict == channel.Unknown, Words: o.Message}
		switch {
		case a.Acknowledged:
			pushed++
		case stopped && o.Verdict == channel.Unknown:
			doubtful = append(doubtful, d)
			continue
		case stopped && o.Verdict == channel.Unsent:
			continue
		default:
			if a.Words == "" && refusal != nil {
				a.Words = fault.Message(refusal)
			}
			problems = append(problems, database.Problem{Kind: enum.LevelProblem, SKU: d.ChannelSKU, Code: o.Code, Message: a.Words})
		}
		answers = append(answers, a)
	}
	if len(doubtful) > 0 {
		failure = s.p.db.Doubt(keep, doubtful)
	}
	if len(answers) > 0 && failure == nil {
		failure = s.p.db.Mark(keep, s.run.MerchantID, s.conn.StoreID, s.run.ID, answers)
	}
	if failure != nil {
		return refusal, failure
	}
	s.progress(func(c *database.Counts) { c.Pushed += pushed; c.Failed += int64(len(problems)) })
	s.problems(keep, problems, 0)
	if stopped {
		return nil, nil
	}
	return refusal, nil
}
