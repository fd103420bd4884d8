package database

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"stockbridge/ent"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/fault"
)

// What people set comes in as one plain struct a change; its texts are trimmed here. Where it is refused, the error holds
// a fault.List with everything that is wrong with it, or a single *fault.Error; fields are named as the API names
// them, relative to the input ("name", "components.1.quantity"). What names a row that is not there, or is another
// merchant's, is a fault NOT_FOUND of "warehouseId", "storeId" and so on. Rows come back as they are after the change.
// They belong to a transaction that is over: read their fields, and load what they refer to through a Reader.

// Opt is a nullable field of an update: left as it is (the zero value), set, or cleared (Set without a Value).
type Opt[T any] struct {
	Set   bool
	Value *T
}

// put sets or clears a nullable column.
func put[T, U any](v *T, set func(T) U, unset func() U) {
	if v != nil {
		set(*v)
	} else {
		unset()
	}
}

// PlatformSettings say how a warehouse or a store is reached. Who makes them checks and seals them.
type PlatformSettings struct {
	Platform enum.Platform
	Settings json.RawMessage // an object in the open; nil is {}
	// Secrets are sealed. On an update nil keeps those stored, if the platform stays the same; empty ones clear them.
	Secrets []byte
}

// Bounds of what people set.
const (
	maxText  = 255       // bytes of a name, a code or a SKU
	maxItems = 1000      // limits, locations, links, components or shares of one thing
	maxUnits = 1<<31 - 1 // of a quantity
)

// change runs f as a transaction that no other change of the merchant's settings runs beside, so that what f finds
// free, present or unused is so until the commit. The merchant 0 stands for the list of merchants, and the tokens.
func change[T any](ctx context.Context, db *DB, merchantID int64, what string, f func(*tx) (T, error)) (T, error) {
	var row T
	err := db.inTx(ctx, func(t *tx) (err error) {
		if err = t.lock(ctx, lockSettings, merchantID); err == nil {
			row, err = f(t)
		}
		return err
	})
	if err != nil {
		var none T
		return none, fmt.Errorf("%s: %w", what, err)
	}
	return row, nil
}

// remove is change for what leaves no row.
func remove(ctx context.Context, db *DB, merchantID int64, what string, f func(*tx) error) error {
	_, err := change(ctx, db, merchantID, what, func(t *tx) (struct{}, error) { return struct{}{}, f(t) })
	return err
}

// found turns ent's word for a row that is not there into a fault of the field that named it.
func found(err error, field, what string) error {
	if ent.IsNotFound(err) {
		return missing(field, what)
	}
	return err
}

func missing(field, what string) *fault.Error {
	return fault.At(field, fault.NotFound, "no %s that can be used here has this id: take one that the API gave", what)
}

// upToDate refuses a change that was made against another version of a row than the one stored.
func upToDate(expected *int64, version int64) error {
	if expected != nil && *expected != version {
		return fault.At("expectedVersion", fault.StaleVersion, "the version is %d by now, not %d: read it again, and change that", version, *expected)
	}
	return nil
}

// check gathers what is wrong with an input.
type check struct{ faults fault.List }

func (c *check) add(field string, code fault.Code, format string, args ...any) {
	c.faults = append(c.faults, fault.At(field, code, format, args...))
}

// keep gathers err if it is of faults, and gives it back if it is anything else.
func (c *check) keep(err error) error {
	var list fault.List
	var one *fault.Error
	switch {
	case errors.As(err, &list):
		c.faults = append(c.faults, list...)
	case errors.As(err, &one):
		c.faults = append(c.faults, one)
	default:
		return err
	}
	return nil
}

// text trims s and refuses what is longer than most bytes. What no database holds is refused and left out.
func (c *check) text(field, s string, most int) string {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		c.add(field, fault.Invalid, "the text holds a NUL or is not UTF-8: leave such characters out")
		return ""
	}
	if len(s) > most {
		c.add(field, fault.TooLong, "the text is %d bytes long in UTF-8: shorten it to %d at most", len(s), most)
	}
	return s
}

// name is text that is needed: a name, a code or a SKU.
func (c *check) name(field, s string) string {
	if strings.TrimSpace(s) == "" {
		c.add(field, fault.Blank, "this is needed: write 1 to %d bytes of text, not counting white space around it", maxText)
	}
	return c.text(field, s, maxText)
}

// free refuses a name that another row has.
func (c *check) free(field, name, what string, taken bool) {
	if taken {
		c.add(field, fault.Taken, "another %s is called %.80q: choose another", what, name)
	}
}

// optional is text that may be missing; blank is.
func (c *check) optional(field string, s *string, most int) *string {
	if s == nil {
		return nil
	}
	if trimmed := c.text(field, *s, most); trimmed != "" {
		return &trimmed
	}
	return nil
}

// webAddress is an optional http or https URL, since pages show what is behind it.
func (c *check) webAddress(field string, s *string) *string {
	s = c.optional(field, s, 2048)
	if s == nil {
		return nil
	}
	if u, err := url.Parse(*s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		c.add(field, fault.Invalid, "%.80q is no web address: write one that begins with https:// or http://", *s)
	}
	return s
}

// within holds a number to its range; nil is no number.
func within[N int | int64](c *check, field string, n *N, low, high N) {
	if n != nil && (*n < low || *n > high) {
		c.add(field, fault.OutOfRange, "%d is out of range: write %d to %d", *n, low, high)
	}
}

// few refuses lists that are too long to be meant.
func (c *check) few(field string, n int) bool {
	if n > maxItems {
		c.add(field, fault.TooMany, "there are %d: %d at most are possible", n, maxItems)
	}
	return n <= maxItems
}

// oneOf holds a value to its set; blank is the default.
func oneOf[T interface {
	~string
	Values() []string
}](c *check, field string, v, preset T) T {
	v = cmp.Or(v, preset)
	if !slices.Contains(v.Values(), string(v)) {
		c.add(field, fault.Invalid, "%.40q is unknown: write one of %s", string(v), strings.Join(v.Values(), ", "))
	}
	return v
}

// kept are the secrets to store where a platform and secrets are stored already.
func (p PlatformSettings) kept(platform enum.Platform, secrets []byte) []byte {
	switch {
	case p.Secrets == nil && p.Platform == platform:
		return secrets
	case len(p.Secrets) == 0:
		return nil
	}
	return p.Secrets
}

// platform readies what a warehouse or a store is reached by for storing.
func (c *check) platform(p PlatformSettings) PlatformSettings {
	if p.Platform == "" {
		c.add("platform", fault.Blank, "this is needed: choose a platform")
	} else {
		oneOf(c, "platform", p.Platform, "")
	}
	if p.Settings == nil {
		p.Settings = json.RawMessage("{}")
	}
	if strings.Contains(string(p.Settings), `\u0000`) {
		c.add("platform", fault.Invalid, "the settings hold a NUL: leave it out")
	}
	return p
}
