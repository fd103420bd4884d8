package graph_test

import (
	"testing"

	"stockbridge/ent/schema/enum"
	"stockbridge/ent/syncrun"
)

// spec 3.11: enabling inventory on a connection starts a first Full Sync unless told not to.
func TestEnablingInventoryStartsAFullSync(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.tenants()
		otto, connection := operator(w.alpha.merchant), id("Connection", w.alpha.connection)
		do := func(mutation, more string) {
			t.Helper()
			if got := w.faults(otto, `mutation { `+mutation+`(input: {connectionId: "`+connection+`"`+more+`}) { userErrors { code field message } } }`); got != "" {
				t.Fatalf("%s: %s", mutation, got)
			}
		}
		first := func() bool {
			return w.rows.SyncRun.Query().Where(syncrun.ConnectionID(w.alpha.connection), syncrun.ModeEQ(enum.Full), syncrun.TriggerEQ(enum.Enabled)).ExistX(t.Context())
		}
		do("enableConnection", "")
		do("enableInventory", ", startFullSync: false")
		if first() {
			t.Error("a Full Sync started, though told not to")
		}
		do("disableInventory", "")
		do("enableInventory", "")
		if !first() {
			t.Error("no Full Sync started")
		}
	})
}
