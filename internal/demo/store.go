package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// store is a shop on loopback that takes levels as the HTTP store of wire.md is told them, and shows what it was told last.
type store struct {
	name          string
	token, secret string // what requests must bear and be signed with
	url           string
	server        *http.Server

	mu      sync.Mutex // guards the rest
	shows   map[string]int64
	told    []string // SKUs of the levels since told was emptied, in order
	changed chan<- struct{}
}

// openStore starts a shop; a send on changed, which never blocks, says that it shows something else.
func openStore(name string, changed chan<- struct{}) (*store, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", name, err)
	}
	s := &store{name: name, token: "token of " + name, secret: "secret of " + name, url: "http://" + l.Addr().String() + "/levels", shows: map[string]int64{}, changed: changed}
	s.token, s.secret = strings.ReplaceAll(s.token, " ", "-"), strings.ReplaceAll(s.secret, " ", "-")
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go s.server.Serve(l) //nolint:errcheck // ends with close; what fails before shows as failed levels
	return s, nil
}

func (s *store) close() error {
	if err := s.server.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("close store %s: %w", s.name, err)
	}
	return nil
}

type level struct {
	SKU      string  `json:"sku"`
	Location *string `json:"location"`
	Quantity int64   `json:"quantity"`
}

type result struct {
	SKU      string  `json:"sku"`
	Location *string `json:"location"`
	Status   string  `json:"status"`
	Message  string  `json:"message,omitempty"`
}

// ServeHTTP takes one batch of levels.
func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	if err := s.admit(r, body); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	var batch struct{ Levels []level }
	if err := json.Unmarshal(body, &batch); err != nil {
		http.Error(w, "the body is not JSON", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string][]result{"results": s.take(batch.Levels)}) // who is gone asks again
}

func (s *store) admit(r *http.Request, body []byte) error {
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write(body)
	switch {
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		return errors.New("wrong token")
	case !hmac.Equal([]byte(r.Header.Get("X-Stockbridge-Signature")), []byte("sha256="+hex.EncodeToString(mac.Sum(nil)))):
		return errors.New("wrong signature")
	}
	return nil
}

func (s *store) take(levels []level) []result {
	s.mu.Lock()
	defer s.mu.Unlock()
	results := make([]result, len(levels))
	for i, l := range levels {
		results[i] = result{SKU: l.SKU, Location: l.Location, Status: "ok"}
		if l.Quantity < 0 {
			results[i].Status, results[i].Message = "error", "nobody sells less than nothing"
			continue
		}
		s.shows[l.SKU] = l.Quantity
		s.told = append(s.told, l.SKU)
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return results
}

// look returns what the store shows by channel SKU.
func (s *store) look() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.shows)
}

// listen returns the SKUs the store was told of since it was asked last.
func (s *store) listen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	told := s.told
	s.told = nil
	slices.Sort(told)
	return told
}
