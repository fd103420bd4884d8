// Package httpstore pushes levels to a shop of one's own making: signed JSON over
// HTTP (wire.md, "HTTP store").
package httpstore

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	replyLimit = 4 << 20 // bytes of a reply that are read
	inARow     = 3       // batches without a usable answer after which the store counts as down
)

// Config says where a store is and how to talk to it.
type Config struct {
	URL           string        // http or https; a query is kept, a user is not taken
	Token         string        // sent as Bearer; "" for none
	SigningSecret string        // key of the HMAC-SHA256 over the body; "" for no signature
	BatchSize     int           // levels per request, 1 to 10,000; 0: 250
	Concurrency   int           // requests under way at once, 1 to 64; 0: 4
	PerSecond     float64       // requests per second at most, up to 1,000; 0: no limit
	Timeout       time.Duration // for one request and its reply; 0: 30 s
	Store         string        // the store's public id, for Test

	outbound.Options
}

// Store is a connected HTTP store.
type Store struct {
	cfg    Config
	peer   *outbound.Peer
	host   string       // for words
	silent atomic.Int32 // batches in a row without a usable answer
}

var _ channel.Sink = (*Store)(nil)

// New checks the configuration, with faults at fields "url", "token", "batchSize", "concurrency" and
// "requestsPerSecond", and dials nothing.
func New(cfg Config) (*Store, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		// Not repeated: an unreadable URL may hold a password.
		return nil, fault.At("url", fault.Invalid, "the url cannot be used; write it as https://host/path")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, fault.At("url", fault.Invalid, "the url of %s holds a user, a password or a fragment; take it out, and set token to sign in", u.Host)
	}
	if strings.ContainsFunc(cfg.Token, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, fault.At("token", fault.Invalid, "the token holds a line break or another control character; take it out")
	}
	cfg.BatchSize, cfg.Concurrency = cmp.Or(cfg.BatchSize, 250), cmp.Or(cfg.Concurrency, 4)
	switch {
	case cfg.BatchSize < 1 || cfg.BatchSize > 10_000:
		return nil, fault.At("batchSize", fault.OutOfRange, "batchSize is %d; set it from 1 to 10000", cfg.BatchSize)
	case cfg.Concurrency < 1 || cfg.Concurrency > 64:
		return nil, fault.At("concurrency", fault.OutOfRange, "concurrency is %d; set it from 1 to 64", cfg.Concurrency)
	case !(cfg.PerSecond >= 0 && cfg.PerSecond <= 1000):
		return nil, fault.At("requestsPerSecond", fault.OutOfRange, "requestsPerSecond is %g; set it up to 1000, or 0 for no limit", cfg.PerSecond)
	}
	return &Store{cfg: cfg, host: u.Scheme + "://" + u.Host, peer: outbound.NewPeer(outbound.PeerConfig{
		Name: cfg.Name, Concurrency: cfg.Concurrency, PerSecond: cfg.PerSecond, Timeout: max(cfg.Timeout, 0), ReplyLimit: replyLimit,
		Secrets: []string{cfg.Token, cfg.SigningSecret}, Log: cfg.Log, Network: cfg.Network, Retry: cfg.Retry,
	})}, nil
}

// Capabilities are the configured bounds.
func (s *Store) Capabilities() channel.Capabilities {
	return channel.Capabilities{MaxBatch: s.cfg.BatchSize, Concurrency: s.cfg.Concurrency, Semantics: channel.Available}
}

// Close lets go of idle connections.
func (s *Store) Close() error {
	s.peer.Close()
	return nil
}

// Push sends a batch, anew under the same Idempotency-Key while that can help, and in halves if the store finds
// it too large (413).
//
// Errors: CREDENTIALS_REFUSED; THROTTLED when the store wants longer waits than our patience; ADDRESS_REFUSED; REFUSED
// when it has moved; UNREACHABLE when no connection came about, or when three batches in a row got 5xx or no
// answer; BAD_REPLY when the last of three such was an answer not to be understood. One such batch by itself
// is Unknown and no error: it may be what the store chokes on, and must not hold up the others.
func (s *Store) Push(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	if len(batch.Levels) == 0 {
		return nil, ctx.Err()
	}
	request, err := s.request(batch)
	if err != nil {
		return nil, err
	}
	reply, err := s.peer.Do(ctx, request)
	if reply.Status == http.StatusRequestEntityTooLarge && len(batch.Levels) > 1 && ctx.Err() == nil {
		return s.halves(ctx, batch)
	}
	return s.judge(ctx, batch.Levels, reply, err)
}

// request makes the signed request of wire.md.
func (s *Store) request(batch channel.Batch) (r outbound.Request, err error) {
	r = outbound.Request{Method: http.MethodPost, URL: s.cfg.URL, Header: http.Header{}}
	if r.Body, err = encode(batch); err != nil {
		return r, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Idempotency-Key", batch.Key)
	if s.cfg.Token != "" {
		r.Header.Set("Authorization", "Bearer "+s.cfg.Token)
	}
	if s.cfg.SigningSecret != "" {
		mac := hmac.New(sha256.New, []byte(s.cfg.SigningSecret))
		mac.Write(r.Body)
		r.Header.Set("X-Stockbridge-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	return r, nil
}

// judge tells the outcomes of a batch from its last reply or failure, and whether the store can be used at all.
func (s *Store) judge(ctx context.Context, levels []channel.Level, reply outbound.Reply, err error) ([]channel.Outcome, error) {
	if err == nil {
		var outcomes []channel.Outcome
		if outcomes, err = parse(reply.Body, levels, s.peer.Hide); err == nil {
			s.silent.Store(0)
			return outcomes, nil
		}
	}
	code := fault.CodeOf(err)
	all := channel.Outcome{Verdict: channel.Refused, Code: string(code), Message: outbound.Excerpt([]byte(fault.Message(err)))}
	if reply.Status >= 400 {
		all.Message = cmp.Or(outbound.Excerpt(reply.Body), reply.StatusText())
		if code == fault.Refused || code == fault.Unreachable {
			all.Code = fmt.Sprintf("HTTP_%d", reply.Status)
		}
	}
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		all = channel.Outcome{Verdict: channel.Unsent, Message: "canceled before the store answered"}
	case code == fault.Refused && reply.Status >= 400: // about these levels
		s.silent.Store(0)
		err = nil
	case code == fault.BadReply, code == fault.Unreachable && (reply.Sent || reply.Status != 0):
		all.Verdict = channel.Unknown
		err = s.unanswered(err)
	case reply.Status == 0:
		all.Verdict = channel.Unsent
	}
	if reply.Taken { // the last answer does not tell what came of an attempt before it
		all.Verdict = channel.Unknown
	}
	return slices.Repeat([]channel.Outcome{all}, len(levels)), err
}

// unanswered counts a batch without a usable answer, and gives the store up when there were several in a row.
func (s *Store) unanswered(err error) error {
	n := s.silent.Add(1)
	if n < inARow {
		return nil
	}
	return fault.Wrap(err, fault.CodeOf(err), "no usable answer to %d batches in a row: %s", n, fault.Message(err))
}

// halves sends a batch in two, each under a key of its own, since it has a body of its own.
func (s *Store) halves(ctx context.Context, batch channel.Batch) ([]channel.Outcome, error) {
	var outcomes []channel.Outcome
	var err error
	for i, levels := range [][]channel.Level{batch.Levels[:len(batch.Levels)/2], batch.Levels[len(batch.Levels)/2:]} {
		half := batch
		half.Levels = levels
		half.Key = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", batch.Key, i)).String()
		var some []channel.Outcome
		if err == nil {
			some, err = s.Push(ctx, half)
		} else {
			unsent := channel.Outcome{Verdict: channel.Unsent, Code: string(fault.CodeOf(err)), Message: outbound.Excerpt([]byte(fault.Message(err)))}
			some = slices.Repeat([]channel.Outcome{unsent}, len(levels))
		}
		outcomes = append(outcomes, some...)
	}
	return outcomes, err
}

// Test sends no levels, once, and tells what came back and how long it took.
func (s *Store) Test(ctx context.Context) (string, error) {
	batch := channel.Batch{Store: s.cfg.Store, Run: "test", Key: uuid.NewString()}
	request, err := s.request(batch)
	if err != nil {
		return "", err
	}
	request.Untried = true
	clock := s.peer.Clock()
	start := clock.Time()
	reply, err := s.peer.Do(ctx, request)
	took := clock.Time().Sub(start).Round(time.Millisecond)
	if err == nil {
		_, err = parse(reply.Body, nil, s.peer.Hide)
	}
	if err != nil {
		return "", fmt.Errorf("test after %s: %w", took, err)
	}
	return fmt.Sprintf("%s took a request without levels and answered %s in %s", s.host, reply.StatusText(), took), nil
}

// encode makes the body of wire.md.
func encode(batch channel.Batch) ([]byte, error) {
	type level struct {
		SKU      string  `json:"sku"`
		Location *string `json:"location"`
		Quantity int64   `json:"quantity"`
	}
	levels := make([]level, len(batch.Levels)) // not nil: without levels the list is there, and empty
	for i, l := range batch.Levels {
		levels[i] = level{SKU: l.SKU, Quantity: l.Quantity}
		if l.Location != "" {
			levels[i].Location = &l.Location
		}
	}
	return json.Marshal(struct {
		Store  string  `json:"store"`
		Run    string  `json:"run"`
		Levels []level `json:"levels"`
	}{batch.Store, batch.Run, levels})
}
