package outbound

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// shortest is how long a secret is at least to be struck out: shorter ones are in any text by chance.
const shortest = 8

// maxSigned is how many secrets of signed requests are remembered: tokens come and go, and a late reply may tell of the one before.
const maxSigned = 16

// secrets strikes out what must not be told. The zero value strikes out nothing. It is safe for concurrent use.
type secrets struct {
	mu    sync.Mutex // guards what follows
	fixed []string
	late  []string          // of signed requests, oldest first
	words *strings.Replacer // made of both; nil for none
}

// add makes texts secret for good.
func (s *secrets) add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fixed = append(s.fixed, texts...)
	s.make()
}

// signed makes secret what signing put into a request's header: a whole value, and what stands behind "Bearer ".
func (s *secrets) signed(before, after http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	grown := false
	for name, values := range after {
		if name == "User-Agent" || slices.Equal(values, before[name]) {
			continue
		}
		for _, v := range values {
			secret := v[strings.LastIndexByte(v, ' ')+1:]
			if len(secret) >= shortest && !slices.Contains(s.late, secret) && !slices.Contains(s.fixed, secret) {
				s.late, grown = append(s.late, secret), true
			}
		}
	}
	if grown {
		s.late = s.late[max(0, len(s.late)-maxSigned):]
		s.make()
	}
}

// make makes words. s.mu is held.
func (s *secrets) make() {
	var pairs []string
	for _, secret := range slices.Concat(s.fixed, s.late) {
		if len(secret) < shortest {
			continue
		}
		forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret)}
		if quoted, err := json.Marshal(secret); err == nil {
			forms = append(forms, string(quoted[1:len(quoted)-1]))
		}
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
		for _, form := range slices.Compact(forms) {
			pairs = append(pairs, form, "[secret]")
		}
	}
	s.words = strings.NewReplacer(pairs...)
}

// strike takes the secrets out of a text.
func (s *secrets) strike(text string) string {
	s.mu.Lock()
	words := s.words
	s.mu.Unlock()
	if words == nil {
		return text
	}
	return words.Replace(text)
}
