package pipeline

import (
	"maps"

	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

// Totals are what a pipeline has done since it was made.
type Totals struct {
	Ended          map[enum.SyncStatus]int64 // syncs, by how they ended
	Running        int                       // syncs under way
	Pushed, Failed int64                     // levels
	Leases         int                       // that this replica holds; 0 on SQLite
	Lost           int64                     // sessions in the database that broke
	TakenOver      int64                     // replicas that were gone, and left their work to this one
}

// Totals tells what has been done so far.
func (p *Pipeline) Totals() Totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.totals
	t.Ended, t.Running = maps.Clone(t.Ended), len(p.running)
	t.Leases, t.Lost, t.TakenOver = p.replica.held, p.replica.lost, p.replica.buried
	return t
}

// tally counts a sync that has ended. p.mu is held.
func (p *Pipeline) tally(status enum.SyncStatus, c database.Counts) {
	if p.totals.Ended == nil {
		p.totals.Ended = map[enum.SyncStatus]int64{}
	}
	p.totals.Ended[status]++
	p.totals.Pushed += c.Pushed
	p.totals.Failed += c.Failed
}
