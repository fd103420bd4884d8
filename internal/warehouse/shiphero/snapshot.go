package shiphero

import (
	"context"
	"strings"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
	"stockbridge/internal/warehouse/paged"
)

const generateMutation = `mutation Snapshot($warehouse: String) {
  inventory_generate_snapshot(data: {warehouse_id: $warehouse}) {
    request_id
    complexity
    snapshot { snapshot_id status error }
  }
}`

const snapshotQuery = `query Snapshot($id: String!) {
  inventory_snapshot(snapshot_id: $id) {
    request_id
    complexity
    snapshot { snapshot_id status error snapshot_url }
  }
}`

// How a snapshot is waited for. ShipHero makes it in the background, in seconds for a small account and minutes for a large one.
const (
	firstLook   = 5 * time.Second // doubled for each look after it
	laterLooks  = 30 * time.Second
	longestWork = time.Hour
)

type job struct {
	ID     string `json:"snapshot_id"`
	Status string `json:"status"` // enqueued, processing, success, error; sometimes with the name of its type before it
	Error  string `json:"error"`
	URL    string `json:"snapshot_url"`
}

type jobReply struct {
	Complexity float64 `json:"complexity"`
	Job        *job    `json:"snapshot"`
}

// snapshot has ShipHero make a snapshot, waits for it, and reads it.
func (s *Source) snapshot(ctx context.Context, rows *paged.Rows) error {
	variables := map[string]any{}
	if s.warehouse != "" {
		variables["warehouse"] = s.warehouse
	}
	var made struct {
		Reply *jobReply `json:"inventory_generate_snapshot"`
	}
	if err := s.query(ctx, generateMutation, variables, &made, false); err != nil {
		return err
	}
	now, err := s.job(made.Reply)
	if err != nil {
		return err
	}
	for waited, look := time.Duration(0), firstLook; now.URL == ""; look = min(2*look, laterLooks) {
		if waited += look; waited > longestWork {
			return fault.New(fault.Unreachable, "%s did not finish the inventory snapshot %s within %s (%s): set a warehouse, or pull by pages", name, warehouse.Excerpt(now.ID), longestWork, warehouse.Excerpt(now.Status))
		}
		if err := s.client.Peer.Clock().Pause(ctx, look); err != nil {
			return err
		}
		var asked struct {
			Reply *jobReply `json:"inventory_snapshot"`
		}
		if err := s.query(ctx, snapshotQuery, map[string]any{"id": now.ID}, &asked, false); err != nil {
			return err
		}
		if now, err = s.job(asked.Reply); err != nil {
			return err
		}
	}
	return s.download(ctx, now.URL, rows)
}

// job reads how far a snapshot is. One that failed is BAD_REPLY with ShipHero's words.
func (s *Source) job(r *jobReply) (job, error) {
	if r == nil || r.Job == nil || r.Job.ID == "" {
		return job{}, fault.New(fault.BadReply, "%s: the reply holds no snapshot", name)
	}
	s.budget.spent(r.Complexity)
	j := *r.Job
	_, status, typed := strings.Cut(j.Status, ".")
	if typed {
		j.Status = status
	}
	switch {
	case j.Error != "" || j.Status == "error" || j.Status == "aborted":
		return job{}, fault.New(fault.BadReply, "%s could not make the inventory snapshot %s (%s): %s", name, warehouse.Excerpt(j.ID), warehouse.Excerpt(j.Status), s.client.Peer.Hide(j.Error))
	case j.Status == "success" && j.URL == "":
		return job{}, fault.New(fault.BadReply, "%s finished the inventory snapshot %s, but does not say where it is", name, warehouse.Excerpt(j.ID))
	case j.Status != "success":
		j.URL = "" // not whole yet
	}
	return j, nil
}
