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
}

// Totals tells what has been done so far.
func (p *Pipeline) Totals() Totals {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.totals
	t.Ended, t.Running = maps.Clone(t.Ended), len(p.running)
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
