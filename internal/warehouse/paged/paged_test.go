package paged

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"stockbridge/internal/fault"
	"stockbridge/internal/warehouse"
)

func TestCursorsEndACircle(t *testing.T) {
	t.Parallel()
	c := Cursors{}
	for _, cursor := range []string{"a", "b"} {
		if err := c.Take("X", cursor); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Take("X", "a"); fault.CodeOf(err) != fault.BadReply || !strings.Contains(err.Error(), `"a" twice`) {
		t.Errorf("twice: %v", err)
	}
	if err := c.Take("X", strings.Repeat("x", maxCursor+1)); fault.CodeOf(err) != fault.BadReply {
		t.Errorf("too long: %v", err)
	}
}

func TestTextIsTakenAsWritten(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Text{
		`"a\u0041"`: {S: "aA"}, `12`: {S: "12"}, `-1.50`: {S: "-1.50"}, `null`: {}, `""`: {},
		`true`: {S: "true", Odd: true}, `[1]`: {S: "[1]", Odd: true}, `{"a":1}`: {S: `{"a":1}`, Odd: true},
	} {
		got := Text{S: "old", Odd: true}
		if err := json.Unmarshal([]byte(in), &got); err != nil && in != "null" || got != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
}

func TestListTellsNoneFromEmpty(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{`{}`: -1, `{"l":null}`: -1, `{"l":[]}`: 0, `{"l":[1,{"a":[2]},null]}`: 3} {
		var got struct{ L List }
		err := json.Unmarshal([]byte(in), &got)
		if n := len(got.L.Items); err != nil || got.L.There != (want >= 0) || want >= 0 && n != want {
			t.Errorf("%s: %+v, %v", in, got, err)
		}
	}
	if err := json.Unmarshal([]byte(`{"a":1}`), new(List)); err == nil {
		t.Error("an object was taken for a list")
	}
}

func TestStreamIsBounded(t *testing.T) {
	t.Parallel()
	b := &Bounded{From: strings.NewReader(strings.Repeat("x", 100)), Value: 40, All: 60}
	b.Allow(0)
	if n, err := io.ReadFull(b, make([]byte, 50)); n != 40 || err == nil || b.Err != nil {
		t.Errorf("%d bytes of a value, %v", n, err)
	}
	b.Allow(40)
	if n, err := io.ReadFull(b, make([]byte, 50)); n != 20 || err == nil {
		t.Errorf("%d bytes more in all, %v", n, err)
	}
}

// What a refusal names is stored and shown: it holds no NUL, no line breaks and no SKU that could not be one.
func TestRefusalsAreTidy(t *testing.T) {
	t.Parallel()
	var got []*warehouse.RowError
	rows := &Rows{yield: func(_ warehouse.Level, e *warehouse.RowError) error { got = append(got, e); return nil }}
	for _, sku := range []string{" A ", "A\x00", strings.Repeat("x", 256), ""} {
		if err := rows.Refuse(sku, "odd\x00 \n"+strings.Repeat("y", 400)); err != nil {
			t.Fatal(err)
		}
	}
	for i, sku := range []string{"A", "", "", ""} {
		if e := got[i]; e.SKU != sku || e.Line != i+1 || len(e.Reason) != 300 || strings.ContainsAny(e.Reason, "\x00\n") {
			t.Errorf("%d: %+v", i, e)
		}
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "https://home", "https://h/api/": "https://h/api", "http://127.0.0.1:1": "http://127.0.0.1:1",
		"ftp://h": "", "h": "", "https://": "", "https://u:hush@h": "", "https://u:hush@h:port": "", "https://h?x": "", "https://h?": "", "https://h#x": "",
	} {
		var s Setting
		u := s.Address("endpoint", in, "https://home")
		err := s.Faults.Or()
		if (err == nil) != (want != "") || err == nil && u.String() != want || err != nil && (fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%q: %v, %v", in, u, err)
		}
	}
	var s Setting
	s.Need("a", " ", "set it")
	s.Need("b", "x", "set it")
	s.Header("c", "pä ss")
	s.Number("d", "1;x==2")
	s.Number("e", "17")
	if len(s.Faults) != 3 || s.Faults[0].Code != fault.Blank || s.Faults[1].Field[0] != "c" || s.Faults[2].Field[0] != "d" {
		t.Errorf("got %v", s.Faults)
	}
}
