package outbound

import (
	"context"
	"net/http"
	"time"
)

// Token is what a peer gives in exchange for credentials, and for how long. Life 0 is until it is refused.
type Token struct {
	Value string
	Life  time.Duration
}

// Tokens are Credentials that expire: they are fetched when first needed, renewed at half of their life, and fetched once
// for everyone who needs them at a time. A renewal that fails is no fault while the token at hand holds. The zero value is not usable; make one with NewTokens.
type Tokens struct {
	fetch   func(context.Context) (Token, error)
	sign    func(req *http.Request, token string)
	clock   Clock
	lock    chan struct{} // holds one token while nobody has the fields below
	value   string
	renew   time.Time // when to fetch anew; zero: not before it is refused
	ends    time.Time // when it is good no more; zero: not before it is refused
	fetched bool
}

// NewTokens makes Tokens. fetch asks the peer; sign puts a token into a request, nil as Authorization: Bearer.
func NewTokens(clock Clock, fetch func(context.Context) (Token, error), sign func(*http.Request, string)) *Tokens {
	if sign == nil {
		sign = func(req *http.Request, token string) { req.Header.Set("Authorization", "Bearer "+token) }
	}
	t := &Tokens{fetch: fetch, sign: sign, clock: clock, lock: make(chan struct{}, 1)}
	t.lock <- struct{}{}
	return t
}

type signedWith struct{}

// Sign implements Credentials.
func (t *Tokens) Sign(ctx context.Context, req *http.Request) error {
	select {
	case <-t.lock:
		defer func() { t.lock <- struct{}{} }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if now := t.clock.Time(); !t.fetched || !t.renew.IsZero() && !now.Before(t.renew) {
		token, err := t.fetch(ctx)
		now = t.clock.Time()
		switch {
		case err == nil:
			t.value, t.renew, t.ends, t.fetched = token.Value, time.Time{}, time.Time{}, true
			if token.Life > 0 {
				t.renew, t.ends = now.Add(token.Life/2), now.Add(token.Life)
			}
		case !t.fetched || !now.Before(t.ends) || ctx.Err() != nil:
			return err
		default: // what there is still holds; ask again when half of the rest is over
			t.renew = now.Add(t.ends.Sub(now) / 2)
		}
	}
	t.sign(req, t.value)
	*req = *req.WithContext(context.WithValue(req.Context(), signedWith{}, t.value))
	return nil
}

// Refused implements Credentials. The first to tell of a token forgets it; who was refused with it too is signed with the next.
func (t *Tokens) Refused(req *http.Request) bool {
	<-t.lock
	defer func() { t.lock <- struct{}{} }()
	if used, _ := req.Context().Value(signedWith{}).(string); used == t.value {
		t.fetched = false
	}
	return true
}
