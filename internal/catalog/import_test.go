package catalog_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"

	"stockbridge/ent"
	"stockbridge/ent/planmark"
	"stockbridge/ent/schema/enum"
	"stockbridge/internal/database"
	"stockbridge/internal/fault"
	"stockbridge/internal/globalid"
)

// spec 5, importCatalog: what is there is changed, what is new is made, and what is the same left alone.
func TestUpsert(t *testing.T) {
	each(t, func(outer *world) {
		for name, tc := range map[string]struct{ kind, text, want, then string }{
			"products":                    {"products", "sku,name\n A ,Pear\nG,Grape\nB,\n", "SUCCEEDED 1+1=1!0", "A,Pear,1,https://example.com/a\n"},
			"blank cells clear":           {"products", "SKU;Name;UPC;Image URL\nA;;;\n", "SUCCEEDED 0+1=0!0", "A,,,\n"},
			"components are replaced":     {"components", "bundleSku,componentSku,quantity\nKIT,C,2\n", "SUCCEEDED 0+1=0!0", "quantity\nKIT,C,2\n"},
			"components in another order": {"components", "quantity,componentSku,bundleSku\n1,B,KIT\n2,A,KIT\n", "SUCCEEDED 0+0=2!0", "KIT,A,2\nKIT,B,1\n"},
			"a bundle's rows apart":       {"components", "bundleSku,componentSku,quantity\nKIT,C,1\nF,D,2\nKIT,D,1\n", "SUCCEEDED 1+2=0!0", "F,D,2\nKIT,C,1\nKIT,D,1\n"},
			"bundle and component swap":   {"components", "bundleSku,componentSku,quantity\nA,D,2\nKIT,C,2\n", "SUCCEEDED 1+1=0!0", "A,D,2\nKIT,C,2\n"},
			"listings":                    {"listings", "store,sku,channelSku\nShop,A,A-shop\nOutlet,A,A-shop\nShop,B,\n", "SUCCEEDED 2+0=1!0", "Shop,A,A-shop,true,5,"},
			"a listing's product":         {"listings", "store,sku,channelSku,inventoryEnabled,maxQuantity\n" + "Shop,B,A-shop,FALSE,\n", "SUCCEEDED 0+1=0!0", "Shop,B,A-shop,false,,"},
			"one column":                  {"products", "sku\nA\nZ\n", "SUCCEEDED 1+0=1!0", "Z,,,\n"},
			"header alone":                {"products", "sku\n", "SUCCEEDED 0+0=0!0", "A,Apple,1,"},
			"blank lines and cells":       {"products", "sku,name,,\n\nZ,,,\n,,,\n", "SUCCEEDED 1+0=0!0", "Z,,,\n"},
		} {
			outer.Run(name, func(t *testing.T) {
				w := outer.with(t, name)
				w.fill()
				w.want(w.bring(database.NewImport{Kind: kinds[tc.kind], DryRun: true}, tc.text), tc.want)
				before := w.all(w.m)
				w.want(w.bring(database.NewImport{Kind: kinds[tc.kind]}, tc.text), tc.want)
				if strings.Contains(tc.want, "0+0") != (before == w.all(w.m)) || !strings.Contains(w.all(w.m), tc.then) {
					w.Errorf("now it is\n%s", w.all(w.m))
				}
				if !strings.Contains(tc.then, "swap") { // once more: all the same
					again := w.bring(database.NewImport{Kind: kinds[tc.kind]}, tc.text)
					if !strings.HasPrefix(again, "SUCCEEDED 0+0=") {
						w.Error(again)
					}
				}
			})
		}
	})
}

// spec 6: rows that cannot be used are told by line, column and code, as the single mutations do; with REJECT_ALL nothing
// changes, with SKIP_ROWS all others come in.
func TestRowsAreRefused(t *testing.T) {
	each(t, func(outer *world) {
		long := strings.Repeat("x", 256)
		for name, tc := range map[string]struct {
			kind, text, want string
			skipped          string // how it ends with SKIP_ROWS
		}{
			"product fields": {"products", "sku,name,upc,imageUrl\n,n,,\n" + long + ",,,\nG," + long + "," + strings.Repeat("1", 65) + ",ftp://x\nH,,,\n",
				"\n2 BLANK sku\n3 TOO_LONG sku " + long[:40] + "\n4 TOO_LONG name G\n4 TOO_LONG upc G\n4 INVALID imageUrl G", "PARTIAL 1+0=0!3"},
			"product twice":       {"products", "sku,name\nG,1\nH,\nG ,2\nG,1\n", "\n4 TAKEN sku G\n5 TAKEN sku G", "PARTIAL 2+0=0!2"},
			"not UTF-8":           {"products", "sku,name\nG,\xff\n\xfe,\nH,\n", "\n2 INVALID name G\n3 INVALID sku", "PARTIAL 1+0=0!2"},
			"too many cells":      {"products", "sku,name\nG,1,2,3,4,5,6\nH,\n", "\n2 INVALID  G", "PARTIAL 1+0=0!1"},
			"too few cells":       {"products", "sku,name,upc\nG\nH,,\n", "\n2 INVALID name G", "PARTIAL 1+0=0!1"},
			"misquoted":           {"products", "sku,name\nG,\"a\"b\nH,\n", "\n2 INVALID", "PARTIAL 1+0=0!1"},
			"quantities":          {"components", "bundleSku,componentSku,quantity\nC,A,0\nD,A,x\nE,A,\nF,A,99999999999999999999\nF,B,1.5\nKIT,B,2\n", "\n2 OUT_OF_RANGE quantity C\n3 INVALID quantity D\n4 BLANK quantity E\n5 OUT_OF_RANGE quantity F\n6 INVALID quantity F", "PARTIAL 0+1=0!5"},
			"a bundle as a whole": {"components", "bundleSku,componentSku,quantity\nC,A,2\nKIT,D,2\nC,NONE,1\nC,B,-1\n", "\n2 CONFLICT  C\n4 CONFLICT  C\n5 OUT_OF_RANGE quantity C", "PARTIAL 0+1=0!3"},
			"components":          {"components", "bundleSku,componentSku,quantity\nC,NONE,2\nC,A,1\nNONE,A,2\nD,D,2\nE,A,1\nE,A,1\nF,B,1\nKIT,E,2\n", "\n2 NOT_FOUND componentSku C\n3 CONFLICT  C\n4 NOT_FOUND bundleSku NONE\n5 BUNDLE_CYCLE componentSku D\n6 CONFLICT  E\n7 TAKEN componentSku E\n8 BUNDLE_TOO_SMALL  F\n9 BUNDLE_NESTED componentSku KIT", "FAILED 0+0=0!8 INVALID"},
			"nesting in what is":  {"components", "bundleSku,componentSku,quantity\nC,KIT,2\nA,D,2\n", "\n2 BUNDLE_NESTED componentSku C\n3 BUNDLE_NESTED  A", "FAILED 0+0=0!2 INVALID"},
			"nesting in the file": {"components", "bundleSku,componentSku,quantity\nC,D,2\nD,E,2\n", "\n2 BUNDLE_NESTED componentSku C", "PARTIAL 1+0=0!1"},
			"cycle in the file":   {"components", "bundleSku,componentSku,quantity\nC,D,2\nD,C,2\n", "\n2 BUNDLE_CYCLE componentSku C\n3 BUNDLE_CYCLE componentSku D", "FAILED 0+0=0!2 INVALID"},
			"what frees is bad":   {"components", "bundleSku,componentSku,quantity\nKIT,NONE,2\nA,D,2\n", "\n2 NOT_FOUND componentSku KIT\n3 BUNDLE_NESTED bundleSku A", "FAILED 0+0=0!2 INVALID"},
			"component not UTF-8": {"components", "bundleSku,componentSku,quantity\nC,\xff,2\nC,A,2\nKIT,D,2\n", "\n2 INVALID componentSku C\n3 CONFLICT  C", "PARTIAL 0+1=0!2"},
			"no bundle":           {"components", "bundleSku,componentSku,quantity\n,A,2\nKIT,C,2\n", "\n2 BLANK bundleSku", "PARTIAL 0+1=0!1"},
			"listings": {"listings", "store,sku,channelSku,inventoryEnabled,maxQuantity,price\nNowhere,A,a,,,\nShop,NONE,b,,,\nShop,A,c,maybe,-1,1 EUR\n,,,,,2\nShop,B,b,,,\n",
				"\n2 NOT_FOUND store A\n3 NOT_FOUND sku NONE\n4 INVALID inventoryEnabled A\n4 OUT_OF_RANGE maxQuantity A\n4 INVALID price A\n5 BLANK store\n5 BLANK sku\n6 TAKEN channelSku B", "FAILED 0+0=0!5 INVALID"},
			"channel SKU twice": {"listings", "store,sku,channelSku\nShop,A,\nShop,B,A\nOutlet,B,A\n", "\n3 TAKEN channelSku B", "PARTIAL 2+0=0!1"},
		} {
			outer.Run(name, func(t *testing.T) {
				w := outer.with(t, name)
				w.fill()
				before, marks := w.all(w.m), w.marked()
				for _, dry := range []bool{true, false} {
					got := w.bring(database.NewImport{Kind: kinds[tc.kind], DryRun: dry}, tc.text)
					head, problems, _ := strings.Cut(got, "\n")
					if !strings.HasPrefix(head, "FAILED 0+0=0!") || !strings.HasSuffix(head, " INVALID") {
						w.Error(head)
					}
					w.want("\n"+problems, tc.want)
				}
				got := w.bring(database.NewImport{Kind: kinds[tc.kind], DryRun: true, OnError: enum.SkipRows}, tc.text)
				w.want(got, tc.skipped+tc.want)
				if w.all(w.m) != before || len(w.marked()) != len(marks) {
					w.Errorf("it is changed:\n%s", w.all(w.m))
				}
				got = w.bring(database.NewImport{Kind: kinds[tc.kind], OnError: enum.SkipRows}, tc.text)
				w.want(got, tc.skipped+tc.want)
				if (w.all(w.m) == before) != strings.HasPrefix(tc.skipped, "FAILED") {
					w.Errorf("now it is\n%s", w.all(w.m))
				}
			})
		}
	})
}

func utf16(text string) string {
	return must(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text))
}

// spec 6: a file that cannot be used as a whole leaves all as it was, whatever onError says, and the line is named.
func TestFilesAreRefused(t *testing.T) {
	each(t, func(w *world) {
		w.fill()
		before := w.all(w.m)
		for name, tc := range map[string]struct {
			kind, text, line, says string
			format                 enum.ImportFormat
		}{
			"empty":                    {"products", "", "1 BAD_FILE", "header", enum.CSV},
			"unknown column":           {"products", "sku,name,colour\nG,,\n", "1 BAD_FILE colour", `column 3 of the header, "colour"`, enum.CSV},
			"five columns too many":    {"products", "sku,name,upc,imageUrl,a,b,c,d,e\nG,,,,,,,,\n", "1 BAD_FILE a", "column 5", enum.CSV},
			"column without a name":    {"products", "sku,,name\nG,,\n", "1 BAD_FILE", "column 2", enum.CSV},
			"column twice":             {"products", "sku,name,Name\nG,,\n", "1 BAD_FILE name", "columns 2 and 3", enum.CSV},
			"needed column missing":    {"components", "bundleSku,componentSku\nKIT,A\n", "1 BAD_FILE quantity", "no column quantity", enum.CSV},
			"no header":                {"products", "G,Grape\n", "1 BAD_FILE G", "unknown", enum.CSV},
			"garbage":                  {"products", "\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "1 BAD_FILE \ufffdPNG", "unknown", enum.CSV},
			"NUL on a row":             {"products", "sku\nG\n\x00\n", "3 BAD_FILE", "NUL", enum.CSV},
			"UTF-16 without mark":      {"products", utf16("sku\nG\n")[2:], "1 BAD_FILE", "byte order mark", enum.CSV},
			"cut in quotes":            {"products", "sku,name\nG,1\nH,\"abc", "3 BAD_FILE", "cut short", enum.CSV},
			"JSON, UTF-16 without BOM": {"products", utf16("{\"sku\": \"G\"}\n")[2:], "1 BAD_FILE", "byte order mark", enum.JSONLines},
		} {
			got := w.bring(database.NewImport{Kind: kinds[tc.kind], Format: tc.format, OnError: enum.SkipRows}, tc.text)
			head, problems, _ := strings.Cut(got, "\n")
			if !strings.HasPrefix(head, "FAILED 0+0=0!0 BAD_FILE") || problems != tc.line {
				w.Errorf("%s: %q", name, got)
			}
			newest := must(w.db.Reader().CatalogImport.Query().Order(ent.Desc("id")).First(w.Context()))
			if !strings.Contains(*newest.Error, tc.says) || len(*newest.Error) > 300 {
				w.Errorf("%s: %.600s", name, *newest.Error)
			}
		}
		if w.all(w.m) != before {
			w.Error("something was changed")
		}
	})
}

// spec 6: a field of 100 MB is refused after its first MiB.
func TestHugeFields(t *testing.T) {
	each(t, func(w *world) {
		for format, head := range map[enum.ImportFormat]string{enum.CSV: "sku,name\nG,\"", enum.JSONLines: "{\"sku\": \"G\"}\n{\"sku\": \""} {
			read := 0
			endless := readerFunc(func(b []byte) (int, error) {
				for n := range b {
					b[n] = 'x'
				}
				if read += len(b); read > 100<<20 {
					return 0, io.EOF
				}
				return len(b), nil
			})
			id := must(w.importer.Run(w.Context(), database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportProducts, Format: format, OnError: enum.SkipRows}, io.MultiReader(strings.NewReader(head), endless)))
			if got := w.outcome(id); !strings.HasPrefix(got, "FAILED 0+0=0!0 BAD_FILE\n2 BAD_FILE") || read > 4<<20 {
				w.Errorf("%s, %d bytes read", got, read)
			}
		}
		if strings.Contains(w.all(w.m), "G,") {
			w.Error("something was imported")
		}
	})
}

// JSON Lines say the same as CSV does; null clears, and what is left out stays.
func TestJSONLines(t *testing.T) {
	each(t, func(w *world) {
		w.fill()
		in := database.NewImport{Kind: enum.ImportProducts, Format: enum.JSONLines, OnError: enum.SkipRows}
		w.want(w.bring(in, "\n"+`{"sku": "A", "upc": null}`+"\r\n"+`{"sku": 12, "name": "\u00e9\ud83d\ude00"}`), "SUCCEEDED 1+1=0!0")
		w.want(w.bring(in, utf16(`{"sku": "Ü"}`)), "SUCCEEDED 1+0=0!0")
		w.want(w.bring(in, ""), "SUCCEEDED 0+0=0!0")
		if all := w.all(w.m); !strings.Contains(all, "A,Apple,,https://example.com/a\n") || !strings.Contains(all, "12,é😀,,\n") || !strings.Contains(all, "Ü,") {
			w.Error(all)
		}
		w.want(w.bring(in, strings.Join([]string{`{"sku":"G","colour":1}`, `{"sku":"G","sku":"H"}`, `[1]`, `{"sku":"G"`, `{"sku":"G"} 2`, `{"sku":["G"]}`, "{\"sku\":\"\xff\"}", `{"name":"\u0000"}`, `null`, `{"sku":"OK"}`}, "\n")),
			"PARTIAL 1+0=0!9\n1 INVALID colour G\n2 INVALID sku G\n3 INVALID\n4 INVALID  G\n5 INVALID  G\n6 INVALID sku\n7 INVALID\n8 BLANK sku\n8 INVALID name\n9 INVALID")
		w.want(w.bring(database.NewImport{Kind: enum.ImportListings, Format: enum.JSONLines}, `{"store":"Shop","sku":"A","channelSku":"A-shop","inventoryEnabled":false,"maxQuantity":0,"price":19.90}`), "SUCCEEDED 0+1=0!0")
		if all := w.all(w.m); !strings.Contains(all, "Shop,A,A-shop,false,0,,19.90,,,\n") {
			w.Error(all)
		}
		store := must(w.db.Reader().Store.Query().Order(ent.Asc("id")).FirstID(w.Context()))
		w.want(w.bring(database.NewImport{Kind: enum.ImportListings, Format: enum.JSONLines}, `{"store":"`+globalid.New("Store", store)+`","sku":"A","channelSku":"A-shop"}`), "SUCCEEDED 0+0=1!0")
	})
}

// spec 3.2: what bears on levels is marked to be planned, and what does not is not.
func TestMarks(t *testing.T) {
	each(t, func(outer *world) {
		for name, tc := range map[string]struct{ kind, text, want string }{
			"products":           {"products", "sku,name\nA,New\nZ,\n", ""},
			"components":         {"components", "bundleSku,componentSku,quantity\nKIT,C,2\nF,D,2\n", "A B C D F KIT"},
			"same components":    {"components", "bundleSku,componentSku,quantity\nKIT,A,2\nKIT,B,1\n", ""},
			"listings":           {"listings", "store,sku,channelSku\nShop,B,A-shop\nOutlet,C,x\n", "A A-shop B C x"},
			"listing's looks":    {"listings", "store,sku,channelSku,name,price\nShop,A,A-shop,Nice,1\n", ""},
			"listing's quantity": {"listings", "store,sku,channelSku,maxQuantity\nShop,A,A-shop,6\n", "A A-shop"},
		} {
			outer.Run(name, func(t *testing.T) {
				w := outer.with(t, name)
				w.fill()
				for _, m := range must(w.db.Reader().PlanMark.Query().Where(planmark.MerchantID(w.m.ID)).IDs(w.Context())) {
					if err := w.db.Planned(w.Context(), m); err != nil {
						w.Fatal(err)
					}
				}
				w.replans = 0
				if got := w.bring(database.NewImport{Kind: kinds[tc.kind]}, tc.text); !strings.HasPrefix(got, "SUCCEEDED") {
					w.Fatal(got)
				}
				w.want(strings.Join(w.marked(), " "), tc.want)
				if tc.want != "" && w.replans != 1 {
					w.Errorf("replanned %d times", w.replans)
				}
			})
		}
	})
}

// A large import is sorted on disk, counts all its problems and keeps those of the first lines.
func TestManyRows(t *testing.T) {
	each(t, func(w *world) {
		var file strings.Builder
		file.WriteString("sku,name\n")
		long := strings.Repeat("n", 200)
		const n = 25_000
		for i := range n {
			fmt.Fprintf(&file, "SKU-%d,%s\n", (i*7919)%n, long)
		}
		w.want(w.bring(database.NewImport{Kind: enum.ImportProducts}, file.String()), fmt.Sprintf("SUCCEEDED %d+0=0!0", n))
		w.want(w.bring(database.NewImport{Kind: enum.ImportProducts}, file.String()), fmt.Sprintf("SUCCEEDED 0+0=%d!0", n))
		file.Reset()
		file.WriteString("store,sku\n")
		for i := range n {
			fmt.Fprintf(&file, "Shop,NONE-%d\n", n-i)
		}
		id := must(w.importer.Run(w.Context(), database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportListings, Format: enum.CSV, OnError: enum.SkipRows}, strings.NewReader(file.String())))
		row, problems := must(w.db.Reader().CatalogImport.Get(w.Context(), id)), w.problems(id)
		if row.Status != enum.ImportFailed || row.Failed != n || len(problems) != database.MaxImportProblems || problems[0].Line != 2 || problems[999].Line != 1001 {
			w.Errorf("%v, %d problems", row, len(problems))
		}
		file.Reset()
		file.WriteString("store,sku\n")
		for i := range n {
			fmt.Fprintf(&file, "Shop,SKU-%d\n", i)
		}
		w.want(w.bring(database.NewImport{Kind: enum.ImportListings}, file.String()), fmt.Sprintf("SUCCEEDED %d+0=0!0", n))
		if marks := w.marked(); len(marks) != 1 || marks[0] != "" {
			w.Errorf("%d marks; want the whole merchant marked", len(marks))
		}
	})
}

// An import that runs behind tells how far it is, and ends FAILED and without a trace when the server stops or died.
func TestStartAndInterrupt(t *testing.T) {
	each(t, func(w *world) {
		in := database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportProducts, Format: enum.CSV}
		row, done, err := w.importer.Start(w.Context(), in, strings.NewReader("sku\nA\n"))
		if err != nil || row.Status != enum.ImportRunning {
			w.Fatal(row, err)
		}
		<-done
		w.want(w.outcome(row.ID), "SUCCEEDED 1+0=0!0")

		left := must(w.db.StartImport(w.Context(), in))
		if err := w.importer.Recover(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.want(w.outcome(left.ID), "FAILED 0+0=0!0 CONFLICT")

		stopped, cancel := context.WithCancel(w.Context())
		cancel()
		w.importer.Close(stopped)
		if _, _, err := w.importer.Start(w.Context(), in, strings.NewReader("")); fault.CodeOf(err) != fault.Conflict {
			w.Error(err)
		}
		id, err := w.importer.Run(stopped, in, strings.NewReader("sku\nB\n"))
		if err == nil || id != 0 {
			w.Error("a canceled import began")
		}
		late, cancel := context.WithCancel(w.Context())
		id, err = w.importer.Run(late, in, io.MultiReader(strings.NewReader("sku\nB\n"), readerFunc(func([]byte) (int, error) { cancel(); return 0, context.Canceled })))
		if err == nil {
			w.Error("it came in")
		}
		w.want(w.outcome(id), "FAILED 0+0=0!0 CONFLICT")
		if strings.Contains(w.all(w.m), "B,") {
			w.Error(w.all(w.m))
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// What asks for no import that there is, is refused before anything is stored.
func TestBadAsking(t *testing.T) {
	each(t, func(w *world) {
		for _, tc := range []struct {
			in   database.NewImport
			want string
		}{
			{database.NewImport{MerchantID: 99, Kind: enum.ImportProducts, Format: enum.CSV}, "NOT_FOUND"},
			{database.NewImport{MerchantID: w.m.ID, Kind: "STORES", Format: enum.CSV}, "INVALID"},
			{database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportProducts, Format: "XML"}, "INVALID"},
			{database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportProducts, Format: enum.CSV, OnError: "PANIC"}, "INVALID"},
		} {
			if _, _, err := w.importer.Start(w.Context(), tc.in, strings.NewReader("sku\nA\n")); string(fault.CodeOf(err)) != tc.want {
				w.Errorf("%+v: %v", tc.in, err)
			}
		}
		if n := must(w.db.Reader().CatalogImport.Query().Count(w.Context())); n != 0 {
			w.Errorf("%d imports", n)
		}
	})
}

// How far an import is can be seen from another process while it goes on.
func TestProgressIsSeenElsewhere(t *testing.T) {
	each(t, func(w *world) {
		if !w.db.Shared() {
			return
		}
		rows, gate, given := "sku\n", make(chan struct{}), false
		for n := range 60_000 {
			rows += fmt.Sprintf("S-%05d\n", n)
		}
		file := io.MultiReader(strings.NewReader(rows), readerFunc(func(b []byte) (int, error) {
			if given {
				return 0, io.EOF
			}
			<-gate // until it was seen
			given = true
			return copy(b, "LAST\n"), nil
		}))
		in := database.NewImport{MerchantID: w.m.ID, Kind: enum.ImportProducts, Format: enum.CSV}
		done := make(chan error, 1)
		go func() {
			_, err := w.importer.Run(w.Context(), in, file)
			done <- err
		}()
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for seen := false; !seen; {
			for _, row := range must(w.db.Reader().CatalogImport.Query().All(w.Context())) {
				seen = row.Status == enum.ImportRunning && row.Rows >= 2000
			}
			<-look.C
		}
		close(gate)
		if err := <-done; err != nil {
			w.Fatal(err)
		}
	})
}
