package graph

// Planned tells whether a plan answers a subscription that has begun.
func Planned(t *Track) bool { return t.answer != nil }
