package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// issuer gives tokens token-1, token-2, …, each good for an hour.
type issuer struct {
	mu      sync.Mutex // guards what follows
	fetched int
	err     error
}

func (i *issuer) fetch(context.Context) (Token, error) {
	time.Sleep(time.Second)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.fetched++; i.err != nil {
		return Token{}, i.err
	}
	return Token{Value: fmt.Sprint("token-", i.fetched), Life: time.Hour}, nil
}

func (i *issuer) fails(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.err = err
}

func signed(t *testing.T, tokens *Tokens) (*http.Request, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = tokens.Sign(t.Context(), req)
	return req, strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer "), err
}

// A token is fetched once for all who need it, and renewed once, at half of its life.
func TestTokensAreRenewedInTimeAndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var from issuer
		tokens := NewTokens(Clock{}, from.fetch, nil)
		everyone := func(want string) {
			t.Helper()
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if _, got, err := signed(t, tokens); err != nil || got != want {
						t.Errorf("signed with %q, %v; want %q", got, err, want)
					}
				})
			}
			all.Wait()
		}
		everyone("token-1")
		time.Sleep(29 * time.Minute)
		everyone("token-1")
		time.Sleep(time.Minute)
		everyone("token-2")
		if from.fetched != 2 {
			t.Errorf("%d tokens were fetched", from.fetched)
		}
	})
}

// A renewal that fails is no fault while the token at hand holds, and is not asked for again with every request.
func TestFailedRenewalGoesOnWithWhatHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var from issuer
		down := errors.New("down")
		tokens := NewTokens(Clock{}, from.fetch, nil)
		if _, _, err := signed(t, tokens); err != nil {
			t.Fatal(err)
		}
		from.fails(down)
		for at := 30 * time.Minute; at < 59*time.Minute; at += 10 * time.Second {
			time.Sleep(10 * time.Second)
			if _, got, err := signed(t, tokens); err != nil || got != "token-1" {
				t.Fatalf("at %s: signed with %q, %v", at, got, err)
			}
		}
		if n := from.fetched; n > 12 {
			t.Errorf("it was asked for %d times", n)
		}
		time.Sleep(31 * time.Minute)
		if _, _, err := signed(t, tokens); !errors.Is(err, down) {
			t.Errorf("a token that no longer holds: %v", err)
		}
		from.fails(nil)
		if _, got, err := signed(t, tokens); err != nil || !strings.HasPrefix(got, "token-") || got == "token-1" {
			t.Errorf("signed with %q, %v", got, err)
		}
	})
}

// Of many who are refused with one token, one has the next fetched; a failure then is a fault, for nothing holds.
func TestRefusedTokenIsFetchedAnewOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var from issuer
		tokens := NewTokens(Clock{}, from.fetch, nil)
		var refused []*http.Request
		for range 5 {
			req, _, err := signed(t, tokens)
			if err != nil {
				t.Fatal(err)
			}
			refused = append(refused, req)
		}
		for _, req := range refused {
			if !tokens.Refused(req) {
				t.Error("signing anew may help")
			}
			if _, got, err := signed(t, tokens); err != nil || got != "token-2" {
				t.Errorf("signed with %q, %v", got, err)
			}
		}
		down := errors.New("down")
		from.fails(down)
		req, _, _ := signed(t, tokens)
		tokens.Refused(req)
		if _, _, err := signed(t, tokens); !errors.Is(err, down) {
			t.Errorf("%v", err)
		}
	})
}

// Who waits for somebody else's fetch can be canceled.
func TestWaitingForATokenIsCanceled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, end := make(chan struct{}), make(chan struct{})
		tokens := NewTokens(Clock{}, func(context.Context) (Token, error) { close(begun); <-end; return Token{Value: "token"}, nil }, nil)
		var done sync.WaitGroup
		done.Go(func() {
			if _, _, err := signed(t, tokens); err != nil {
				t.Error(err)
			}
		})
		<-begun
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := tokens.Sign(ctx, req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		close(end)
		done.Wait()
	})
}
