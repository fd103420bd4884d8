package httppull

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"stockbridge/internal/warehouse"
)

func TestPageIsBounded(t *testing.T) {
	t.Parallel()
	b := &body{r: strings.NewReader("]"), read: maxPage}
	b.allow(maxPage - 1)
	if n, err := b.Read(make([]byte, 1)); n > 0 || err == nil || !strings.Contains(err.Error(), "256 MiB") {
		t.Errorf("beyond the bound %d bytes were read, %v", n, err)
	}
}

// FuzzPage holds that only a whole JSON document is taken for a page, with one level or refusal per item.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		one, `{"levels":[{"sku":1,"available":"2.5"},null,7,[{}]],"nextCursor":3,"complete":true}`, `{"levels":null} `, `{"x":{"levels":[1]}}`, `<html>`, `{"levels":[{"sku":"A\ud800"}]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, reply string) {
		rows := 0
		d := newDecoder(&http.Response{Body: io.NopCloser(iotest.OneByteReader(strings.NewReader(reply)))}, 5, func(l warehouse.Level, e *warehouse.RowError) error {
			rows++
			if (e == nil) == (l.SKU == "") || e == nil && l.Line != 5+rows || e != nil && e.Line != 5+rows {
				t.Fatalf("%q: item %d: %+v, %v", reply, rows, l, e)
			}
			return nil
		})
		p, err := d.page()
		if err == nil && (p.items != rows || !json.Valid([]byte(reply))) || err != nil && (rows > 0 && rows <= pageSize || d.words(err) == "") {
			t.Fatalf("%q: %+v after %d rows, %v", reply, p, rows, err)
		}
	})
}
