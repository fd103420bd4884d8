package catalog

import (
	"context"
	"maps"
	"sync"
	"time"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
)

// Changed returns a channel that is closed when an import of this process has moved on. Take it before looking.
func (i *Importer) Changed() <-chan struct{} { return i.bell.Next() }

// Progress is how far the imports of this process are, by id. What is stored of them is half a second behind, on SQLite until
// their ends.
type Progress map[int64]database.ImportCounts

// Progress looks how far imports are. Take it before reading rows, so that an import that ends in between shows its end.
func (i *Importer) Progress() Progress {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.live)
}

// Show puts the counts so far into a row of an import that goes on.
func (p Progress) Show(row *ent.CatalogImport) {
	if c, ok := p[row.ID]; ok && row.Status == enum.ImportRunning {
		row.Rows, row.Created, row.Updated, row.Unchanged, row.Failed = c.Rows, c.Created, c.Updated, c.Unchanged, c.Failed
	}
}

// saveEvery is how often the counts of an import are stored while they move.
const saveEvery = 500 * time.Millisecond

// tellOthers stores how far an import is from time to time, for whoever looks from another replica, until the function it
// returns is called.
func (i *Importer) tellOthers(ctx context.Context, id int64) (stop func()) {
	if !i.DB.Shared() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(saveEvery)
		defer tick.Stop()
		var told database.ImportCounts
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			i.mu.Lock()
			counts := i.live[id]
			i.mu.Unlock()
			if counts == told {
				continue
			}
			told = counts
			if err := i.DB.SaveImport(ctx, id, counts); err != nil && ctx.Err() == nil {
				i.Log.WarnContext(ctx, "an import's progress cannot be stored", "import", id, "error", err)
			}
		}
	})
	return func() { cancel(); done.Wait() }
}
