package paged

import (
	"encoding/json"
	"fmt"
	"io"
)

// Text takes a JSON string or number as it is written: ids are numbers in some systems, and figures strings in others. null
// is "".
type Text struct {
	S   string
	Odd bool // it is something else, and S its JSON
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Text) UnmarshalJSON(b []byte) error {
	*t = Text{}
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &t.S)
	case 'n':
		return nil
	}
	t.S, t.Odd = string(b), b[0] != '-' && (b[0] < '0' || b[0] > '9')
	return nil
}

// List takes a JSON list apart without reading its items, so that one item that is odd does not spoil its page. There tells
// an empty list from none.
type List struct {
	Items []json.RawMessage
	There bool
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *List) UnmarshalJSON(b []byte) error {
	*l = List{}
	if string(b) == "null" {
		return nil
	}
	l.There = true
	return json.Unmarshal(b, &l.Items)
}

// Bounded is a stream of JSON values of which none may be longer than Value bytes, and all together no longer than All.
type Bounded struct {
	From       io.Reader
	Value, All int64
	Err        error // of From; nil at a proper end

	read, until int64
}

// Allow lets one more value be read after offset, a json.Decoder's InputOffset.
func (b *Bounded) Allow(offset int64) { b.until = min(offset+b.Value, b.All) }

// Read implements io.Reader.
func (b *Bounded) Read(p []byte) (int, error) {
	left := b.until - b.read
	if left <= 0 {
		return 0, fmt.Errorf("it holds a value larger than %d MiB, or is larger than %d MiB", b.Value>>20, b.All>>20)
	}
	n, err := b.From.Read(p[:min(int64(len(p)), left)])
	b.read += int64(n)
	if err != nil && err != io.EOF {
		b.Err = err
	}
	return n, err
}
