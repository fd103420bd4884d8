package server

import (
	"encoding/base64"
	"fmt"
	"slices"
)

// farewell hears the server out that stops: what was told is all there is.
func (s *subscriber) farewell() error {
	for {
		told, err := s.n.next()
		switch {
		case err != nil || told.over:
			return err
		case told.ID != "" && (s.lets != nil || s.levels[told.ID] != told.Figure):
			return fmt.Errorf("after the last: %+v", told)
		}
	}
}

// verify compares what it got with what is stored. From now on means: from where the execution is that it shares, which
// may be a little behind what is committed when it asks, and never before. Where it is told that place, it gets exactly
// what comes after, and else at least all that was committed after it had begun.
func (s *subscriber) verify() error {
	if s.lets == nil {
		return nil // complete has
	}
	if s.past {
		s.begin = s.origin
	}
	first, want := slices.Index(s.all, s.got[0]), s.high
	if s.begin != "" {
		var err error
		if want, err = position(s.begin); err != nil {
			return err
		}
	}
	switch {
	case first < 0 || s.begin != "" && s.got[0] <= want || first == 0 && !s.past:
		return fmt.Errorf("it begins with %d, and asked for what comes after %d (%s)", s.got[0], want, s.begin)
	case first > 0 && s.all[first-1] > want:
		return fmt.Errorf("it begins with %d, and %d is missing, which came after %d (%s)", s.got[0], s.all[first-1], want, s.begin)
	case !slices.Equal(s.got, s.all[first:]):
		for i, id := range s.all[first:] {
			if i >= len(s.got) || s.got[i] != id {
				return fmt.Errorf("of %d activities the %dth, %d, is missing", len(s.all), first+i, id)
			}
		}
	}
	return nil
}

// position is the id that a cursor stands for.
func position(cursor string) (id int64, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err == nil {
		_, err = fmt.Sscanf(string(text), "a:%d", &id)
	}
	return id, err
}
