package extensiv

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/outbound"
	"stockbridge/internal/warehouse/paged/pagedtest"
)

// standIn answers as Extensiv documents it, and holds what is asked against it.
type standIn struct {
	t     testing.TB
	clock *pagedtest.Clock // nil: tokens do not expire
	life  time.Duration    // of a token; 0: an hour
	size  int              // what a page holds at most, so that few items make several; 0: pgsiz
	rows  func(pgnum int) (total int, summaries []string)

	mu     sync.Mutex // guards what follows
	tokens []time.Time
	asked  []string
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Time{}
	if s.clock != nil {
		now = s.clock.Now()
	}
	life := cmp.Or(s.life, time.Hour)
	switch r.Method + " " + r.URL.Path {
	case "POST /AuthServer/api/Token":
		var body map[string]string
		id, secret, ok := r.BasicAuth()
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["grant_type"] != "client_credentials" || body["user_login"] != "7" {
			s.t.Errorf("token asked for with %v, %v", body, err)
		}
		if !ok || id != "client" || secret != "s3cret-s3cret" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		s.tokens = append(s.tokens, now)
		fmt.Fprintf(w, `{"access_token":"T%d","token_type":"Bearer","expires_in":%d,"refresh_token":null}`, len(s.tokens), int(life.Seconds()))
	case "GET /inventory/stocksummaries":
		n, err := strconv.Atoi(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer T"))
		if err != nil || n < 1 || n > len(s.tokens) || now.Sub(s.tokens[n-1]) > life {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.Header.Get("Accept") != "application/hal+json" {
			s.t.Errorf("Accept %q", r.Header.Get("Accept"))
		}
		s.asked = append(s.asked, r.URL.RawQuery)
		size, err := strconv.Atoi(r.FormValue("pgsiz"))
		number, err2 := strconv.Atoi(r.FormValue("pgnum"))
		if err != nil || err2 != nil || size < 1 || size > 500 || number < 1 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if s.size > 0 {
			size = min(size, s.size)
		}
		total, all := s.rows(number)
		from := min((number-1)*size, len(all))
		fmt.Fprintf(w, `{"totalResults":%d,"summaries":[%s],"_links":{"self":{"href":"/inventory/stocksummaries"}}}`, total, strings.Join(all[from:min(from+size, len(all))], ","))
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// item is a summary as it is documented.
func item(sku, id, qualifier, facility, available, onHand, allocated string) string {
	return fmt.Sprintf(`{"itemIdentifier":{"sku":%q,"id":%s},"qualifier":%q,"totalReceived":9,"allocated":%s,"available":%s,"onHold":0,"onHand":%s,"facilityId":%s}`,
		sku, id, qualifier, allocated, available, onHand, facility)
}

// always lists the same items.
func always(items ...string) func(int) (int, []string) {
	return func(int) (int, []string) { return len(items), items }
}

func source(t testing.TB, endpoint string, opts outbound.Options, change func(*Config)) *Source {
	t.Helper()
	cfg := Config{ClientID: "client", ClientSecret: "s3cret-s3cret", UserLogin: "7", Endpoint: endpoint}
	if change != nil {
		change(&cfg)
	}
	return pagedtest.Open(t, New, cfg, opts)
}
