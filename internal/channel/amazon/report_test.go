package amazon

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/fault"
)

// summary changes what a report says it counted.
func summary(processed, accepted, invalid int) func(map[string]any) {
	return func(r map[string]any) {
		r["summary"] = map[string]any{"errors": invalid, "warnings": 0, "messagesProcessed": processed, "messagesAccepted": accepted, "messagesInvalid": invalid}
	}
}

func issued(issues ...map[string]any) func(map[string]any) {
	return func(r map[string]any) { r["issues"] = issues }
}

// A message that the report does not name is acknowledged only if the report's own summary agrees. Of 25 messages, SKU-1 is refused by
// Amazon in each case.
func TestReportIsBelievedToTheLetter(t *testing.T) {
	t.Parallel()
	const n = few + 5
	refusedOne := expected{no, "90220", "needs a name", ""}
	whole := map[string]any{"code": "4000003", "severity": "ERROR", "message": "the whole feed is wrong"}
	for name, c := range map[string]struct {
		change func(map[string]any)
		named  expected // SKU-1
		rest   expected
	}{
		"as it is":                   {nil, refusedOne, expected{verdict: ack}},
		"all accepted all the same":  {summary(n, n, 0), refusedOne, expected{verdict: ack}},
		"one more is refused":        {summary(n, n-2, 2), refusedOne, expected{unknown, "FEED_REPORT_UNCLEAR", "23 accepted and 2 refused, and names 1", ""}},
		"one was not processed":      {summary(n-1, n-2, 1), refusedOne, expected{unknown, "FEED_REPORT_UNCLEAR", "24 of 25", ""}},
		"none is accepted":           {summary(n, 0, n), refusedOne, expected{no, "FEED_REFUSED", "none of the 25", ""}},
		"nothing counted":            {summary(0, 0, 0), refusedOne, expected{no, "FEED_REFUSED", "none of the 25", ""}},
		"one is missing":             {summary(n-1, n-1, 1), refusedOne, expected{unknown, "FEED_REPORT_UNCLEAR", "24 of 25", ""}},
		"too many":                   {summary(n+1, n, 1), refusedOne, expected{unknown, "FEED_REPORT_UNCLEAR", "26 of 25", ""}},
		"the feed":                   {func(r map[string]any) { issued(whole)(r); summary(0, 0, 0)(r) }, expected{no, "4000003", "whole feed", ""}, expected{no, "4000003", "whole feed", ""}},
		"the feed, of some":          {issued(whole), expected{unknown, "FEED_REPORT_UNCLEAR", "whole feed", ""}, expected{unknown, "FEED_REPORT_UNCLEAR", "whole feed", ""}},
		"a message that is not ours": {issued(map[string]any{"messageId": n + 1, "code": "1", "severity": "ERROR", "message": "odd"}), expected{unknown, "FEED_REPORT_UNCLEAR", "odd", ""}, expected{unknown, "FEED_REPORT_UNCLEAR", "odd", ""}},
		"another SKU":                {issued(map[string]any{"messageId": 2, "sku": "SKU-9", "code": "1", "severity": "ERROR", "message": "odd"}), expected{unknown, "FEED_REPORT_UNCLEAR", "odd", ""}, expected{unknown, "FEED_REPORT_UNCLEAR", "odd", ""}},
		"warnings alone": {func(r map[string]any) {
			issued(map[string]any{"messageId": 2, "severity": "WARNING", "message": "w"})(r)
			summary(n, n, 0)(r)
		}, expected{verdict: ack}, expected{verdict: ack}},
		"several of one": {issued(
			map[string]any{"messageId": 2, "code": "1", "severity": "WARNING", "message": "w"}, map[string]any{"messageId": 2, "code": "90220", "severity": "ERROR", "message": "it needs a name"},
			map[string]any{"messageId": 2, "code": "5", "severity": "ERROR", "message": "and a price"}), refusedOne, expected{verdict: ack}},
		"no words": {issued(map[string]any{"messageId": 2, "severity": "ERROR"}), expected{no, "REFUSED", "no reason", ""}, expected{verdict: ack}},
		"of another feed": {func(r map[string]any) {
			r["header"] = map[string]any{"sellerId": seller, "version": "2.0", "feedId": "1"}
		}, expected{unknown, "BAD_REPLY", "another feed", ""}, expected{unknown, "BAD_REPLY", "another feed", ""}},
		"of another": {func(r map[string]any) {
			r["header"] = map[string]any{"sellerId": "A1", "version": "2.0", "feedId": "50001"}
		}, expected{unknown, "BAD_REPLY", "another feed", ""}, expected{unknown, "BAD_REPLY", "another feed", ""}},
		"no header":  {func(r map[string]any) { delete(r, "header") }, expected{unknown, "BAD_REPLY", "lacks", ""}, expected{unknown, "BAD_REPLY", "lacks", ""}},
		"no summary": {func(r map[string]any) { delete(r, "summary") }, expected{unknown, "BAD_REPLY", "lacks", ""}, expected{unknown, "BAD_REPLY", "lacks", ""}},
		"no count":   {func(r map[string]any) { delete(r["summary"].(map[string]any), "messagesAccepted") }, expected{unknown, "BAD_REPLY", "lacks", ""}, expected{unknown, "BAD_REPLY", "lacks", ""}},
		"odd issues": {func(r map[string]any) { r["issues"] = "none" }, expected{unknown, "BAD_REPLY", "documents", ""}, expected{unknown, "BAD_REPLY", "documents", ""}},
		"no issues":  {func(r map[string]any) { delete(r, "issues"); summary(n, n, 0)(r) }, expected{verdict: ack}, expected{verdict: ack}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, n)
			w.issues["SKU-1"] = issue{Code: "90220", Severity: "ERROR", Message: "it needs a name"}
			w.change = c.change
			outcomes, err := w.store.Push(t.Context(), batch(levels(n, 1)))
			for i, o := range outcomes {
				want := c.rest
				if i == 1 {
					want = c.named
				}
				if err != nil || o.Verdict != want.verdict || o.Code != want.code || !strings.Contains(o.Message, want.words) || o.Verdict != ack && o.Message == "" {
					t.Errorf("%d: %+v, %v, want %+v", i, o, err, want)
				}
			}
			w.with(func() { w.change, w.issues = nil, map[string]issue{} })
			w.pushed(t, levels(n, 30))
		})
	}
}

// How a feed may end beside DONE, and when it has no end.
func TestFeedsThatDoNotEndWell(t *testing.T) {
	t.Parallel()
	const n = few + 5
	for name, c := range map[string]struct {
		set    func(*world)
		named  expected // SKU-1, which the report names if there is one
		rest   expected
		waited time.Duration
	}{
		"cancelled":            {set: func(w *world) { w.end = "CANCELLED" }, named: expected{no, "FEED_CANCELLED", "50001", ""}, rest: expected{no, "FEED_CANCELLED", "50001", ""}},
		"fatal, with a report": {set: func(w *world) { w.end = "FATAL" }, named: expected{no, "90220", "it needs a name", ""}, rest: expected{unknown, "FEED_FATAL", "50001", ""}},
		"fatal without one": {set: func(w *world) {
			w.end = "FATAL"
			w.before = at(opGetFeed, answer(200, `{"feedId":"50001","processingStatus":"FATAL"}`))
		}, named: expected{unknown, "FEED_FATAL", "50001", ""}, rest: expected{unknown, "FEED_FATAL", "50001", ""}},
		"fatal, report is gone": {set: func(w *world) {
			w.end = "FATAL"
			w.before = at(opReport, answer(404, `{"errors":[]}`))
		}, named: expected{unknown, "FEED_FATAL", "50001", ""}, rest: expected{unknown, "FEED_FATAL", "50001", ""}},
		"done without a report": {set: func(w *world) {
			w.before = at(opGetFeed, answer(200, `{"feedId":"50001","processingStatus":"DONE"}`))
		}, named: expected{unknown, "BAD_REPLY", "names no report", ""}, rest: expected{unknown, "BAD_REPLY", "names no report", ""}},
		"never done":    {set: func(w *world) { w.polls = 1 << 30 }, named: expected{unknown, "FEED_UNFINISHED", "IN_PROGRESS", ""}, rest: expected{unknown, "FEED_UNFINISHED", "30m0s", ""}, waited: patience},
		"a new state":   {set: func(w *world) { w.end = "RESTING" }, named: expected{unknown, "FEED_UNFINISHED", "RESTING", ""}, rest: expected{unknown, "FEED_UNFINISHED", "RESTING", ""}, waited: patience},
		"odd packaging": {set: func(w *world) { w.packing = "LZ4" }, named: expected{unknown, "BAD_REPLY", "LZ4", ""}, rest: expected{unknown, "BAD_REPLY", "LZ4", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := setup(t, n)
			w.issues["SKU-1"] = issue{Code: "90220", Severity: "ERROR", Message: "it needs a name"}
			c.set(w)
			outcomes, err := w.store.Push(t.Context(), batch(levels(n, 1)))
			for i, o := range outcomes {
				want := c.rest
				if i == 1 {
					want = c.named
				}
				if err != nil || o.Verdict != want.verdict || o.Code != want.code || !strings.Contains(o.Message, want.words) {
					t.Errorf("%d: %+v, %v, want %+v", i, o, err, want)
				}
			}
			if w.slept < c.waited || w.slept > patience+longPoll {
				t.Errorf("waited %s", w.slept)
			}
			if c.waited > 0 && w.counted(opGetFeed) > 45 {
				t.Errorf("asked %d times", w.counted(opGetFeed))
			}
			w.misbehave(nil, nil)
			w.with(func() { w.end, w.packing, w.polls, w.issues = "", "", 1, map[string]issue{} })
			w.pass(time.Hour)
			w.pushed(t, levels(n, 30))
		})
	}
}

// A feed whose end nobody waited for could undo what is set after it: the next push waits for it first.
func TestNothingOvertakesAFeed(t *testing.T) {
	t.Parallel()
	w := setup(t, few+1)
	w.polls = 5
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.misbehave(at(opGetFeed, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}), nil)
	if outcomes, err := w.store.Push(ctx, batch(levels(few+1, 1))); !errors.Is(err, context.Canceled) || outcomes[0].Verdict != unknown {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	var polled []int // before each PATCH
	w.misbehave(func(op string, _ int) http.HandlerFunc {
		if op == opPatch {
			polled = append(polled, w.feeds["50001"].polls)
		}
		return nil
	}, nil)
	w.pushed(t, levels(2, 40))
	w.pushed(t, levels(2, 41))
	if !slices.Equal(polled, []int{6, 6, 6, 6}) {
		t.Errorf("patched after so many polls: %v", polled)
	}
	// One that Amazon never finishes is waited for once more, and then no longer.
	w.with(func() { w.polls = 1 << 30 })
	for i := range 3 {
		before := w.slept
		outcomes, err := w.store.Push(t.Context(), batch(levels(map[bool]int{true: few + 1, false: 2}[i == 0], 50)))
		if waited := w.slept - before; err != nil || (outcomes[0].Verdict == ack) == (i == 0) || (waited > patience) != (i < 2) {
			t.Errorf("push %d: %+v, %v after %s", i, outcomes[0], err, waited)
		}
	}
}

func TestUnfinishedFeedsAreBounded(t *testing.T) {
	t.Parallel()
	var u unfinished
	for i := range 40 {
		u.add(fmt.Sprint(i / 2))
	}
	u.drop("12")
	if got := strings.Join(u.all(), " "); got != "4 5 6 7 8 9 10 11 13 14 15 16 17 18 19" {
		t.Error(got)
	}
}

// A poll that is lost is none too few: the feed goes on meanwhile.
func TestLostPollsAreOvercome(t *testing.T) {
	t.Parallel()
	w := setup(t, few+1)
	w.polls = 6
	w.misbehave(func(op string, n int) http.HandlerFunc {
		if op == opGetFeed && n%9 != 0 { // each poll asks 4 times
			return answer(500, "oops")
		}
		return nil
	}, nil)
	w.pushed(t, levels(few+1, 4))
}

// What is unpacked is bounded, however small it comes.
func TestReportsAreBounded(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	zeros := make([]byte, 1<<20)
	for range documentLimit>>20 + 1 {
		if _, err := z.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	w := setup(t, few+1)
	w.gzip = true
	w.misbehave(at(opDownload, answer(200, b.String())), nil)
	outcomes, err := w.store.Push(t.Context(), batch(levels(few+1, 1)))
	if o := outcomes[0]; err != nil || o.Verdict != unknown || o.Code != string(fault.BadReply) || !strings.Contains(o.Message, "longer than") {
		t.Errorf("%+v, %v", o, err)
	}
	// Unpacked on the way, as by a proxy.
	w.misbehave(nil, nil)
	plain, err := w.store.read([]byte(`{"header":{"sellerId":"`+seller+`","feedId":"7"},"issues":[],"summary":{"messagesProcessed":1,"messagesAccepted":1,"messagesInvalid":0}}`), "GZIP", "7")
	if err != nil || *plain.Summary.Accepted != 1 {
		t.Errorf("%+v, %v", plain, err)
	}
	if _, err := w.store.read([]byte("\x1f\x8bgarbage"), "GZIP", "7"); fault.CodeOf(err) != fault.BadReply {
		t.Error(err)
	}
}
