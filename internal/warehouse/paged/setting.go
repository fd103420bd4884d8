package paged

import (
	"net/url"
	"strings"

	"stockbridge/internal/fault"
)

// Setting gathers the faults of an adapter's settings.
type Setting struct{ Faults fault.List }

// Need says that a setting must not be blank.
func (s *Setting) Need(field, value, hint string) {
	if strings.TrimSpace(value) == "" {
		s.Faults = append(s.Faults, fault.At(field, fault.Blank, "%s is missing: %s", field, hint))
	}
}

// Header says that a setting goes into an HTTP header: it may hold neither blanks nor anything beyond ASCII.
func (s *Setting) Header(field, value string) {
	if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
		s.Faults = append(s.Faults, fault.At(field, fault.Invalid, "%s holds blanks or characters that no HTTP header takes: paste it again", field))
	}
}

// Number says that a setting is an id of digits, or blank.
func (s *Setting) Number(field, value string) {
	if len(value) > 18 || strings.Trim(value, "0123456789") != "" {
		s.Faults = append(s.Faults, fault.At(field, fault.Invalid, "%s is an id of digits, such as 1", field))
	}
}

// Address reads the address of an API, or byDefault where it is blank, and leaves out a slash at its end. It is nil beside a fault.
func (s *Setting) Address(field, value, byDefault string) *url.URL {
	if value == "" {
		value = byDefault
	}
	u, err := url.Parse(value)
	why := ""
	switch {
	case err != nil: // the parser's error repeats the address, which may hold a password
		why = "cannot be read: write it as https://host"
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		why = "is no web address: write it as https://host"
	case u.User != nil:
		why = "holds credentials, and addresses are shown: take them out"
	case u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		why = "has a part after ? or #: take it out"
	default:
		u.Path = strings.TrimRight(u.Path, "/")
		return u
	}
	s.Faults = append(s.Faults, fault.At(field, fault.Invalid, "%s %s", field, why))
	return nil
}
