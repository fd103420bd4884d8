// Package model holds the Go types of the API that ent has none for: what is written by hand, and what gqlgen generates
// from schema.graphqls.
package model

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// MarshalRowID writes a row's number as the global id of an object of the type whose field it is.
func MarshalRowID(id int64) graphql.ContextMarshaler {
	return graphql.ContextWriterFunc(func(ctx context.Context, w io.Writer) error {
		_, err := io.WriteString(w, strconv.Quote(globalid.New(graphql.GetFieldContext(ctx).Object, id)))
		return err
	})
}

// UnmarshalRowID is what gqlgen demands beside MarshalRowID. Nothing comes in this way: an id alone does not say which
// type is wanted.
func UnmarshalRowID(context.Context, any) (int64, error) {
	return 0, fault.New(fault.Invalid, "an id is read as text")
}

// MarshalInt64 writes an integer. Sums over facilities may exceed 32 bits on the way out.
func MarshalInt64(n int64) graphql.Marshaler { return graphql.MarshalInt64(n) }

// UnmarshalInt64 reads an integer of 32 bits, as GraphQL has them. The error is a fault with code INVALID or OUT_OF_RANGE.
func UnmarshalInt64(v any) (int64, error) {
	n, err := graphql.UnmarshalInt64(v)
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n, err = int64(f), nil // a JSON number that nobody kept as text
	}
	if err != nil {
		return 0, fault.Wrap(err, fault.Invalid, "%.40q is no whole number", fmt.Sprint(v))
	}
	if n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fault.New(fault.OutOfRange, "%d is out of range; write a number from %d to %d", n, math.MinInt32, math.MaxInt32)
	}
	return n, nil
}

// MarshalInt writes an integer.
func MarshalInt(n int) graphql.Marshaler { return graphql.MarshalInt(n) }

// UnmarshalInt is UnmarshalInt64 as int.
func UnmarshalInt(v any) (int, error) {
	n, err := UnmarshalInt64(v)
	return int(n), err
}

// MarshalTime writes a moment in RFC 3339, in UTC.
func MarshalTime(t time.Time) graphql.Marshaler {
	return graphql.MarshalString(t.UTC().Format(time.RFC3339Nano))
}

// UnmarshalTime reads a moment in RFC 3339 with any offset. The error is a fault with code INVALID.
func UnmarshalTime(v any) (time.Time, error) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fault.New(fault.Invalid, "%.40q is no moment; write RFC 3339, such as 2026-03-01T10:07:00Z", fmt.Sprint(v))
}

// MarshalDecimal writes an exact decimal as text.
func MarshalDecimal(d string) graphql.Marshaler { return graphql.MarshalString(d) }

// UnmarshalDecimal reads an exact decimal, a number or text: an optional minus, digits, and at most one point between
// digits. The error is a fault with code INVALID.
func UnmarshalDecimal(v any) (string, error) {
	s := number(v)
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole == "" || point && fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "", fault.New(fault.Invalid, "%.40q is no decimal; write plain digits with at most one point, such as 12.50", s)
	}
	return s, nil
}

// MarshalQuantity writes a reported quantity as it came.
func MarshalQuantity(q string) graphql.Marshaler { return graphql.MarshalString(q) }

// UnmarshalQuantity reads a reported quantity as text, and leaves it to the row's judge whether it is a number.
func UnmarshalQuantity(v any) (string, error) { return number(v), nil }

// number is the text of a number as the parser or a JSON decoder hands it over.
func number(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return fmt.Sprint(v)
	}
}
