// Package schedule holds the pure rules of when a sync runs next (spec 3.7).
package schedule
