package graph

import (
	"encoding/json"
	"fmt"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
)

// triedWarehouse says what a test asks of a warehouse; nil where there is nobody to ask.
func triedWarehouse(w *ent.Warehouse) *string {
	switch w.Platform {
	case enum.Push:
		return nil
	case enum.HTTP:
		return tried("the first page of levels", w.Platform, w.Settings)
	case enum.FileExchange:
		return tried("the list of reports that wait", w.Platform, w.Settings)
	}
	return tried("one request that changes nothing", w.Platform, w.Settings)
}

// triedStore says what a test asks of a store.
func triedStore(s *ent.Store) *string {
	switch s.Platform {
	case enum.HTTP:
		return tried("a push without levels", s.Platform, s.Settings)
	case enum.FileExchange:
		return tried("the list of the directory that levels are left in", s.Platform, s.Settings)
	}
	return tried("one request that changes nothing", s.Platform, s.Settings)
}

// tried names what is asked and where. Settings hold no secrets, and their URL no password.
func tried(what string, platform enum.Platform, settings json.RawMessage) *string {
	var at struct{ URL string }
	if json.Unmarshal(settings, &at) != nil || at.URL == "" {
		return new(fmt.Sprintf("%s, by %s", what, platform))
	}
	return new(fmt.Sprintf("%s, at %s", what, at.URL))
}
