package outbound

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"stockbridge/internal/fault"
)

// PeerConfig says how one outside system is spoken to.
type PeerConfig struct {
	Name        string        // for the log: "shopify store U3RvcmU6MQ"
	Concurrency int           // connections at once, and so requests under way; 0: 1
	PerSecond   float64       // requests per second at most; 0: no limit but what the peer asks for
	OwnBudget   bool          // the adapter goes by a budget that the platform tells: a 429 slows down nothing here
	Timeout     time.Duration // for one attempt, its reply included; 0: 30 s
	ReplyLimit  int64         // bytes of a reply that are read; 0: 16 MiB
	Secrets     []string      // taken out of all words; those shorter than 8 bytes are in any text by chance and stay
	Credentials Credentials   // signs every attempt; nil: the requests are signed already
	Log         *slog.Logger  // tells of every attempt at debug level; nil: nothing

	Network Policy
	Retry   Retry // its clock is used for all waiting
}

// Credentials sign requests. They are safe for concurrent use.
type Credentials interface {
	// Sign adds what lets in. It may ask the peer for it first; errors are those of Peer.Do.
	Sign(ctx context.Context, req *http.Request) error
	// Refused tells that the peer answered a signed request with 401. It answers whether signing anew may help.
	Refused(req *http.Request) bool
}

// Peer is one outside system as an adapter speaks to it: requests go at its pace, are made again where that can help, and
// are signed, judged and logged in one place. It is safe for concurrent use, and lives as long as the adapter that has
// it, so that what was learned (pace, tokens, connections) holds from one sync to the next.
type Peer struct {
	cfg    PeerConfig
	client *http.Client
	pace   *Pace
	spare  *retries
	hidden secrets
}

// NewPeer makes a Peer and dials nobody.
func NewPeer(cfg PeerConfig) *Peer {
	cfg.Concurrency = max(cfg.Concurrency, 1)
	cfg.Timeout = cmp.Or(cfg.Timeout, 30*time.Second)
	cfg.ReplyLimit = cmp.Or(cfg.ReplyLimit, 16<<20)
	cfg.Retry.Budget = cmp.Or(cfg.Retry.Budget, 2*time.Minute)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	p := &Peer{cfg: cfg, client: cfg.Network.Client(cfg.Concurrency, cfg.Timeout), pace: NewPace(cfg.PerSecond, cfg.Retry.Clock), spare: newRetries(cfg.Retry.Clock)}
	p.hidden.add(cfg.Secrets...)
	p.client.Timeout = cfg.Timeout // the body of a reply may stall too
	return p
}

// Clock is what the peer's waiting goes by.
func (p *Peer) Clock() Clock { return p.cfg.Retry.Clock }

// Pace is what its requests go at: an adapter that learns of a budget from replies holds it.
func (p *Peer) Pace() *Pace { return p.pace }

// Hide takes secrets out of a text of the peer, and makes an excerpt of it. Secret are PeerConfig.Secrets and what Credentials put into
// requests, also as JSON and addresses write them.
func (p *Peer) Hide(text string) string { return Excerpt([]byte(p.hidden.strike(text))) }

// Close lets go of idle connections.
func (p *Peer) Close() { p.client.CloseIdleConnections() }

// Request is one request, which may be attempted several times.
type Request struct {
	Method string
	URL    string
	Header http.Header
	Body   []byte
	// Judge tells whether a reply is good, as Reply.Check does, which is the default: platforms that say no within a 200 need
	// one of their own. An *Again around its error has the request made again.
	Judge func(Reply) error
	// Once keeps a request that may have reached the peer from being made again: it has no idempotency of its own.
	Once bool
	// Untried makes one attempt and no more, for tests of a connection.
	Untried bool
}

// Do makes a request until its reply is good, or the peer's patience ends. The reply is the last one, beside an error too;
// Reply.Taken tells whether any attempt may have been carried out without our knowing.
//
// Errors are those of Send and Reply.Check, and of Credentials; that of ctx when it ends. A 401 is signed anew once. A 429 slows down
// all that follows (Pace.Slow), and a peer that fails on and on gets few requests twice.
func (p *Peer) Do(ctx context.Context, r Request) (reply Reply, err error) {
	judge, retry, taken, signed, failures := r.Judge, p.cfg.Retry, false, false, 0
	if judge == nil {
		judge = func(reply Reply) error { return reply.Check(p.Clock().Time()) }
	}
	if r.Untried {
		retry.Tries, retry.Budget = 1, time.Nanosecond
	}
	tries := cmp.Or(retry.Tries, defaultTries)
	p.spare.earn()
	err = retry.Do(ctx, func() (err error) {
		if err := p.pace.Wait(ctx); err != nil {
			return err
		}
		var again *Again
		var req *http.Request
		reply, req, err = p.attempt(ctx, r, judge)
		if reply.Status == http.StatusUnauthorized && p.cfg.Credentials != nil && !signed && p.cfg.Credentials.Refused(req) {
			signed = true
			reply, _, err = p.attempt(ctx, r, judge)
		}
		throttled := errors.As(err, &again) && again.Throttled // then it was not taken, whatever the status
		unknown := !throttled && (reply.Status == 0 && reply.Sent || reply.Status >= 500)
		taken = taken || unknown && err != nil
		if reply.Status == http.StatusTooManyRequests {
			if !p.cfg.OwnBudget {
				p.pace.Slow()
			}
		} else if reply.Status != 0 {
			p.pace.Went()
		}
		switch failures++; {
		case again == nil:
		case throttled:
			failures--
			if again.After <= retry.Budget { // a longer wait is not begun
				p.pace.Hold(again.After)
			}
		case r.Once && unknown, failures < tries && !p.spare.spend():
			return again.Err
		}
		return err
	})
	reply.Taken = taken
	return reply, err
}

// attempt makes one request.
func (p *Peer) attempt(ctx context.Context, r Request, judge func(Reply) error) (reply Reply, req *http.Request, err error) {
	req, err = http.NewRequestWithContext(ctx, r.Method, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		return reply, req, fault.Wrap(err, fault.Invalid, "the address cannot be used")
	}
	if r.Header != nil {
		req.Header = r.Header.Clone()
	}
	req.Header.Set("User-Agent", "Stockbridge")
	if p.cfg.Credentials != nil {
		if err := p.cfg.Credentials.Sign(ctx, req); err != nil {
			return reply, req, err
		}
		p.hidden.signed(r.Header, req.Header)
	}
	start := p.Clock().Time()
	if reply, err = Send(p.client, req, p.cfg.ReplyLimit); err == nil {
		if reply.Status > 299 { // words, not results
			reply.Body = []byte(p.hidden.strike(string(reply.Body)))
		}
		err = judge(reply)
	}
	attrs := []slog.Attr{slog.String("peer", p.cfg.Name), slog.String("request", reply.where), slog.Int("sent", len(r.Body)), slog.Int("status", reply.Status),
		slog.Int("received", len(reply.Body)), slog.Duration("took", p.Clock().Time().Sub(start))}
	if err != nil {
		attrs = append(attrs, slog.String("error", p.Hide(err.Error())))
	}
	p.cfg.Log.LogAttrs(ctx, slog.LevelDebug, "asked", attrs...)
	return reply, req, err
}

// Options are what the server gives every adapter. The zero value works, for public addresses.
type Options struct {
	Name    string // what is spoken to, for the log
	Network Policy
	Retry   Retry // its clock is used for all waiting
	Log     *slog.Logger
}
