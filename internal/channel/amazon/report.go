package amazon

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"stockbridge/internal/channel"
	"stockbridge/internal/fault"
	"stockbridge/internal/outbound"
)

// report is what became of a feed's messages (listings feed processing report schema v2). A message without an issue was accepted,
// if the summary says so.
type report struct {
	Header *struct {
		SellerID string `json:"sellerId"`
		FeedID   string `json:"feedId"`
	} `json:"header"`
	Issues  []issue `json:"issues"`
	Summary *struct {
		Processed *int `json:"messagesProcessed"`
		Accepted  *int `json:"messagesAccepted"`
		Invalid   *int `json:"messagesInvalid"`
	} `json:"summary"`
}

// report fetches the report of a feed that has come to its end. A report of another feed, or one that holds no summary, is BAD_REPLY.
func (s *Store) report(ctx context.Context, feed, id string) (r report, reply outbound.Reply, err error) {
	if id == "" {
		return r, outbound.Reply{Sent: true}, fault.New(fault.BadReply, "Amazon has finished it, but names no report")
	}
	for range addresses {
		var document struct {
			URL         string `json:"url"`
			Compression string `json:"compressionAlgorithm"`
		}
		reply, err = s.ask(ctx, call{peer: s.feeds, limit: s.limits.getDocument, method: http.MethodGet, path: feedsPath + "documents/" + url.PathEscape(id), into: &document})
		if err == nil {
			err = s.checkDocument(document.URL)
		}
		if err != nil {
			return r, reply, err
		}
		reply, err = s.documents.Do(ctx, outbound.Request{Method: http.MethodGet, URL: document.URL, Judge: func(reply outbound.Reply) error {
			if err := s.judgeDocument(reply); err != nil {
				return err
			}
			r, err = s.read(reply.Body, document.Compression, feed)
			return err
		}})
		if err == nil || ctx.Err() != nil || reply.Status < 400 || reply.Status > 499 {
			break // else the address may have run out
		}
	}
	return r, reply, err
}

// read reads a report.
func (s *Store) read(body []byte, compression, feed string) (r report, err error) {
	bad := func(err error, what string) error {
		return fault.Wrap(err, fault.BadReply, "the report %s: %s", what, s.documents.Hide(string(body[:min(len(body), 2000)])))
	}
	switch compression {
	case "":
	case "GZIP":
		if !bytes.HasPrefix(body, []byte{0x1f, 0x8b}) { // unpacked on the way
			break
		}
		if body, err = unpack(body); err != nil {
			return r, fault.Wrap(err, fault.BadReply, "the report cannot be unpacked (%v)", err)
		}
	default:
		return r, fault.New(fault.BadReply, "the report is packed with %.20q, which is not known", compression)
	}
	switch err := json.Unmarshal(body, &r); {
	case err != nil:
		return report{}, bad(err, "is not what Amazon documents")
	case r.Header == nil || r.Summary == nil || r.Summary.Processed == nil || r.Summary.Accepted == nil || r.Summary.Invalid == nil:
		return report{}, bad(nil, "lacks its header or summary")
	case r.Header.FeedID != feed || r.Header.SellerID != s.cfg.SellerID:
		return report{}, bad(nil, "is of another feed")
	}
	return r, nil
}

// unpack undoes gzip, up to documentLimit.
func unpack(body []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(z, documentLimit+1))
	if err == nil && len(plain) > documentLimit {
		err = fmt.Errorf("it is longer than %d bytes", documentLimit)
	}
	return plain, err
}

// apply judges the rows of a feed by its report. done tells that the feed came to a good end: otherwise only refusals are believed.
func (p *push) apply(rows []int, r report, done bool) {
	named := make(map[int]issue) // by row of the feed; the first ERROR of each
	var whole issue              // the worst of the feed as such
	for _, i := range r.Issues {
		n := int(i.MessageID) - 1
		ours := n >= 0 && n < len(rows) && (i.SKU == "" || i.SKU == p.batch.Levels[rows[n]].SKU)
		switch {
		case i.Severity != "ERROR":
		case !ours:
			if whole.Severity == "" {
				whole = i
			}
		case named[n].Severity == "":
			named[n] = i
		}
	}
	rest := p.unnamed(len(rows), len(named), r, whole)
	for i, n := range rows {
		if is, bad := named[i]; bad {
			p.settle(n, p.refusal(is))
		} else if done {
			p.settle(n, rest)
		}
	}
}

// unnamed is the outcome of the messages of a feed that no ERROR names: of n messages, errors are named.
func (p *push) unnamed(n, errors int, r report, whole issue) channel.Outcome {
	processed, accepted, invalid := *r.Summary.Processed, *r.Summary.Accepted, *r.Summary.Invalid
	switch {
	case whole.Severity == "" && processed == n && (accepted == n && invalid == 0 || accepted == n-errors && invalid == errors):
		return channel.Outcome{Verdict: channel.Acknowledged}
	case accepted == 0 && whole.Severity != "":
		return p.refusal(whole)
	case accepted == 0:
		return refused(feedRefused, fmt.Sprintf("Amazon accepted none of the %d messages of the feed, and gave no reason for this one", n))
	}
	words := fmt.Sprintf("the report says that %d of %d messages were processed, %d accepted and %d refused, and names %d: it does not tell of this one", processed, n, accepted, invalid, errors)
	if whole.Severity != "" {
		words += "; " + p.items.Hide(whole.Message)
	}
	return channel.Outcome{Verdict: channel.Unknown, Code: feedUnclear, Message: outbound.Excerpt([]byte(words))}
}
