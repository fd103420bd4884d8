// Package schedule holds the pure rules of when a sync runs next (spec 3.7).
//
// A schedule is a list of rules that add up. MINUTELY rules count real time from an
// anchor. All others name wall-clock times of a zone, in whole minutes. A wall-clock
// time that the zone skips runs when the skip ends, together with all others of the
// same skip; one that comes twice runs the first time only.
package schedule
