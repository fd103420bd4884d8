package amazon

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// An access token holds for an hour. It is renewed at half of that, so that it does not run out under way.
func TestTokenIsRenewedInTime(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	for i := range 12 { // two hours
		w.pushed(t, levels(1, int64(i)))
		w.pass(10 * time.Minute)
	}
	if n := w.counted(opToken); n != 4 {
		t.Errorf("%d tokens in two hours", n)
	}
	// While the login is down what there is still holds.
	w.misbehave(at(opToken, answer(500, "oops")), nil)
	w.pass(15 * time.Minute)
	w.pushed(t, levels(1, 90))
	w.pass(time.Hour)
	if outcomes, err := w.store.Push(t.Context(), batch(levels(1, 91))); fault.CodeOf(err) != fault.Unreachable || outcomes[0].Verdict != unsent {
		t.Errorf("%+v, %v", outcomes, err)
	}
}

// Whoever needs a token at a time, one request fetches it, and one renews it.
func TestTokenIsFetchedOnceForAll(t *testing.T) {
	t.Parallel()
	w := setup(t, 8)
	for round := range 2 {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				if outcomes, err := w.store.Push(t.Context(), batch(levels(8, 1))); err != nil || outcomes[7].Verdict != ack {
					t.Errorf("%+v, %v", outcomes, err)
				}
			})
		}
		all.Wait()
		if n := w.counted(opToken); n != round+1 {
			t.Errorf("%d tokens in round %d", n, round)
		}
		w.pass(31 * time.Minute)
	}
}

// Amazon answers 403 to a token that it takes no more. A new one is tried, once, and the push goes through.
func TestTokenThatAmazonTakesNoMoreIsReplaced(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, few + 1} {
		w := setup(t, n)
		w.pushed(t, levels(n, 1))
		w.with(func() { clear(w.tokens); w.tokens["some other"] = w.at.Add(time.Hour) })
		w.pushed(t, levels(n, 2))
		if got := w.counted(opToken); got != 2 {
			t.Errorf("%d tokens", got)
		}
		w.misbehave(at(opPatch, answer(403, `{"errors":[{"code":"Unauthorized","message":"Access to requested resource is denied."}]}`)), nil)
		if _, err := w.store.Push(t.Context(), batch(levels(1, 3))); fault.CodeOf(err) != fault.CredentialsRefused || w.counted(opToken) != 1 || w.counted(opPatch) != 2 {
			t.Errorf("%v, %v", err, w.count)
		}
	}
}

// Nor does a new token hide that an attempt before it may have been carried out.
func TestWhatMayHaveBeenTakenStaysUnknown(t *testing.T) {
	t.Parallel()
	w := setup(t, 1)
	w.misbehave(func(op string, n int) http.HandlerFunc {
		if op != opPatch {
			return nil
		}
		return []http.HandlerFunc{cut, answer(403, `{"errors":[{"code":"Unauthorized","message":"expired"}]}`), answer(404, `{"errors":[{"code":"NOT_FOUND","message":"gone"}]}`)}[n-1]
	}, nil)
	outcomes, err := w.store.Push(t.Context(), batch(levels(1, 3)))
	if o := outcomes[0]; err != nil || o.Verdict != unknown || o.Code != "NOT_FOUND" {
		t.Errorf("%+v, %v", o, err)
	}
}

// What Login with Amazon refuses is told with what to do, and never with what is secret.
func TestLoginTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Config)
		answer http.HandlerFunc
		words  string
	}{
		"client":       {change: func(c *Config) { c.ClientSecret = "SECRET-other" }, words: "invalid_client (Client authentication failed): clientId or clientSecret is wrong"},
		"grant":        {change: func(c *Config) { c.RefreshToken = "Atzr|SECRET-other" }, words: "invalid_grant"},
		"unauthorized": {answer: answer(400, `{"error":"unauthorized_client","error_description":"not for `+refreshToken+`"}`), words: "not for [secret]"},
	} {
		var log bytes.Buffer
		w := setup(t, 1, func(cfg *Config, opts *outbound.Options) {
			if c.change != nil {
				c.change(cfg)
			}
			opts.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		if c.answer != nil {
			w.misbehave(at(opToken, c.answer), nil)
		}
		outcomes, err := w.store.Push(t.Context(), batch(levels(1, 1)))
		if fault.CodeOf(err) != fault.CredentialsRefused || !strings.Contains(err.Error(), c.words) || outcomes[0].Verdict != unsent || w.counted(opToken) != 1 {
			t.Errorf("%s: %+v, %v", name, outcomes, err)
		}
		if all := fmt.Sprint(outcomes, err, log.String()); strings.Contains(all, "SECRET") {
			t.Errorf("%s tells a secret: %s", name, all)
		}
	}
	var log bytes.Buffer
	w := setup(t, few+1, func(_ *Config, opts *outbound.Options) {
		opts.Log = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.pushed(t, levels(few+1, 1))
	if all := log.String(); strings.Contains(all, "SECRET") || strings.Contains(all, "Atza|") || strings.Contains(all, "SIGNATURE") || !strings.Contains(all, "/feeds/2021-06-30/feeds") {
		t.Errorf("the log: %s", all)
	}
}
