package catalog

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"stockbridge/ent/schema/enum"
)

// writer writes rows of texts, whole numbers, flags and moments, or pointers to such, in the order of the columns. Values are
// written exactly: a text that a spreadsheet would take for a formula stays what it is.
type writer struct {
	columns []string
	csv     *csv.Writer // nil for JSON Lines
	lines   *bufio.Writer
}

func newWriter(to io.Writer, format enum.ImportFormat, columns []string) *writer {
	if format == enum.CSV {
		w := &writer{columns: columns, csv: csv.NewWriter(to)}
		_ = w.csv.Write(columns) // its errors come with flush
		return w
	}
	return &writer{columns: columns, lines: bufio.NewWriterSize(to, 1<<15)}
}

func (w *writer) row(values ...any) error {
	for n, v := range values {
		values[n] = plain(v)
	}
	if w.csv != nil {
		cells := make([]string, len(values))
		for n, v := range values {
			switch v := v.(type) {
			case string:
				cells[n] = v
			case int64:
				cells[n] = strconv.FormatInt(v, 10)
			case bool:
				cells[n] = strconv.FormatBool(v)
			}
		}
		return w.csv.Write(cells)
	}
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	for n, v := range values {
		line.WriteByte("{,"[min(n, 1)])
		fmt.Fprintf(&line, "%q:", w.columns[n])
		if err := enc.Encode(v); err != nil {
			return err
		}
		line.Truncate(line.Len() - 1) // the line break
	}
	line.WriteString("}\n")
	_, err := w.lines.Write(line.Bytes())
	return err
}

func (w *writer) flush() error {
	if w.csv != nil {
		w.csv.Flush()
		return w.csv.Error()
	}
	return w.lines.Flush()
}

// plain is a value as text, number, flag, or nil for none.
func plain(v any) any {
	switch v := v.(type) {
	case *string:
		if v != nil {
			return *v
		}
	case *int64:
		if v != nil {
			return *v
		}
	case *time.Time:
		if v != nil {
			return plain(*v)
		}
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	default:
		return v
	}
	return nil
}
