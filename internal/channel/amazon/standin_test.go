package amazon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

const (
	seller       = "A2SELLER12345"
	clientID     = "amzn1.application-oa2-client.0123"
	clientSecret = "amzn1.oa2-cs.v1.SECRET-0123"
	refreshToken = "Atzr|SECRET-refresh"
	east         = "ATVPDKIKX0DER"
	north        = "A2EUQ1WTGCTBG2"
)

// Operations of the stand-in. The rest are those of the API's documents.
const (
	opToken    = "token"
	opUpload   = "upload"
	opDownload = "download"
	opDocument = "createFeedDocument"
	opFeed     = "createFeed"
	opGetFeed  = "getFeed"
	opReport   = "getFeedDocument"
	opPatch    = "patchListingsItem"
	opSearch   = "searchListingsItems"
)

// standIn is a seller's account behind Login with Amazon, the Feeds API 2021-06-30 and the Listings Items API 2021-08-01, and a place of
// documents at another address. It takes no field, parameter or header that the documentation does not have, and enforces what
// it says of tokens, addresses that run out, content types and rates.
type standIn struct {
	t         *testing.T
	now       func() time.Time
	api, docs *httptest.Server

	mu        sync.Mutex // guards all below
	before    func(op string, n int) http.HandlerFunc
	after     func(op string, n int) http.HandlerFunc
	count     map[string]int
	stock     map[string]int64 // what is shown, by SKU
	issues    map[string]issue // what is found wrong with a SKU
	polls     int              // before a feed has its end
	end       string           // of feeds; "": DONE
	gzip      bool
	packing   string                      // what reports are said to be packed with, if not that
	change    func(report map[string]any) // of a feed, before it is stored
	tokens    map[string]time.Time        // until when they are good
	documents map[string]*document
	feeds     map[string]*feed
	buckets   map[string]*rate.Limiter
	handed    []time.Time       // when feeds were
	patched   map[string]string // raw path by SKU
	submitted [][]byte          // feeds as they came
	reports   [][]byte
	throttled int
}

type document struct {
	contentType, compression string
	body                     []byte
	until                    time.Time
}

type feed struct {
	polls  int
	report string // document
}

func newStandIn(t *testing.T, now func() time.Time) *standIn {
	s := &standIn{
		t: t, now: now, count: map[string]int{}, stock: map[string]int64{}, issues: map[string]issue{}, polls: 2, tokens: map[string]time.Time{},
		documents: map[string]*document{}, feeds: map[string]*feed{}, patched: map[string]string{},
		buckets: map[string]*rate.Limiter{
			opDocument: rate.NewLimiter(0.5, 15), opGetFeed: rate.NewLimiter(2, 15), opReport: rate.NewLimiter(0.0222, 10), opPatch: rate.NewLimiter(5, 10), opSearch: rate.NewLimiter(5, 5),
		},
	}
	s.api, s.docs = httptest.NewServer(http.HandlerFunc(s.serveAPI)), httptest.NewServer(http.HandlerFunc(s.serveDocuments))
	t.Cleanup(s.api.Close)
	t.Cleanup(s.docs.Close)
	return s
}

// misbehave has others answer from now on, in place of the stand-in or after it has done what was asked. Counting starts anew.
func (s *standIn) misbehave(before, after func(op string, n int) http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.after, s.count = before, after, map[string]int{}
}

func (s *standIn) counted(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[op]
}

func (s *standIn) shows(sku string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stock[sku]
}

// with changes the stand-in.
func (s *standIn) with(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *standIn) operation(r *http.Request) (op, id string) {
	path := r.URL.EscapedPath()
	items := "/listings/2021-08-01/items/" + seller
	switch {
	case path == "/auth/o2/token" && r.Method == http.MethodPost:
		return opToken, ""
	case path == "/feeds/2021-06-30/documents" && r.Method == http.MethodPost:
		return opDocument, ""
	case path == "/feeds/2021-06-30/feeds" && r.Method == http.MethodPost:
		return opFeed, ""
	case strings.HasPrefix(path, "/feeds/2021-06-30/feeds/") && r.Method == http.MethodGet:
		return opGetFeed, strings.TrimPrefix(path, "/feeds/2021-06-30/feeds/")
	case strings.HasPrefix(path, "/feeds/2021-06-30/documents/") && r.Method == http.MethodGet:
		return opReport, strings.TrimPrefix(path, "/feeds/2021-06-30/documents/")
	case path == items && r.Method == http.MethodGet:
		return opSearch, ""
	case strings.HasPrefix(path, items+"/") && r.Method == http.MethodPatch:
		return opPatch, strings.TrimPrefix(path, items+"/")
	}
	return "", ""
}

func (s *standIn) serveAPI(w http.ResponseWriter, r *http.Request) {
	op, id := s.operation(r)
	s.run(w, r, op, func(w http.ResponseWriter, body []byte) {
		switch op {
		case "":
			fails(w, 404, "NotFound", r.Method+" "+r.URL.EscapedPath())
			return
		case opToken:
			s.token(w, r, body)
			return
		}
		if !s.admits(w, r, op) {
			return
		}
		switch op {
		case opDocument:
			s.createDocument(w, body)
		case opFeed:
			s.createFeed(w, body)
		case opGetFeed:
			s.getFeed(w, id)
		case opReport:
			s.getDocument(w, id)
		case opSearch:
			s.search(w, r)
		case opPatch:
			s.patch(w, r, id, body)
		}
	})
}

// run counts a request, and has whoever misbehaves answer. s.mu is held by answer.
func (s *standIn) run(w http.ResponseWriter, r *http.Request, op string, answer func(http.ResponseWriter, []byte)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	s.mu.Lock()
	s.count[op]++
	n := s.count[op]
	var before, after http.HandlerFunc
	if s.before != nil {
		before = s.before(op, n)
	}
	if s.after != nil {
		after = s.after(op, n)
	}
	if before == nil {
		if after != nil {
			w, w2 := httptest.NewRecorder(), w
			answer(w, body)
			s.mu.Unlock()
			after(w2, r)
			return
		}
		answer(w, body)
	}
	s.mu.Unlock()
	if before != nil {
		before(w, r)
	}
}

// admits checks what all operations have in common.
func (s *standIn) admits(w http.ResponseWriter, r *http.Request, op string) bool {
	for name := range r.Header {
		if !slices.Contains([]string{"Accept", "Accept-Encoding", "Content-Length", "Content-Type", "User-Agent", "X-Amz-Access-Token"}, name) {
			s.t.Errorf("%s came with the header %s", op, name)
		}
	}
	until, known := s.tokens[r.Header.Get("X-Amz-Access-Token")]
	switch {
	case !known:
		writeJSON(w, 403, map[string]any{"errors": []any{map[string]string{"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": "The access token you provided is revoked, malformed or invalid."}}})
		return false
	case !s.now().Before(until):
		writeJSON(w, 403, map[string]any{"errors": []any{map[string]string{"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": "The access token you provided has expired."}}})
		return false
	}
	within := true
	if bucket := s.buckets[op]; bucket != nil {
		within = bucket.AllowN(s.now(), 1)
	} else { // 5 listings feeds in any 5 minutes
		if n := len(s.handed); n >= 5 && s.now().Sub(s.handed[n-5]) < 5*time.Minute {
			within = false
		} else {
			s.handed = append(s.handed, s.now())
		}
	}
	if !within {
		s.throttled++
		fails(w, 429, "QuotaExceeded", "You exceeded your quota for the requested resource.")
		return false
	}
	if r.Method != http.MethodGet && r.Header.Get("Content-Type") != "application/json" {
		fails(w, 415, "UnsupportedMediaType", r.Header.Get("Content-Type"))
		return false
	}
	return true
}

func (s *standIn) token(w http.ResponseWriter, r *http.Request, body []byte) {
	form, err := url.ParseQuery(string(body))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || len(form) != 4 || form.Get("grant_type") != "refresh_token" || r.Header.Get("Authorization") != "" {
		writeJSON(w, 400, map[string]string{"error": "invalid_request", "error_description": "The request is missing a required parameter"})
		return
	}
	if form.Get("client_id") != clientID || form.Get("client_secret") != clientSecret {
		writeJSON(w, 401, map[string]string{"error": "invalid_client", "error_description": "Client authentication failed"})
		return
	}
	if form.Get("refresh_token") != refreshToken {
		writeJSON(w, 400, map[string]string{"error": "invalid_grant", "error_description": "The request has an invalid grant parameter : refresh_token"})
		return
	}
	token := fmt.Sprintf("Atza|access-%d", len(s.tokens))
	s.tokens[token] = s.now().Add(time.Hour)
	writeJSON(w, 200, map[string]any{"access_token": token, "refresh_token": refreshToken, "token_type": "bearer", "expires_in": 3600})
}

// exact reads a body that must have certain fields and may have no unknown ones.
func exact(w http.ResponseWriter, body []byte, into any, required ...string) bool {
	var fields map[string]json.RawMessage
	err := json.Unmarshal(body, &fields)
	if err == nil {
		err = strictly(body, into)
	}
	for _, name := range required {
		if _, ok := fields[name]; !ok && err == nil {
			err = fmt.Errorf("%s is missing from %v", name, slices.Sorted(maps.Keys(fields)))
		}
	}
	if err != nil {
		fails(w, 400, "InvalidInput", err.Error())
	}
	return err == nil
}

func strictly(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client may be gone
}

func fails(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"errors": []any{map[string]string{"code": code, "message": message, "details": ""}}})
}

func storageFails(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>%s</Message><StringToSign>SIGNED-PARTS</StringToSign></Error>", code, message)
}
