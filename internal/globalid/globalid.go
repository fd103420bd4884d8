// Package globalid makes and reads the opaque ids of the public API (Relay's global
// object identification): a type's name and a row's number in unpadded URL-safe base64.
package globalid

import (
	"encoding/base64"
	"strconv"
	"strings"

	"stockbridge/internal/fault"
)

// New makes the public id of a row.
func New(typ string, id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(typ + ":" + strconv.FormatInt(id, 10)))
}

// Split reads a public id. A text that is none is a fault with code NOT_FOUND, as is any id that names nothing.
func Split(id string) (typ string, row int64, err error) {
	raw, derr := base64.RawURLEncoding.DecodeString(id)
	typ, num, ok := strings.Cut(string(raw), ":")
	if derr == nil && ok {
		row, derr = strconv.ParseInt(num, 10, 64)
	}
	if derr != nil || !ok || typ == "" || row <= 0 || New(typ, row) != id {
		return "", 0, fault.New(fault.NotFound, "no object has the id %.80q; ids are opaque, use them exactly as the API gave them", id)
	}
	return typ, row, nil
}

// Of reads a public id that must be of one type.
func Of(typ, id string) (int64, error) {
	got, row, err := Split(id)
	if err != nil {
		return 0, err
	}
	if got != typ {
		return 0, fault.New(fault.NotFound, "%.80q is the id of a %s, where the id of a %s is needed", id, got, typ)
	}
	return row, nil
}
