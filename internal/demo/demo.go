// Package demo shows Stockbridge at work: a simulated warehouse that leaves files, three stores on loopback, and
// everything between them set up through the public API of a running server. It uses nothing else of the server.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Config of a demonstration.
type Config struct {
	URL      string // of the server, http://127.0.0.1:8080
	Token    string // of an ADMIN
	Dir      string // an empty directory that the server's file exchanges may use
	Out      io.Writer
	Terminal bool          // whether Out is one, where a table can stand still
	Every    time.Duration // between the warehouse's files
}

// scene is a demonstration that is set up.
type scene struct {
	Config
	api         api
	warehouse   simulated
	stores      []*store
	changed     chan struct{}
	merchant    string
	connections []string
}

func open(ctx context.Context, c Config) (s *scene, err error) {
	s = &scene{Config: c, api: api{c.URL, c.Token}, warehouse: simulated{dir: c.Dir, items: goods()}, changed: make(chan struct{}, 1)}
	for _, name := range names {
		store, err := openStore(name, s.changed)
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.stores = append(s.stores, store)
	}
	if s.merchant, s.connections, err = setUp(ctx, s.api, c.Dir, s.warehouse.items, s.stores); err != nil {
		return nil, errors.Join(fmt.Errorf("set up: %w", err), s.close())
	}
	return s, nil
}

func (s *scene) close() error {
	var errs []error
	for _, store := range s.stores {
		errs = append(errs, store.close())
	}
	return errors.Join(errs...)
}

func (s *scene) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// sync runs one sync of every connection at once, and waits until all have ended well.
func (s *scene) sync(ctx context.Context, mode string) error {
	errs := make(chan error, len(s.connections))
	for at, connection := range s.connections {
		go func() {
			id, err := s.api.mutate(ctx, "startSync", "run", map[string]any{"connectionId": connection, "mode": mode})
			var r run
			if err == nil {
				r, err = s.api.follow(ctx, id)
			}
			if err == nil && r.Status != "SUCCEEDED" {
				err = fmt.Errorf("the sync of %s ended %s: %s %v", names[at], r.Status, r.Error, r.Problems.Nodes)
			}
			errs <- err
		}()
	}
	var all []error
	for range s.connections {
		all = append(all, <-errs)
	}
	return errors.Join(all...)
}

// check compares what the stores show with the rules.
func (s *scene) check() error {
	var errs []error
	for at, should := range expected(s.warehouse.items) {
		for _, words := range differences(s.stores[at].look(), should) {
			errs = append(errs, fmt.Errorf("%s: %s", names[at], words))
		}
	}
	return errors.Join(errs...)
}

// Once runs one Full and one Smart Sync, tells what every store was told, and fails where a store does not show what the
// rules say.
func Once(ctx context.Context, c Config) (err error) {
	s, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.warehouse.report(s.warehouse.items); err != nil {
		return err
	}
	if err := s.sync(ctx, "FULL"); err != nil {
		return err
	}
	s.say("Full Sync. The warehouse reports %d SKUs; %d%% stay in reserve, the rest is shared equally. The stores were told:\n", len(s.warehouse.items), safety)
	s.say("%s", table(s.warehouse.items, s.stores))
	if err := s.check(); err != nil {
		return err
	}
	for _, store := range s.stores {
		store.listen()
	}
	moved := []item{s.warehouse.sell(bike, 3), s.warehouse.sell("HELMET-L", 1)}
	if err := s.warehouse.report(moved); err != nil {
		return err
	}
	if err := s.sync(ctx, "SMART"); err != nil {
		return err
	}
	var words []string
	for _, i := range moved {
		words = append(words, fmt.Sprintf("%s %d", i.sku, i.stock))
	}
	s.say("Smart Sync. The warehouse reports %s. The stores were told what that changes and no more:\n", strings.Join(words, ", "))
	for _, store := range s.stores {
		shows := store.look()
		words = nil
		for _, sku := range store.listen() {
			words = append(words, fmt.Sprintf("%s %d", sku, shows[sku]))
		}
		if words == nil {
			words = []string{"nothing"}
		}
		s.say("  %s: %s", store.name, strings.Join(words, ", "))
	}
	if err := s.check(); err != nil {
		return err
	}
	s.say("\nEvery store shows what the rules say.")
	return nil
}

// Live lets the warehouse report again and again and shows what the stores show, until ctx ends.
func Live(ctx context.Context, c Config) (err error) {
	s, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.invite(); err != nil {
		return err
	}
	view := &screen{out: s.Out, terminal: s.Terminal}
	synced := make(chan error, 1)
	next := func(mode string, moved []item) error {
		if err := s.warehouse.report(moved); err != nil {
			return err
		}
		go func() { synced <- s.sync(ctx, mode) }()
		return nil
	}
	if err := next("FULL", s.warehouse.items); err != nil {
		return err
	}
	for pause := (<-chan time.Time)(nil); ; {
		select {
		case <-ctx.Done():
			if pause == nil {
				<-synced
			}
			return nil
		case <-s.changed:
			view.refresh(s.warehouse.items, s.stores)
		case err := <-synced:
			if err != nil && ctx.Err() == nil {
				return err
			}
			view.refresh(s.warehouse.items, s.stores)
			pause = time.After(s.Every)
		case <-pause:
			pause = nil
			if err := next("SMART", s.warehouse.trade()); err != nil {
				return err
			}
		}
	}
}

// invite says how to look on.
func (s *scene) invite() error {
	query := fmt.Sprintf("subscription { activity(merchantId: %q) { at kind sku channelSku store { name } before after } }", s.merchant)
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return err
	}
	link := s.URL + "/graphiql#" + url.Values{"token": {s.Token}, "query": {query}}.Encode()
	s.say("Stockbridge serves %s\nAn admin's token: %s\n", s.URL, s.Token)
	s.say("Follow what happens in another terminal:\n\n  curl -N %s/graphql -H 'Authorization: Bearer %s' \\\n    -H 'Content-Type: application/json' -H 'Accept: text/event-stream' \\\n    -d '%s'\n", s.URL, s.Token, body)
	s.say("or in a browser:\n\n  %s\n", link)
	s.say("What the stores show, with %d%% of the warehouse's stock in reserve (Ctrl-C ends it):\n", safety)
	return nil
}

func sortedKeys(m map[string]int64) []string { return slices.Sorted(maps.Keys(m)) }
