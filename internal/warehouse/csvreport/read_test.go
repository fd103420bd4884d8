package csvreport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

// read collects what a file says, rows in short form: "line SKU@facility available/onHand/committed", "line! reason".
func read(text string, columns Columns) (rows []string, err error) {
	figure := func(q warehouse.Quantity) string {
		if !q.Known {
			return "?"
		}
		return fmt.Sprint(q.Units)
	}
	err = Read(context.Background(), iotest.OneByteReader(strings.NewReader(text)), columns, func(l warehouse.Level, e *warehouse.RowError) error {
		if e != nil {
			rows = append(rows, fmt.Sprintf("%d! %s", e.Line, e.Reason))
			return nil
		}
		rows = append(rows, fmt.Sprintf("%d %s@%s %s/%s/%s", l.Line, l.SKU, l.Facility, figure(l.Available), figure(l.OnHand), figure(l.Committed)))
		return nil
	})
	return rows, err
}

// utf16 encodes ASCII text.
func utf16(text string, bigEndian bool) string {
	var b strings.Builder
	for _, r := range "\ufeff" + text {
		hi, lo := byte(r>>8), byte(r)
		if bigEndian {
			b.Write([]byte{hi, lo})
		} else {
			b.Write([]byte{lo, hi})
		}
	}
	return b.String()
}

// wire.md, "File exchange warehouse": columns, delimiters, encodings, quotes.
func TestFileIsReadWhateverItsForm(t *testing.T) {
	t.Parallel()
	type rows = []string
	for name, tt := range map[string]struct {
		text    string
		columns Columns
		want    []string
	}{
		"comma, LF":              {"sku,available\nA,5\nB,6\n", Columns{}, rows{"2 A@ 5/?/?", "3 B@ 6/?/?"}},
		"no last line end":       {"sku,available\nA,5", Columns{}, rows{"2 A@ 5/?/?"}},
		"CRLF":                   {"sku,available\r\nA,5\r\n\r\nB,6\r\n", Columns{}, rows{"2 A@ 5/?/?", "4 B@ 6/?/?"}},
		"lone CR":                {"sku,available\rA,5\r\rB,6\r", Columns{}, rows{"2 A@ 5/?/?", "4 B@ 6/?/?"}},
		"semicolon":              {"sku;available\nA,x;5\n", Columns{}, rows{"2 A,x@ 5/?/?"}},
		"tab":                    {"sku\tavailable\t\nA;x\t5\t\n", Columns{}, rows{"2 A;x@ 5/?/?"}},
		"bar":                    {"sku|available\nA|5\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"more commas than bars":  {"sku|available|what, where, why, how\nA|5|,\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"delimiter in quotes":    {"\"sku\";\"a,b,c,d\";\"available\"\nA;;5\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"UTF-8 with mark":        {"\xef\xbb\xbfsku,available\nÄ,5\n", Columns{}, rows{"2 Ä@ 5/?/?"}},
		"two marks":              {"\xef\xbb\xbf\xef\xbb\xbfsku,available\nA,5\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"UTF-16 LE":              {utf16("sku;available\r\nA;5\r\n", false), Columns{}, rows{"2 A@ 5/?/?"}},
		"UTF-16 BE":              {utf16("sku\tavailable\nÄ\t5\n", true), Columns{}, rows{"2 Ä@ 5/?/?"}},
		"blank lines first":      {"\n\r\nsku,available\n\nA,5\n", Columns{}, rows{"5 A@ 5/?/?"}},
		"blank rows":             {"sku,available\n,\nA,5\n ,\t\n   \n", Columns{}, rows{"3 A@ 5/?/?"}},
		"all columns":            {"Item SKU,QTY,Quantity_On-Hand,Allocated,Facility Id,Updated At\nA,5,7,2,EAST,2026-01-02\n", Columns{}, rows{"2 A@EAST 5/7/2"}},
		"other names":            {"ITEM,On Hand,Committed,Location\nA,7,,W\n", Columns{}, rows{"2 A@W ?/7/?"}},
		"other columns":          {"sku,name,name,available\nA,x,y,5\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"quoted cells":           {"sku,available\n\"A \"\"x\"\", y\",\"5\"\n", Columns{}, rows{`2 A "x", y@ 5/?/?`}},
		"line break in quotes":   {"sku,note,available\nA,\"one\r\ntwo\rthree\n\",5\nB,,6\n", Columns{}, rows{"2 A@ 5/?/?", "6 B@ 6/?/?"}},
		"blanks around quotes":   {"sku, available\n\"A\" , \"5\"  \n", Columns{}, rows{"2 A@ 5/?/?"}},
		"quote inside a cell":    {"sku,available\n5\" pipe,3\n", Columns{}, rows{`2 5" pipe@ 3/?/?`}},
		"cell of two quotes":     {"sku,facility,available\nA,\"\",3\n", Columns{}, rows{"2 A@ 3/?/?"}},
		"delimiter at row ends":  {"sku,available\nA,5,\nB,6, ,\n", Columns{}, rows{"2 A@ 5/?/?", "3 B@ 6/?/?"}},
		"delimiter at header":    {"sku,available,,\nA,5\nB,6,\n", Columns{}, rows{"2 A@ 5/?/?", "3 B@ 6/?/?"}},
		"UTF-8 error elsewhere":  {"sku,name,available\nA,Gr\xf6\xdfe,5\n", Columns{}, rows{"2 A@ 5/?/?"}},
		"no figure at all":       {"sku,available\nA,\n", Columns{}, rows{"2 A@ ?/?/?"}},
		"no figure but one":      {"sku,available,onhand\nA,,7\n", Columns{}, rows{"2 A@ ?/7/?"}},
		"names mapped":           {"Artikel Nr;Frei;Lager\nA;5;W\n", Columns{SKU: "artikel-nr", Available: "FREI", Facility: "Lager"}, rows{"2 A@W 5/?/?"}},
		"name taken from others": {"sku,quantity\nA,7\n", Columns{OnHand: "quantity"}, rows{"2 A@ ?/7/?"}},
		"ambiguity settled":      {"sku,warehouse,location,qty\nA,W,L,5\n", Columns{Facility: "warehouse"}, rows{"2 A@W 5/?/?"}},
		"column left out":        {"sku,warehouse,location,qty\nA,W,L,5\n", Columns{Facility: "-"}, rows{"2 A@ 5/?/?"}},
		"positions":              {"A,x,5\nB,y,6\n", Columns{SKU: "1", Available: "3"}, rows{"1 A@ 5/?/?", "2 B@ 6/?/?"}},
		"positions, semicolon":   {"A,1;x;5\n", Columns{SKU: "1", Available: " 3 "}, rows{"1 A,1@ 5/?/?"}},
		"positions, decimals":    {"A\t2.5\t7\n", Columns{SKU: "1", Available: "2", OnHand: "3"}, rows{"1 A@ 2/7/?"}},
		"record type":            {"HD,20261123\nIN,A,5\nIN,B,6\nTR,2,,,,\n", Columns{RecordType: "IN", SKU: "2", Available: "3"}, rows{"2 A@ 5/?/?", "3 B@ 6/?/?"}},
		"record type, header":    {"type;sku;available\nIN;A;5\nXX;B;6\n \"IN\" ;C;7\n", Columns{RecordType: "IN"}, rows{"2 A@ 5/?/?", "4 C@ 7/?/?"}},
		"SKU like a header name": {"sku,available\nsku,5\n", Columns{}, rows{"2 sku@ 5/?/?"}},
	} {
		if got, err := read(tt.text, tt.columns); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, tt.want)
		}
	}
}

// spec 6: a row that cannot be used is rejected with its line number and reason; the other rows count.
func TestBadRowIsRefusedAndOthersCount(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ row, reason string }{
		"no SKU":             {",5", "no SKU"},
		"not a number":       {"X,many", "not a number"},
		"ambiguous":          {`X,"1,234"`, "ambiguous"},
		"too few cells":      {"X", "1 cells where 2 belong"},
		"too many cells":     {"X,1,234", "3 cells where 2 belong"},
		"not UTF-8":          {"Gr\xf6\xdfe,5", "not text"},
		"text after a quote": {`"X"y,5`, "closing quote"},
		"quote never doubled": {
			`"X "y", z",5`, "closing quote"},
	} {
		got, err := read("sku,available\nA,5\n"+tt.row+"\nB,6\n", Columns{})
		if err != nil || len(got) != 3 || got[0] != "2 A@ 5/?/?" || got[2] != "4 B@ 6/?/?" || !strings.HasPrefix(got[1], "3! ") || !strings.Contains(got[1], tt.reason) {
			t.Errorf("%s: got %q, %v; want %q on line 3", name, got, err, tt.reason)
		}
	}
	got, err := read("A,5\nB\nC,6,7\n\"D\"x\n", Columns{SKU: "1", Available: "2"})
	if err != nil || len(got) != 4 || !strings.HasPrefix(got[1], "2! 1 cells") || !strings.HasPrefix(got[2], "3! 3 cells") || !strings.HasPrefix(got[3], "4! ") {
		t.Errorf("without header: got %q, %v", got, err)
	}
}

// spec 3.10: a complete report still names the SKU of a row with too many cells.
func TestBadRowTellsItsSKU(t *testing.T) {
	t.Parallel()
	var skus []string
	err := Read(t.Context(), strings.NewReader("sku,available\nA,1,234\nB,many\n"), Columns{}, func(_ warehouse.Level, e *warehouse.RowError) error {
		skus = append(skus, e.SKU)
		return nil
	})
	if err != nil || !reflect.DeepEqual(skus, []string{"A", "B"}) {
		t.Errorf("got %q, %v", skus, err)
	}
}

// spec 6: a report without a usable header, half-written, not text or empty is refused as a whole.
func TestFileThatCannotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text    string
		columns Columns
		words   string
		empty   bool
	}{
		"nothing":               {"", Columns{}, "empty", true},
		"nothing, no header":    {"", Columns{SKU: "1", Available: "2"}, "no rows", true},
		"a mark":                {"\xef\xbb\xbf", Columns{}, "empty", true},
		"a UTF-16 mark":         {"\xff\xfe", Columns{}, "empty", true},
		"blank lines":           {"\r\n\n\n", Columns{}, "empty", true},
		"a header only":         {"sku,available\n", Columns{}, "no rows", true},
		"a header and blanks":   {"sku,available\n\n,,\n", Columns{}, "no rows", true},
		"other records only":    {"HD,1\nTR,0\n", Columns{RecordType: "IN", SKU: "2", Available: "3"}, "no rows", true},
		"no header":             {"A,5\nB,6\n", Columns{}, `no SKU column (sku, item, itemsku): rename one, name it in columns.sku`, false},
		"columns named":         {"foo;bar\nA;5\n", Columns{}, `it has "foo", "bar"`, false},
		"no SKU column":         {"article,available\nA,5\n", Columns{}, "no SKU column", false},
		"no quantity column":    {"sku,committed\nA,5\n", Columns{}, "no quantity column", false},
		"header of one column":  {"sku\nA\n", Columns{}, "no quantity column", false},
		"a column twice":        {"sku,available,Avail_able\nA,5,6\n", Columns{}, `columns 2 and 3, "available" and "Avail_able", could both be available`, false},
		"two SKU columns":       {"sku,item,available\nA,B,6\n", Columns{}, "columns.sku", false},
		"two facility columns":  {"sku;qty;warehouse;location\nA;5;W;L\n", Columns{}, "columns.facility", false},
		"mapped column gone":    {"sku,available\nA,5\n", Columns{Facility: "Lager"}, `the column "Lager" that columns.facility names is not there`, false},
		"mapped column twice":   {"sku,available,x,X\nA,5,,\n", Columns{Facility: "x"}, "could both be facility", false},
		"misquoted header":      {"\"sku\"x,available\nA,5\n", Columns{}, "no usable header on line 1", false},
		"NUL":                   {"sku,available\nA,5\nB\x00,6\n", Columns{}, "NUL byte on line 3", false},
		"NUL in quotes":         {"sku,available\n\"A\n\x00\",5\n", Columns{}, "NUL byte on line 3", false},
		"UTF-16 without mark":   {utf16("sku,available\n", false)[2:], Columns{}, "byte order mark", false},
		"UTF-16 cut in half":    {utf16("sku,available\nA,5\nB,66", false) + "6", Columns{}, "cut short", false},
		"UTF-32":                {"\xff\xfe\x00\x00s\x00\x00\x00", Columns{}, "NUL", false},
		"a zip file":            {"PK\x03\x04\x14\x00\x00\x00\x08", Columns{}, "NUL", false},
		"cut in quotes":         {"sku,available\nA,5\n\"B,6", Columns{}, "quotes that open in the record on line 3", false},
		"cut in quotes, header": {"\"sku,available", Columns{}, "cut short", false},
		"quote missing":         {"sku,available\nA,5\n\"B,6\nC,7\n\"D\",8\n", Columns{}, "lines 3 to 5 do not match", false},
		"quote missing to 1 MB": {"sku,available\n\"B,6\n" + strings.Repeat("C,7\n", 1<<18), Columns{}, "line 2 is longer than 1 MiB", false},
		"line without end":      {"sku,available\n" + strings.Repeat("x", 1<<20+1), Columns{}, "longer than 1 MiB", false},
	} {
		_, err := read(tt.text, tt.columns)
		if fault.CodeOf(err) != fault.BadReport || !strings.Contains(fault.Message(err), tt.words) || errors.Is(err, warehouse.ErrEmpty) != tt.empty {
			t.Errorf("%s: %v; want BAD_REPORT with %q", name, err, tt.words)
		}
	}
}

// A missing quote must not draw the rest of a file into memory.
func TestRecordIsBounded(t *testing.T) {
	t.Parallel()
	endless := &counted{r: io.MultiReader(strings.NewReader("sku,available\n\"A,5\n"), forever("x,1\n"))}
	err := Read(t.Context(), endless, Columns{}, func(warehouse.Level, *warehouse.RowError) error { return nil })
	if fault.CodeOf(err) != fault.BadReport || endless.n > 2<<20 {
		t.Errorf("%d bytes were read: %v", endless.n, err)
	}
}

type forever string

func (f forever) Read(p []byte) (int, error) { return copy(p, f), nil }

type counted struct {
	r io.Reader
	n int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// A cut connection, a refusing caller and a canceled context end the reading with their own error, wherever they come.
func TestErrorEndsReading(t *testing.T) {
	t.Parallel()
	const text = "sku,available\nA,5\n\"B\",6\n"
	cut := errors.New("connection lost")
	pass := func(warehouse.Level, *warehouse.RowError) error { return nil }
	for _, encoded := range []string{text, utf16(text, true)} {
		for n := range len(encoded) + 1 {
			err := Read(t.Context(), io.MultiReader(strings.NewReader(encoded[:n]), iotest.ErrReader(cut)), Columns{}, pass)
			if !errors.Is(err, cut) {
				t.Errorf("cut after %q: %v", encoded[:n], err)
			}
		}
	}
	full := errors.New("disk full")
	rows := 0
	err := Read(t.Context(), strings.NewReader(text), Columns{}, func(warehouse.Level, *warehouse.RowError) error { rows++; return full })
	if !errors.Is(err, full) || rows != 1 {
		t.Errorf("after %d rows: %v", rows, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	rows = 0
	err = Read(ctx, generated(100_000), Columns{}, func(warehouse.Level, *warehouse.RowError) error { rows++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || rows > 1000 {
		t.Errorf("after %d rows: %v", rows, err)
	}
}

// Memory stays flat however long the file is. Not parallel: it measures the heap.
func TestLongFileIsNotHeldInMemory(t *testing.T) {
	live := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most, rows := live(), uint64(0), 0
	err := Read(t.Context(), generated(200_000), Columns{}, func(warehouse.Level, *warehouse.RowError) error {
		if rows++; rows%20_000 == 0 {
			most = max(most, live())
		}
		return nil
	})
	if err != nil || rows != 200_000 {
		t.Fatalf("%d rows: %v", rows, err)
	}
	if most > before+1<<20 {
		t.Errorf("%d bytes live before, %d while 7 MB were read", before, most)
	}
}

// generated is a report of so many rows that is never in memory as a whole.
func generated(rows int) io.Reader {
	head, row := "sku,facility,available,on hand\n", 0
	return readerFunc(func(p []byte) (int, error) {
		buf := append(p[:0], head...)
		for head = ""; row < rows && len(buf)+64 <= len(p); row++ {
			buf = fmt.Appendf(buf, "SKU-%08d,EAST,%d,%d\n", row, row%97, row%101)
		}
		if len(buf) == 0 {
			return 0, io.EOF
		}
		return len(buf), nil
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// On two shared cores 1M rows take 0.5 s and about 150 bytes of garbage each.
func BenchmarkReadMillionRows(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := Read(b.Context(), generated(1_000_000), Columns{}, func(warehouse.Level, *warehouse.RowError) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
