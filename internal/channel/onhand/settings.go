package onhand

import (
	"cmp"
	"net/url"
	"strings"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
)

// CheckURL finds fault with the address of a store's API, the setting url.
func CheckURL(raw string) *fault.Error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		// Not repeated: an unreadable URL may hold a password.
		return fault.At("url", fault.Invalid, "the url cannot be used; write it as https://host/path")
	case u.User != nil || u.Fragment != "" || u.RawQuery != "":
		return fault.At("url", fault.Invalid, "the url of %s holds a user, a password, a query or a fragment; take it out", u.Host)
	}
	return nil
}

// CheckHeader finds fault with a setting that is sent in a header.
func CheckHeader(field, value string) *fault.Error {
	if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
		return fault.At(field, fault.Invalid, "%s holds a line break or another character that cannot be sent; take it out", field)
	}
	return nil
}

// CheckSemantics makes the setting quantitySemantics what it means; ON_HAND is meant by "".
func CheckSemantics(s channel.Semantics) (channel.Semantics, *fault.Error) {
	switch s = cmp.Or(s, channel.OnHand); s {
	case channel.OnHand, channel.Available:
		return s, nil
	}
	return s, fault.At("quantitySemantics", fault.Invalid, "quantitySemantics is %q; set it to ON_HAND (our figure plus what the store has allocated is written) or AVAILABLE (our figure is written as it is)", string(s))
}
