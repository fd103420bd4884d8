package database

import (
	"encoding/json"
	"time"

	"stockbridge/ent/schema/enum"
)

// NextRun works out when a schedule is due next, nil for never, from its rules as package schedule writes them, the
// time that MINUTELY counts from, and the connection's time zone. It is called inside a transaction: it only reckons.
type NextRun func(rules json.RawMessage, anchor time.Time, timeZone string) (*time.Time, error)

// SetSchedule replaces the rules of one of a connection's two schedules.
type SetSchedule struct {
	ExpectedVersion *int64 // the connection's version the change was made against, else STALE_VERSION; nil is any
	Mode            enum.SyncMode
	TimeZone        *string         // of the connection, and so of both schedules; nil leaves it
	Rules           json.RawMessage // a list as package schedule writes it, which has checked it; nil is the empty one
	NextRun         NextRun         // required
}
