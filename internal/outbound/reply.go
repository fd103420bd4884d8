package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"stockbridge/internal/fault"
)

// Reply is what came of one request.
type Reply struct {
	// Sent tells, beside an error too, whether the request may have reached the other side.
	Sent   bool
	Status int // 0 beside an error
	Header http.Header
	Body   []byte
	// Taken tells of a request made with Peer.Do that an attempt may have been carried out though its answer was lost.
	Taken bool

	where string // method and URL, for words
	moved string // where a redirecting reply points
}

// Send makes one request and reads its reply, of at most limit bytes. Time-outs, resets and replies cut short are an
// *Again around UNREACHABLE. Not worth another try are ADDRESS_REFUSED, a certificate that is not trusted
// (UNREACHABLE) and a reply too long (BAD_REPLY). When the request's context ends, its error is returned.
func Send(client *http.Client, req *http.Request, limit int64) (Reply, error) {
	ctx := req.Context()
	var sent atomic.Bool
	r := Reply{where: req.Method + " " + shown(req.URL)}
	resp, err := client.Do(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteHeaders: func() { sent.Store(true) },
	})))
	r.Sent = sent.Load()
	if err != nil {
		return r, r.failed(ctx, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return r, r.failed(ctx, err)
	}
	if int64(len(body)) > limit {
		return r, fault.New(fault.BadReply, "%s: the reply is longer than %d bytes", r.where, limit)
	}
	r.Status, r.Header, r.Body = resp.StatusCode, resp.Header, body
	if to, err := resp.Location(); err == nil {
		r.moved = shown(to)
	}
	return r, nil
}

// shown is a URL without what may be secret in it.
func shown(u *url.URL) string {
	return Excerpt([]byte((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()))
}

// failed sorts the error of a request that got no (whole) reply.
func (r Reply) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error // repeats the URL, query and all
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) { // the address, or a redirect
		return fault.Wrap(err, f.Code, "%s: %s", r.where, f.Message)
	}
	var netErr net.Error
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &cert):
		return fault.Wrap(err, fault.Unreachable, "%s: the certificate shown is not to be trusted (%v)", r.where, cert.Err)
	case errors.As(err, &netErr) && netErr.Timeout():
		return &Again{Err: fault.Wrap(err, fault.Unreachable, "%s: no answer in time", r.where)}
	}
	return &Again{Err: fault.Wrap(err, fault.Unreachable, "%s: no answer (%v)", r.where, err)}
}

// Check judges a reply by its status (spec section 6). 2xx is nil. 401 and 403 are CREDENTIALS_REFUSED; 429, and 503 that
// tells how long, an *Again to wait around THROTTLED; any other 5xx an *Again around UNREACHABLE; all else REFUSED. The
// message holds the body's first 300 characters.
func (r Reply) Check(now time.Time) error {
	if r.Status >= 200 && r.Status <= 299 {
		return nil
	}
	words := r.where + " answered " + r.StatusText()
	if body := Excerpt(r.Body); body != "" {
		words += ": " + body
	}
	wait, told := RetryAfter(r.Header.Get("Retry-After"), now)
	if told {
		words += fmt.Sprintf(" (asks to wait %s)", wait.Round(time.Second))
	}
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
		return fault.New(fault.CredentialsRefused, "credentials refused: %s", words)
	case r.Status == http.StatusTooManyRequests, r.Status == http.StatusServiceUnavailable && told:
		return &Again{Err: fault.New(fault.Throttled, "%s", words), Throttled: true, After: wait}
	case r.Status >= 500:
		return &Again{Err: fault.New(fault.Unreachable, "%s", words)}
	case r.moved != "":
		return fault.New(fault.Refused, "%s answered %s: moved to %s; set the url to it", r.where, r.StatusText(), r.moved)
	}
	return fault.New(fault.Refused, "%s", words)
}

// StatusText is the status as a human knows it: "404 Not Found".
func (r Reply) StatusText() string {
	return strings.TrimSpace(strconv.Itoa(r.Status) + " " + http.StatusText(r.Status))
}

// longestWait is what a Retry-After beyond it counts as.
const longestWait = 24 * time.Hour

// RetryAfter reads the value of a Retry-After header: seconds, with decimals where a platform sends such, or an HTTP date. The
// wait is between 0 and 24 hours. ok is false for a value that is neither.
func RetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), longestWait), true
	}
	if strings.Trim(value, "0123456789.") != "" { // ParseFloat knows signs, exponents, hex and infinities as well
		return 0, false
	}
	seconds, err := strconv.ParseFloat(value, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return time.Duration(min(seconds, longestWait.Seconds()) * float64(time.Second)), true
}

// excerptLength is how many characters of somebody else's words are kept (spec section 6).
const excerptLength = 300

// Excerpt is the first 300 characters of a text as one line: runs of white space become one space, control and other
// unprintable characters are left out.
func Excerpt(text []byte) string {
	var b strings.Builder
	n, gap := 0, false
	for _, c := range string(text[:min(len(text), 64<<10)]) {
		if unicode.IsSpace(c) {
			gap = n > 0
			continue
		}
		if !unicode.IsPrint(c) || c == unicode.ReplacementChar {
			continue
		}
		if gap && n < excerptLength {
			b.WriteByte(' ')
			n, gap = n+1, false
		}
		if n == excerptLength {
			break
		}
		b.WriteRune(c)
		n++
	}
	return strings.TrimSuffix(b.String(), " ")
}
