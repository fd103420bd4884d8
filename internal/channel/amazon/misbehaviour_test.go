package amazon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	ack     = channel.Acknowledged
	no      = channel.Refused
	unsent  = channel.Unsent
	unknown = channel.Unknown
)

// expected is what a fault at one step leads to, for every level.
type expected struct {
	verdict channel.Verdict
	code    string
	words   string // somewhere in the message
	err     fault.Code
}

// What Amazon may do wrong at each step (spec section 6). In each case nothing is acknowledged that was not taken, the levels end as they
// must with Amazon's words, a feed that may have been handed over is never handed over again, and once Amazon behaves the next push heals.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	amazons := func(code string) string {
		return `{"errors":[{"code":"` + code + `","message":"it says no","details":"why"}]}`
	}
	type wants map[string]expected // by step; "" for the others
	cred := fault.CredentialsRefused
	bad := wants{ // answers that are not to be understood
		opToken: {unsent, "BAD_REPLY", "access token", fault.BadReply}, opDocument: {unsent, "BAD_REPLY", "", ""}, opUpload: {ack, "", "", ""}, opFeed: {unknown, "BAD_REPLY", "", ""},
		opPatch: {unknown, "BAD_REPLY", "", ""}, "": {unknown, "BAD_REPLY", "", ""},
	}
	all := func(e expected) wants { return wants{"": e} }
	lost := func(code string) wants {
		return wants{opToken: {unsent, "UNREACHABLE", "", fault.Unreachable}, opDocument: {unsent, code, "", ""}, opUpload: {unsent, "UNREACHABLE", "", ""}, opDownload: {unknown, "UNREACHABLE", "", ""}, "": {unknown, code, "", ""}}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		once   bool // and then it behaves
		after  bool // what was asked is done before
		want   wants
		waited time.Duration
	}{
		"401": {answer: answer(401, amazons("Unauthorized")), want: wants{
			opToken: {unsent, "CREDENTIALS_REFUSED", "", cred}, opUpload: {no, "HTTP_401", "it says no", ""}, opDownload: {unknown, "HTTP_401", "it says no", ""}, opDocument: {no, "Unauthorized", "it says no (why)", cred},
			opFeed: {no, "Unauthorized", "it says no (why)", cred}, opPatch: {no, "Unauthorized", "role Product Listing", cred}, "": {unknown, "Unauthorized", "it says no", cred}}},
		"403": {answer: answer(403, amazons("AccessDenied")), want: wants{
			opToken: {unsent, "CREDENTIALS_REFUSED", "", cred}, opUpload: {no, "HTTP_403", "it says no", ""}, opDownload: {unknown, "HTTP_403", "it says no", ""}, opDocument: {no, "AccessDenied", "it says no", cred},
			opFeed: {no, "AccessDenied", "it says no", cred}, opPatch: {no, "AccessDenied", "role Product Listing", cred}, "": {unknown, "AccessDenied", "it says no", cred}}},
		"404": {answer: answer(404, amazons("NotFound")), want: wants{
			opToken: {unsent, "REFUSED", "it says no", fault.Refused}, opUpload: {no, "HTTP_404", "", ""}, opDownload: {unknown, "HTTP_404", "", ""}, opDocument: {no, "NotFound", "it says no", ""}, opFeed: {no, "NotFound", "it says no", ""},
			opPatch: {no, "NotFound", "no such SKU", ""}, "": {unknown, "NotFound", "handed over", ""}}},
		"413": {answer: answer(413, amazons("RequestTooLarge")), want: wants{
			opToken: {unsent, "REFUSED", "", fault.Refused}, opUpload: {no, "HTTP_413", "", ""}, opDownload: {unknown, "HTTP_413", "", ""}, opDocument: {no, "RequestTooLarge", "", ""}, opFeed: {no, "RequestTooLarge", "", ""}, opPatch: {no, "RequestTooLarge", "", ""}, "": {unknown, "RequestTooLarge", "", ""}}},
		"422": {answer: answer(422, "cannot be so"), want: wants{
			opToken: {unsent, "REFUSED", "cannot be so", fault.Refused}, opDocument: {no, "HTTP_422", "cannot be so", ""}, opUpload: {no, "HTTP_422", "", ""}, opFeed: {no, "HTTP_422", "cannot be so", ""}, opPatch: {no, "HTTP_422", "cannot be so", ""}, "": {unknown, "HTTP_422", "cannot be so", ""}}},
		"400": {answer: answer(400, amazons("InvalidInput")), want: wants{
			opToken: {unsent, "REFUSED", "it says no", fault.Refused}, opUpload: {no, "HTTP_400", "", ""}, opDownload: {unknown, "HTTP_400", "", ""}, opDocument: {no, "InvalidInput", "marketplaceIds", ""}, opFeed: {no, "InvalidInput", "marketplaceIds", ""},
			opPatch: {no, "InvalidInput", "it says no", ""}, "": {unknown, "InvalidInput", "it says no", ""}}},
		"moved": {answer: answer(307, "", "Location", "https://elsewhere.example.com/"), want: wants{
			opToken: {unsent, "REFUSED", "elsewhere", fault.Refused}, opDocument: {no, "HTTP_307", "elsewhere", fault.Refused}, opUpload: {no, "HTTP_307", "", fault.Refused}, opFeed: {no, "HTTP_307", "elsewhere", fault.Refused}, opPatch: {no, "HTTP_307", "elsewhere", fault.Refused}}},
		"429 once":        {answer: answer(429, amazons("QuotaExceeded")), once: true, want: all(expected{verdict: ack}), waited: 250 * time.Millisecond},
		"429 with a wait": {answer: answer(429, amazons("QuotaExceeded"), "Retry-After", "17"), once: true, want: all(expected{verdict: ack}), waited: 17 * time.Second},
		"429 for good": {answer: answer(429, amazons("QuotaExceeded")), want: wants{
			opToken: {unsent, "THROTTLED", "", fault.Throttled}, opUpload: {unsent, "THROTTLED", "", fault.Throttled}, opDownload: {unknown, "THROTTLED", "", fault.Throttled},
			opDocument: {unsent, "QuotaExceeded", "others use up", fault.Throttled}, opFeed: {unsent, "QuotaExceeded", "it says no", fault.Throttled}, opPatch: {unsent, "QuotaExceeded", "it says no", fault.Throttled}, "": {unknown, "QuotaExceeded", "", fault.Throttled}}},
		"500 once":        {answer: answer(500, amazons("InternalFailure")), once: true, want: wants{opFeed: {unknown, "InternalFailure", "it says no", ""}, "": {verdict: ack}}, waited: 0},
		"503 with a wait": {answer: answer(503, amazons("ServiceUnavailable"), "Retry-After", "9"), once: true, want: all(expected{verdict: ack}), waited: 9 * time.Second},
		"500": {answer: answer(500, amazons("InternalFailure")), want: wants{
			opToken: {unsent, "UNREACHABLE", "it says no", fault.Unreachable}, opUpload: {unsent, "UNREACHABLE", "it says no", ""}, opDownload: {unknown, "UNREACHABLE", "it says no", ""}, opDocument: {unsent, "InternalFailure", "it says no", ""}, "": {unknown, "InternalFailure", "it says no", ""}}},
		"reset":            {answer: reset, want: lost("UNREACHABLE")},
		"reset once":       {answer: reset, once: true, want: wants{opFeed: {unknown, "UNREACHABLE", "no answer", ""}, "": {verdict: ack}}},
		"cut":              {answer: cut, want: lost("UNREACHABLE")},
		"truncated JSON":   {answer: answer(200, `{"feedId":"5`), want: bad},
		"HTML":             {answer: answer(200, "<html><h1>Welcome</h1>"), want: bad},
		"nothing":          {answer: answer(200, ""), want: bad},
		"other JSON":       {answer: answer(200, `[1]`), want: bad},
		"empty JSON":       {answer: answer(200, `{}`), want: bad},
		"null":             {answer: answer(200, `null`), want: bad},
		"done, then lost":  {answer: cut, after: true, want: lost("UNREACHABLE")},
		"lost once":        {answer: cut, once: true, after: true, want: wants{opFeed: {unknown, "UNREACHABLE", "no answer", ""}, "": {verdict: ack}}},
		"done, but 500":    {answer: answer(500, "oops"), once: true, after: true, want: wants{opFeed: {unknown, "HTTP_500", "oops", ""}, "": {verdict: ack}}},
		"done, but 404":    {answer: answer(404, "gone"), once: true, after: true, want: wants{opUpload: {verdict: ack}, opDownload: {verdict: ack}}},
		"address runs out": {answer: answer(403, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X>SIGNED-PARTS</X></Error>"), once: true, want: wants{opUpload: {verdict: ack}, opDownload: {verdict: ack}}},
	} {
		for _, op := range []string{opToken, opPatch, opDocument, opUpload, opFeed, opGetFeed, opReport, opDownload} {
			want, ok := c.want[op]
			if !ok {
				if want, ok = c.want[""]; !ok {
					continue
				}
			}
			t.Run(name+" at "+op, func(t *testing.T) {
				t.Parallel()
				n := few + 5
				if op == opPatch || op == opToken {
					n = 2
				}
				w := setup(t, n)
				hook := at(op, c.answer)
				if c.once {
					hook = first(op, c.answer)
				}
				if c.after {
					w.misbehave(nil, hook)
				} else {
					w.misbehave(hook, nil)
				}
				if op == opUpload && want.verdict == ack && !c.once { // the place of documents has taken it, as it says, but has not
					want = expected{no, "InvalidInput", "", ""}
				}
				outcomes, err := w.store.Push(t.Context(), batch(levels(n, 50)))
				if fault.CodeOf(err) != want.err || (err == nil) != (want.err == "") || len(outcomes) != n {
					t.Fatalf("%d outcomes, %v, want %q: %+v", len(outcomes), err, want.err, outcomes)
				}
				for i, o := range outcomes {
					if want.err != "" && op == opPatch && i > 0 { // not tried any more
						if o.Verdict != unsent || o.Message == "" {
							t.Errorf("level %d: %+v", i, o)
						}
						continue
					}
					if o.Verdict != want.verdict || o.Code != want.code || !strings.Contains(o.Message, want.words) || (o.Message == "") != (o.Verdict == ack) || len([]rune(o.Message)) > 300 {
						t.Errorf("level %d: %+v, want %+v", i, o, want)
					}
					if o.Verdict == ack && w.shows(fmt.Sprintf("SKU-%d", i)) != int64(50+i) {
						t.Errorf("level %d is acknowledged and not shown", i)
					}
					if strings.Contains(o.Message, "SECRET") || strings.Contains(o.Message, "Atza|") || strings.Contains(o.Message, "SIGN") {
						t.Errorf("level %d tells a secret: %s", i, o.Message)
					}
				}
				if op == opFeed && (want.verdict == unknown || want.verdict == no) && w.counted(opFeed) > 2 || len(w.submitted) > 1 {
					t.Errorf("handed over %d times", w.counted(opFeed))
				}
				if w.slept < c.waited {
					t.Errorf("waited %s", w.slept)
				}
				w.misbehave(nil, nil)
				w.pass(time.Hour)
				w.pushed(t, levels(n, 90))
			})
		}
	}
}

// An account that gives no usable answer to three requests in a row counts as down, whatever they are for; one good answer between ends the row.
func TestThreeInARowCountAsDown(t *testing.T) {
	t.Parallel()
	for _, op := range []string{opPatch, opDocument, opUpload, opFeed, opGetFeed, opReport, opDownload} {
		n := few + 1
		if op == opPatch {
			n = 1
		}
		w := setup(t, n)
		for round := range 2 {
			w.misbehave(at(op, answer(500, "oops")), nil)
			for i := range 3 {
				_, err := w.store.Push(t.Context(), batch(levels(n, 1)))
				if down := fault.CodeOf(err) == fault.Unreachable && strings.Contains(err.Error(), "3 requests in a row"); down != (i == 2) {
					t.Errorf("%s, round %d, push %d: %v", op, round, i, err)
				}
			}
			w.misbehave(nil, nil)
			w.pass(time.Hour)
			w.pushed(t, levels(n, 5))
		}
	}
	// Within one batch, the rest of it is not tried.
	w := setup(t, 10)
	w.misbehave(at(opPatch, answer(500, "oops")), nil)
	outcomes, err := w.store.Push(t.Context(), batch(levels(10, 1)))
	var got []channel.Verdict
	for _, o := range outcomes {
		got = append(got, o.Verdict)
	}
	if want := append(slices.Repeat([]channel.Verdict{unknown}, 3), slices.Repeat([]channel.Verdict{unsent}, 7)...); !slices.Equal(got, want) || fault.CodeOf(err) != fault.Unreachable {
		t.Errorf("%v, %v", got, err)
	}
}

// 404 of one SKU, and one that Amazon chokes on, hold up nobody.
func TestOneBadListingDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	w := setup(t, 10)
	delete(w.stock, "SKU-4")
	choke := answer(500, `{"errors":[{"code":"InternalFailure","message":"oops"}]}`)
	real := w.api.Config.Handler
	w.api.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/SKU-7") {
			choke(rw, r)
			return
		}
		real.ServeHTTP(rw, r)
	})
	outcomes, err := w.store.Push(t.Context(), batch(levels(10, 3)))
	for i, o := range outcomes {
		switch {
		case err != nil:
			t.Fatal(err)
		case i == 4 && (o.Verdict != no || o.Code != "NOT_FOUND" || !strings.Contains(o.Message, "SKU 'SKU-4' not found")),
			i == 7 && (o.Verdict != unknown || o.Code != "InternalFailure"),
			i != 4 && i != 7 && (o.Verdict != ack || w.shows(fmt.Sprintf("SKU-%d", i)) != int64(3+i)):
			t.Errorf("%d: %+v", i, o)
		}
	}
}

// An answer to PATCH that does not say that this SKU was accepted acknowledges nothing.
func TestAnswersToPatchAreBelievedToTheLetter(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]expected{
		`{"sku":"SKU-0","status":"ACCEPTED","submissionId":"1"}`:                                                                        {verdict: ack},
		`{"sku":"SKU-0","status":"ACCEPTED","issues":[{"code":"8","severity":"WARNING","message":"w"}]}`:                                {verdict: ack},
		`{"sku":"SKU-0","status":"ACCEPTED","issues":[{"code":"7","severity":"INFO"},{"code":"8","severity":"ERROR","message":"bad"}]}`: {no, "8", "bad", ""},
		`{"sku":"SKU-0","status":"INVALID","issues":[{"code":"7","severity":"WARNING","message":"w"},{"code":"8","severity":"ERROR"}]}`: {no, "8", "no reason", ""},
		`{"sku":"SKU-0","status":"INVALID"}`:                  {no, "REFUSED", "no reason", ""},
		`{"sku":"SKU-0","status":"VALID","submissionId":"1"}`: {unknown, "BAD_REPLY", "VALID", ""},
		`{"sku":"SKU-0"}`:                       {unknown, "BAD_REPLY", "status", ""},
		`{"sku":"SKU-1","status":"ACCEPTED"}`:   {unknown, "BAD_REPLY", "SKU-1", ""},
		`{"status":"ACCEPTED"}`:                 {unknown, "BAD_REPLY", "ACCEPTED", ""},
		`{"sku":"SKU-0","status":["ACCEPTED"]}`: {unknown, "BAD_REPLY", "ACCEPTED", ""},
	} {
		w := setup(t, 1)
		w.misbehave(at(opPatch, answer(200, body)), nil)
		outcomes, err := w.store.Push(t.Context(), batch(levels(1, 1)))
		if o := outcomes[0]; err != nil || o.Verdict != want.verdict || o.Code != want.code || !strings.Contains(o.Message, want.words) {
			t.Errorf("%s: %+v, %v", body, o, err)
		}
	}
}

// Who waits no longer gets what is known at once: whatever may have arrived is unknown, and the next push heals.
func TestCancelingAtEachStep(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]channel.Verdict{
		opToken: unsent, opDocument: unsent, opUpload: unsent, opFeed: unknown, opGetFeed: unknown, opReport: unknown, opDownload: unknown, opPatch: unknown,
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			n := few + 1
			if op == opPatch {
				n = 1
			}
			w := setup(t, n)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.misbehave(at(op, func(_ http.ResponseWriter, r *http.Request) { // it hangs
				cancel()
				<-r.Context().Done()
			}), nil)
			outcomes, err := w.store.Push(ctx, batch(levels(n, 1)))
			if !errors.Is(err, context.Canceled) || len(outcomes) != n {
				t.Fatalf("%+v, %v", outcomes, err)
			}
			for _, o := range outcomes {
				if o != (channel.Outcome{Verdict: want, Message: "canceled before Amazon answered"}) {
					t.Errorf("%+v", o)
				}
			}
			w.misbehave(nil, nil)
			w.pushed(t, levels(n, 8))
		})
	}
	w := setup(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if outcomes, err := w.store.Push(ctx, batch(levels(2, 1))); !errors.Is(err, context.Canceled) || outcomes[0].Verdict != unsent || w.counted(opToken) != 0 {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// A reply that does not come in time is given up, and told of as lost.
func TestHangingIsGivenUp(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	w.pushed(t, levels(1, 1)) // so that the token is there: only requests that hang are in a hurry
	w.misbehave(at(opPatch, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil)
	patient := w.store.items
	w.store.items = outbound.NewPeer(outbound.PeerConfig{
		Name: "amazon", Credentials: w.store.signer, Timeout: 50 * time.Millisecond, Network: outbound.Policy{AllowPrivate: true}, Retry: outbound.Retry{Clock: w.clock, Tries: 2},
	})
	outcomes, err := w.store.Push(t.Context(), batch(levels(1, 2)))
	w.store.items.Close()
	if o := outcomes[0]; err != nil || o.Verdict != unknown || o.Code != "UNREACHABLE" || !strings.Contains(o.Message, "no answer in time") {
		t.Errorf("%+v, %v", o, err)
	}
	w.store.items = patient
	w.misbehave(nil, nil)
	w.pushed(t, levels(1, 3))
}

// An address inside is dialled for no document, as for nothing else.
func TestDocumentsAreUnderThePolicyToo(t *testing.T) {
	t.Parallel()
	w := setup(t, few+1)
	w.store.documents = outbound.NewPeer(outbound.PeerConfig{Name: "amazon", Retry: outbound.Retry{Clock: w.clock}})
	outcomes, err := w.store.Push(t.Context(), batch(levels(few+1, 1)))
	if o := outcomes[0]; fault.CodeOf(err) != fault.AddressRefused || o.Verdict != unsent || o.Code != "ADDRESS_REFUSED" || w.counted(opFeed) != 0 {
		t.Errorf("%+v, %v", o, err)
	}
}

// A wait beyond our patience is not begun, and told.
func TestNamedWaitIsTold(t *testing.T) {
	t.Parallel()
	for _, op := range []string{opToken, opPatch, opFeed} {
		n := few + 5
		if op != opFeed {
			n = 2
		}
		w := setup(t, n)
		w.misbehave(at(op, answer(429, `{}`, "Retry-After", "3600")), nil)
		_, err := w.store.Push(t.Context(), batch(levels(n, 50)))
		var f *fault.Error
		if !errors.As(err, &f) || f.Code != fault.Throttled || f.Until.IsZero() {
			t.Errorf("%s: %v", op, err)
		}
	}
}
