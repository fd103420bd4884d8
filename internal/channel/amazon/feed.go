package amazon

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

const (
	feedType    = "JSON_LISTINGS_FEED"
	feedContent = "application/json; charset=UTF-8"
	feedsPath   = "/feeds/2021-06-30/"

	firstPoll = 5 * time.Second // after a feed was handed over; half as long again each time
	longPoll  = time.Minute     // between two polls at most
	patience  = 30 * time.Minute
	pollsLost = 3 // polls in a row without a usable answer, each asked several times, after which a feed is given up
	addresses = 2 // how often the address of a document is asked for: it holds for 5 minutes
)

// errTooLong is a feed that is too long for the place of documents. One of smallFeed bytes or less is refused for something else.
var errTooLong = errors.New("the feed is too long")

const smallFeed = 256 << 10

// message is one level in a feed.
type message struct {
	MessageID     int              `json:"messageId"` // from 1
	SKU           string           `json:"sku"`
	OperationType string           `json:"operationType"`
	ProductType   string           `json:"productType"`
	Patches       []patchOperation `json:"patches"`
}

// encode makes a feed of rows of a batch.
func (p *push) encode(rows []int) ([]byte, error) {
	var f struct {
		Header struct {
			SellerID string `json:"sellerId"`
			Version  string `json:"version"`
		} `json:"header"`
		Messages []message `json:"messages"`
	}
	f.Header.SellerID, f.Header.Version = p.cfg.SellerID, "2.0"
	f.Messages = make([]message, len(rows))
	for i, n := range rows {
		l := p.batch.Levels[n]
		f.Messages[i] = message{i + 1, l.SKU, "PATCH", productType, p.patches(l.Quantity)}
	}
	return json.Marshal(f)
}

// feed sets rows of a batch with a feed, or with several where one would be too long.
func (p *push) feed(ctx context.Context, rows []int) {
	if p.left(ctx, rows) {
		return
	}
	body, err := p.encode(rows)
	if err != nil {
		p.fail(ctx, rows, outbound.Reply{}, fmt.Errorf("write a feed: %w", err))
		return
	}
	document, tooLong, reply := "", len(body) > maxFeed && len(rows) > 1, outbound.Reply{}
	if !tooLong {
		document, reply, err = p.upload(ctx, body)
		tooLong = errors.Is(err, errTooLong) && len(rows) > 1 && len(body) > smallFeed
	}
	switch {
	case tooLong:
		p.feed(ctx, rows[:len(rows)/2])
		p.feed(ctx, rows[len(rows)/2:])
		return
	case err != nil:
		o := outcome(ctx, reply, err)
		if o.Verdict == channel.Unknown { // whatever became of the document, Amazon was told of no feed
			o.Verdict = channel.Unsent
		}
		p.settleAll(rows, o)
		p.err = p.stop(reply, err)
		return
	}
	id, reply, err := p.submit(ctx, document)
	if err != nil {
		p.fail(ctx, rows, reply, err)
		return
	}
	p.follow(ctx, rows, id)
}

// upload puts a feed where Amazon wants it, and returns the document's id.
func (s *Store) upload(ctx context.Context, body []byte) (id string, reply outbound.Reply, err error) {
	for range addresses {
		var document struct {
			ID  string `json:"feedDocumentId"`
			URL string `json:"url"`
		}
		reply, err = s.ask(ctx, call{
			peer: s.feeds, limit: s.limits.createDocument, method: http.MethodPost, path: feedsPath + "documents", into: &document,
			body: map[string]string{"contentType": feedContent},
		})
		if err == nil && document.ID == "" {
			err = fault.New(fault.BadReply, "Amazon's answer names no document to put a feed into: %s", s.feeds.Hide(string(reply.Body)))
		}
		if err == nil {
			err = s.checkDocument(document.URL)
		}
		if err != nil {
			return "", reply, err
		}
		reply, err = s.documents.Do(ctx, outbound.Request{Method: http.MethodPut, URL: document.URL, Body: body, Header: http.Header{"Content-Type": {feedContent}}, Judge: s.judgeDocument})
		if err == nil {
			return document.ID, reply, nil
		}
		if reply.Status < 400 || reply.Status > 499 || errors.Is(err, errTooLong) {
			break // else the address may have run out
		}
	}
	return "", reply, err
}

// checkDocument keeps feeds and reports from going in the open where the API itself does not.
func (s *Store) checkDocument(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && (u.Scheme != "http" || strings.HasPrefix(s.base, "https:")) {
		return fault.New(fault.BadReply, "Amazon names a document's address that cannot be used")
	}
	return nil
}

// judgeDocument judges replies of the place where documents lie, Amazon S3. A refusal there is about the address, which is
// signed and runs out, and not about the credentials.
func (s *Store) judgeDocument(reply outbound.Reply) error {
	err := reply.Check(s.documents.Clock().Time())
	if code := fault.CodeOf(err); code != fault.Refused && code != fault.CredentialsRefused {
		return err
	}
	words := s.documents.Hide(string(reply.Body))
	var e struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	}
	if xml.Unmarshal(reply.Body, &e) == nil && e.Code != "" { // the rest may hold parts of the signature
		words = s.documents.Hide(e.Code + ": " + e.Message)
	}
	var cause error
	if reply.Status == http.StatusRequestEntityTooLarge || e.Code == "EntityTooLarge" {
		cause = errTooLong
	}
	return &failure{fault: fault.Wrap(cause, fault.Refused, "the place of Amazon's documents answered %s: %s", reply.StatusText(), words), code: fmt.Sprintf("HTTP_%d", reply.Status)}
}

// submit hands an uploaded feed over, and returns the feed's id. Amazon takes every such request for another feed.
func (s *Store) submit(ctx context.Context, document string) (id string, reply outbound.Reply, err error) {
	var answer struct {
		ID string `json:"feedId"`
	}
	reply, err = s.ask(ctx, call{
		peer: s.feeds, limit: s.limits.createFeed, method: http.MethodPost, path: feedsPath + "feeds", into: &answer, once: true,
		body: struct {
			FeedType       string   `json:"feedType"`
			MarketplaceIDs []string `json:"marketplaceIds"`
			Document       string   `json:"inputFeedDocumentId"`
		}{feedType, s.cfg.MarketplaceIDs, document},
	})
	if err == nil && answer.ID == "" {
		err = fault.New(fault.BadReply, "Amazon's answer names no feed: %s", s.feeds.Hide(string(reply.Body)))
	}
	return answer.ID, reply, err
}

// feedState is a feed as Amazon tells it.
type feedState struct {
	Status string `json:"processingStatus"`
	Report string `json:"resultFeedDocumentId"`
}

// follow waits for what becomes of a feed and judges its rows. Nothing is taken for acknowledged that the report does not tell.
func (p *push) follow(ctx context.Context, rows []int, id string) {
	lost := func(reply outbound.Reply, err error) {
		o := outcome(ctx, reply, err)
		o.Verdict = channel.Unknown
		if o.Code != "" {
			o.Message = outbound.Excerpt([]byte("feed " + p.feeds.Hide(id) + " was handed over, but what became of it is not known: " + fault.Message(err)))
		}
		p.settleAll(rows, o)
	}
	state, reply, err := p.await(ctx, id, firstPoll)
	if err != nil {
		p.unfinished.add(id)
		lost(reply, err)
		p.err = p.stop(reply, err)
		return
	}
	switch state.Status {
	case "DONE":
	case "CANCELLED": // "before it started processing"
		p.settleAll(rows, refused(feedCancelled, "Amazon, or somebody at the seller's, cancelled feed "+p.feeds.Hide(id)+" before it was begun"))
		return
	case "FATAL": // "some, none, or all of the operations may have completed"; there is not always a report
		p.settleAll(rows, channel.Outcome{Verdict: channel.Unknown, Code: feedFatal, Message: "Amazon broke feed " + p.feeds.Hide(id) + " off and does not tell how much of it was done"})
		if state.Report == "" {
			return
		}
	default: // given up
		p.unfinished.add(id)
		p.settleAll(rows, channel.Outcome{Verdict: channel.Unknown, Code: feedUnfinished, Message: fmt.Sprintf("Amazon has not finished feed %s (%s) after %s; the next sync sets it again", p.feeds.Hide(id), p.feeds.Hide(state.Status), patience)})
		return
	}
	r, reply, err := p.report(ctx, id, state.Report)
	switch {
	case err != nil && state.Status == "FATAL" && ctx.Err() == nil: // as it is without a report
	case err != nil:
		lost(reply, err)
		p.err = p.stop(reply, err)
	default:
		p.silent.Store(0)
		p.apply(rows, r, state.Status == "DONE")
	}
}

// await asks for a feed's state, for the first time after a while, until it has an end, or patience ends: then the state is the last one.
func (s *Store) await(ctx context.Context, id string, wait time.Duration) (state feedState, reply outbound.Reply, err error) {
	clock := s.feeds.Clock()
	end := clock.Time().Add(patience)
	for failed := 0; ; wait = min(max(wait*3/2, firstPoll), longPoll) {
		if err := clock.Pause(ctx, wait); err != nil {
			return state, reply, err
		}
		var now feedState
		reply, err = s.ask(ctx, call{peer: s.feeds, limit: s.limits.getFeed, method: http.MethodGet, path: feedsPath + "feeds/" + url.PathEscape(id), into: &now})
		if err == nil && now.Status == "" {
			err = fault.New(fault.BadReply, "Amazon's answer does not tell a feed's state: %s", s.feeds.Hide(string(reply.Body)))
		}
		if failed++; err == nil {
			state, failed = now, 0
		}
		code := fault.CodeOf(err)
		switch {
		case err == nil && (now.Status == "DONE" || now.Status == "FATAL" || now.Status == "CANCELLED"):
			return state, reply, nil
		case err != nil && (failed >= pollsLost || ctx.Err() != nil || code != fault.Unreachable && code != fault.BadReply && code != fault.Throttled):
			return state, reply, err
		case !clock.Time().Before(end):
			return state, reply, err
		}
	}
}
