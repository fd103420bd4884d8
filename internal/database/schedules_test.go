package database_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"stockbridge/ent"
	entschedule "stockbridge/ent/schedule"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/database/dbtest"
	"stockbridge/internal/schedule"
)

func (w *brand) schedule(c *ent.Connection, mode enum.SyncMode) *ent.Schedule {
	w.Helper()
	return sure(w.db.Reader().Schedule.Query().Where(entschedule.ConnectionID(c.ID), entschedule.ModeEQ(mode)).Only(w.Context()))(w.T)
}

// spec 3.7: rules are reckoned in the connection's time zone, MINUTELY from when the schedule was saved.
func TestSchedulesAreSet(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
			now := made
			w := newBrand(t, dbtest.Open(t, name, database.Options{Now: func() time.Time { return now }}))
			ctx := t.Context()
			set := func(in database.SetSchedule) (*ent.Schedule, error) {
				return w.db.SetSchedule(ctx, w.m.ID, w.c11.ID, in)
			}
			due := func(mode enum.SyncMode, want time.Time) {
				t.Helper()
				if got := w.schedule(w.c11, mode).NextRunAt; got == nil || !got.Equal(want) {
					t.Errorf("%s is due at %v, want %s", mode, got, want)
				}
			}
			now = made.Add(10 * time.Minute)
			s := sure(set(database.SetSchedule{Mode: enum.Full, Rules: []schedule.Rule{{Type: schedule.Daily, At: "06:30"}}, Floor: 48 * time.Hour}))(t)
			if s.Mode != enum.Full || !strings.Contains(string(s.Rules), "06:30") || !s.AnchorAt.Equal(w.db.Now()) {
				t.Errorf("got %v", s)
			}
			due(enum.Full, time.Date(2026, 1, 2, 6, 30, 0, 0, time.UTC))
			due(enum.Smart, w.db.Now().Add(50*time.Minute))
			sure(set(database.SetSchedule{Mode: enum.Smart, TimeZone: new(" Asia/Tokyo "), Rules: []schedule.Rule{{Type: schedule.Minutely, Every: 30}}, Floor: 5 * time.Minute}))(t)
			due(enum.Full, time.Date(2026, 1, 2, 21, 30, 0, 0, time.UTC))
			due(enum.Smart, w.db.Now().Add(30*time.Minute))
			c := sure(w.db.Reader().Connection.Get(ctx, w.c11.ID))(t)
			if c.TimeZone != "Asia/Tokyo" || c.Version != w.c11.Version+2 {
				t.Errorf("got %v", c)
			}
			version := w.schedule(w.c11, enum.Full).Version
			sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{TimeZone: new("Asia/Tokyo")}))(t)
			if got := w.schedule(w.c11, enum.Full).Version; got != version {
				t.Error("the same time zone was reckoned anew")
			}
			sure(w.db.UpdateConnection(ctx, w.m.ID, w.c11.ID, database.UpdateConnection{TimeZone: new("Europe/Berlin")}))(t)
			due(enum.Full, time.Date(2026, 1, 2, 5, 30, 0, 0, time.UTC))
			if got := w.schedule(w.c11, enum.Full).Version; got == version {
				t.Error("who reckoned in the old zone could store that") // SetNextRun goes by the version
			}
			sure(set(database.SetSchedule{Mode: enum.Full}))(t)
			if got := w.schedule(w.c11, enum.Full); string(got.Rules) != "[]" || got.NextRunAt != nil {
				t.Errorf("got %v", got)
			}
			w.refused(errOf(set(database.SetSchedule{Mode: "x", TimeZone: new("Nowhere"), Rules: []schedule.Rule{{Type: schedule.Cron, Cron: "61 * * * *"}}})), "INVALID mode", "UNKNOWN_TIME_ZONE timeZone", "INVALID_CRON rules.0.cron")
			w.refused(errOf(set(database.SetSchedule{Mode: enum.Smart, Rules: []schedule.Rule{{Type: schedule.Minutely, Every: 1}}, Floor: 5 * time.Minute})), "TOO_FREQUENT rules.0.every")
			w.refused(errOf(set(database.SetSchedule{Mode: enum.Full, ExpectedVersion: new(int64(1))})), "STALE_VERSION expectedVersion")
			w.refused(errOf(w.db.SetSchedule(ctx, w.m2.ID, w.c11.ID, database.SetSchedule{Mode: enum.Full})), "NOT_FOUND connectionId")
		})
	}
}

// What came due while a connection was off is not caught up with when a server starts.
func TestEnablingReckonsWhenSyncsAreDue(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	w := newBrand(t, dbtest.Open(t, "sqlite", database.Options{Now: func() time.Time { return now }}))
	ctx := t.Context()
	now = now.Add(150 * time.Minute)
	for _, on := range []func(context.Context, int64, int64) (*ent.Connection, bool, error){w.db.EnableConnection, w.db.EnableInventory} {
		if _, _, err := on(ctx, w.m.ID, w.c22.ID); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.schedule(w.c22, enum.Smart).NextRunAt; !got.Equal(now.Add(30 * time.Minute)) {
		t.Errorf("due at %s, now it is %s", got, now)
	}
}
