package pipeline

import (
	"context"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
)

// pushOnChange lets the stores of a warehouse's connections with pushOnChange know soon (spec 3.12).
func (p *Pipeline) pushOnChange(ctx context.Context, w *ent.Warehouse) error {
	conns, err := p.db.ConnectionsToPush(ctx, w.ID)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.pushSoon(c)
	}
	return nil
}

// pushSoon pushes to a connection's store once a short window has passed, so that many changes go out as one push; what
// changes while a push is under way goes out with the next. p.mu is held.
func (p *Pipeline) pushSoon(c *ent.Connection) {
	if _, ok := p.soon[c.StoreID]; ok {
		p.soon[c.StoreID] = true
		return
	}
	p.soon[c.StoreID] = false
	ok := p.background(func() {
		for {
			again := p.pushOnce(c)
			p.mu.Lock()
			again = (again || p.soon[c.StoreID]) && !p.closed
			if again {
				p.soon[c.StoreID] = false
			} else {
				delete(p.soon, c.StoreID)
			}
			p.mu.Unlock()
			if !again {
				return
			}
		}
	})
	if !ok {
		delete(p.soon, c.StoreID)
	}
}

// pushOnce waits for the window, then runs one Smart Sync and waits for its end. It asks to be called again when one was
// under way already, which may have looked before the change.
func (p *Pipeline) pushOnce(c *ent.Connection) (again bool) {
	select {
	case <-time.After(p.cfg.Window):
	case <-p.base.Done():
		return false
	}
	p.mu.Lock()
	p.soon[c.StoreID] = false // what changes from now on wants another push
	p.mu.Unlock()
	run, fresh, err := p.db.EnqueueRun(p.base, c.MerchantID, c.ID, enum.Smart, enum.Reported)
	if err != nil {
		if p.base.Err() == nil {
			p.log.Error("what a warehouse reported cannot be pushed; the next sync pushes it", "connection", c.ID, "merchant", c.MerchantID, "error", err)
		}
		return false
	}
	p.kick(c.ID)
	p.await(run.ID)
	return !fresh
}

// await waits until a run has ended, in whatever replica.
func (p *Pipeline) await(runID int64) {
	for {
		p.mu.Lock()
		ended := p.ended
		p.mu.Unlock()
		run, err := p.db.Run(p.base, runID)
		if err != nil || run.Status.Ended() {
			return
		}
		select {
		case <-ended:
		case <-p.base.Done():
			return
		}
	}
}
