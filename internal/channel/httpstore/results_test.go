package httpstore

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// spec 6: "a reply that says 200 but refuses items is believed item by item".
func TestResultsAreBelievedItemByItem(t *testing.T) {
	t.Parallel()
	levels := []channel.Level{{SKU: "A", Location: "EAST"}, {SKU: "A", Location: "WEST"}, {SKU: "B"}, {SKU: "C"}}
	const (
		a = channel.Acknowledged
		r = channel.Refused
		u = channel.Unknown
	)
	for body, want := range map[string][4]channel.Verdict{
		`{}`:                             {a, a, a, a},
		`{"results":null}`:               {a, a, a, a},
		`{"results":[],"took":3}`:        {a, a, a, a},
		"\xef\xbb\xbf{\"results\":[]}\n": {a, a, a, a},
		`{"results":[{"sku":"B","location":null,"status":"error"}]}`:                                                    {a, a, r, a},
		`{"results":[{"sku":"B","status":"ERROR"},{"sku":"C","location":"","status":"Ok"}]}`:                            {a, a, r, a},
		`{"results":[{"sku":"A","location":"WEST","status":"error"},{"sku":"A","location":"EAST","status":"ok"}]}`:      {a, r, a, a},
		`{"results":[{"sku":"A","location":null,"status":"error"}]}`:                                                    {r, r, a, a}, // for all its locations
		`{"results":[{"sku":"A","status":"error"},{"sku":"A","location":"EAST","status":"ok"}]}`:                        {a, r, a, a}, // but those named by themselves
		`{"results":[{"sku":"B","location":"MAIN","status":"error"}]}`:                                                  {a, a, r, a}, // sent without location
		`{"results":[{"sku":"A","location":"NORTH","status":"error"}]}`:                                                 {a, a, a, a}, // never sent
		`{"results":[{"sku":"b","status":"error"},{"sku":"D","status":"error"}]}`:                                       {a, a, a, a}, // never sent
		`{"results":[{"sku":"B","status":"error"},{"sku":"B","status":"ok"},{"sku":"B","status":"queued"}]}`:            {a, a, r, a}, // the worst counts
		`{"results":[{"sku":"B","status":"queued"},{"sku":"C"},{"sku":"A","location":"WEST","status":"ok"}]}`:           {a, a, u, u},
		`{"results":[{"sku":"C","status":"ok"},{"sku":"C","status":"queued"},{"sku":"B","status":"ok","code":"NOTE"}]}`: {a, a, a, u},
	} {
		got, err := parse([]byte(body), levels, plain)
		if err != nil || [4]channel.Verdict(verdicts(got)) != want {
			t.Errorf("%s:\n%v, %v; want %v", body, verdicts(got), err, want)
		}
	}
}

func TestWordsOfAResultAreKept(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]channel.Outcome{
		`{"sku":"7","status":"error","code":"NO_SUCH","message":"no\nsuch \u0000item"}`:        {Code: "NO_SUCH", Message: "no such item"},
		`{"sku":7,"status":"error","code":404,"message":{"en":"gone"}}`:                        {Code: "404", Message: `{"en":"gone"}`},
		`{"sku":"7","status":"error","code":null}`:                                             {Code: "REFUSED", Message: "the store gave no reason"},
		`{"sku":"7","status":"ok","code":"X","message":"fine"}`:                                {Verdict: channel.Acknowledged},
		`{"sku":"7","status":"error","code":"X","message":"` + strings.Repeat("é", 400) + `"}`: {Code: "X", Message: strings.Repeat("é", 300)},
	} {
		if want.Verdict == 0 {
			want.Verdict = channel.Refused
		}
		got, err := parse([]byte(`{"results":[`+body+`]}`), []channel.Level{{SKU: "7"}}, plain)
		if err != nil || got[0] != want {
			t.Errorf("%s: %+v, %v", body, got, err)
		}
	}
}

// spec 6: "a truncated or non-JSON reply is a failure, never a success".
func TestReplyNotUnderstoodIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"<html>", "OK", "null", "[]", "42", `"ok"`, "true", `{`, `{"results":[`, `{"results":[]} x`, `{"results":[]}{}`,
		`{"error":"down"}`, `{"status":"ok"}`, `{"Results":[]}`, `{"results":{}}`, `{"results":"ok"}`, `{"results":[null]}`, `{"results":[1]}`,
		`{"results":[[]]}`, `{"results":[{}]}`, `{"results":[{"sku":""}]}`, `{"results":[{"sku":null,"status":"ok"}]}`,
		`{"results":[{"sku":{"id":1},"status":"ok"}]}`, `{"results":[{"sku":"A","status":true}]}`, `{"results":[{"sku":"A","location":["EAST"],"status":"ok"}]}`,
		"\x00", "\xff\xfe{\x00}\x00",
	} {
		got, err := parse([]byte(body), []channel.Level{{SKU: "A"}}, plain)
		if got != nil || fault.CodeOf(err) != fault.BadReply {
			t.Errorf("%q: %+v, %v", body, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "{}", "[]", "<html>", `{"results":[{"sku":"A","location":null,"status":"error","code":"X","message":"m"}]}`,
		`{"results":[{"sku":"A","location":"EAST","status":"ok"}]}`, `{"results":[{"sku":1,"status":null}]}`,
	} {
		f.Add([]byte(s))
	}
	levels := []channel.Level{{SKU: "A"}, {SKU: "A", Location: "EAST"}, {SKU: "1"}}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parse(body, levels, plain)
		if err != nil {
			if got != nil || fault.CodeOf(err) != fault.BadReply {
				t.Fatalf("%+v, %v", got, err)
			}
			return
		}
		trimmed := strings.TrimSpace(strings.TrimPrefix(string(body), "\xef\xbb\xbf"))
		if len(got) != len(levels) || trimmed != "" && !json.Valid([]byte(trimmed)) {
			t.Fatalf("%q is taken as %+v", body, got)
		}
		for _, o := range got {
			if utf8.RuneCountInString(o.Message) > 300 || (o.Verdict == channel.Acknowledged) != (o == channel.Outcome{Verdict: channel.Acknowledged}) ||
				o.Verdict != channel.Acknowledged && (o.Code == "" || o.Message == "") {
				t.Fatalf("%q: %+v", body, o)
			}
		}
	})
}

func plain(text string) string { return outbound.Excerpt([]byte(text)) }
