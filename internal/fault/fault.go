// Package fault is the one error type that crosses rooms: a code a client can
// act on, where the fault lies, and words that say how to mend it.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Code names a fault. Codes are part of the public API: they are SCREAMING_CASE and never change meaning.
type Code string

// Codes of faults in what a client sent, and of states that refuse what it asked.
const (
	NotFound     Code = "NOT_FOUND"
	Invalid      Code = "INVALID"
	Blank        Code = "BLANK"
	TooLong      Code = "TOO_LONG"
	Taken        Code = "TAKEN"
	OutOfRange   Code = "OUT_OF_RANGE"
	InUse        Code = "IN_USE"
	Conflict     Code = "CONFLICT"
	StaleVersion Code = "STALE_VERSION"
	BundleCycle  Code = "BUNDLE_CYCLE"
	BundleNested Code = "BUNDLE_NESTED"
	BundleTooFew Code = "BUNDLE_TOO_SMALL"
	UnknownZone  Code = "UNKNOWN_TIME_ZONE"
	InvalidCron  Code = "INVALID_CRON"
	TooFrequent  Code = "TOO_FREQUENT"
	Disabled     Code = "CONNECTION_DISABLED"
	WrongState   Code = "WRONG_STATE"
	TooMany      Code = "TOO_MANY"
	BadFile      Code = "BAD_FILE"
)

// Codes of who is asking: nobody known, or one who may not.
const (
	Unauthenticated Code = "UNAUTHENTICATED"
	Forbidden       Code = "FORBIDDEN"
)

// Codes of requests that cannot go on from where an earlier one was.
const (
	KeyInvalid    Code = "IDEMPOTENCY_KEY_INVALID"
	KeyReused     Code = "IDEMPOTENCY_KEY_REUSED"
	KeyConcurrent Code = "IDEMPOTENCY_CONCURRENT"
	CursorExpired Code = "CURSOR_EXPIRED"
)

// Codes of faults at a warehouse or a store.
const (
	CredentialsRefused Code = "CREDENTIALS_REFUSED"
	Unreachable        Code = "UNREACHABLE"
	AddressRefused     Code = "ADDRESS_REFUSED"
	HostKeyMismatch    Code = "HOST_KEY_MISMATCH"
	PathRefused        Code = "PATH_REFUSED"
	BadReply           Code = "BAD_REPLY"
	BadReport          Code = "BAD_REPORT"
	Throttled          Code = "THROTTLED"
	Refused            Code = "REFUSED"
	Held               Code = "HELD"
	StorePaused        Code = "STORE_PAUSED"
)

// Error is a fault with a code. Field is the path into the input that caused it
// (["input","sku"]), empty where none did. Message says what is wrong and how to
// mend it; it is shown to clients, so it holds no secret.
type Error struct {
	Code    Code
	Field   []string
	Message string
	Err     error     // the cause, for the log only; may be nil
	Until   time.Time // of THROTTLED: when the other side wants to be asked again; zero where it did not say, or was waited for
}

func (e *Error) Error() string {
	msg := e.Message
	if len(e.Field) > 0 {
		msg = strings.Join(e.Field, ".") + ": " + msg
	}
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes a fault that no input field caused.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes a fault around its cause; the message stands without it.
func Wrap(err error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Err: err}
}

// At makes a fault of one input field; field is a dotted path ("input.levels.3.sku").
func At(field string, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Field: strings.Split(field, "."), Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of the first fault in err's chain, or "" when there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Message returns the words of the first fault in err's chain, or err's own.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// List is several faults of one request, told together.
type List []*Error

func (l List) Error() string {
	parts := make([]string, len(l))
	for i, e := range l {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap lets errors.As find each fault.
func (l List) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}

// Add puts a fault to the others, if there is one.
func (l *List) Add(f *Error) {
	if f != nil {
		*l = append(*l, f)
	}
}

// Or returns the list as an error, or nil when it is empty.
func (l List) Or() error {
	if len(l) == 0 {
		return nil
	}
	return l
}
