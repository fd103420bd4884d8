// Package onhandtest holds what the tests of platforms that keep shelf stock share: the stock of a shop in memory, on which
// each platform's stand-in is built, and one table of misbehaviour that all of them are put through.
package onhandtest

import (
	"fmt"
	"slices"
	"sync"
)

// Place is the location of every shop here.
const Place = "place-1"

// Shelf is a figure of a Shop.
type Shelf struct{ OnHand, Allocated int64 }

// Item is what a Shop sells.
type Item struct {
	ID, SKU string
	Shelves map[string]Shelf // by location
}

// Shop is stock in memory, safe for concurrent use.
type Shop struct {
	mu        sync.Mutex // guards all below
	items     []*Item
	made      int // items so far, removed ones too
	locations []string
}

// NewShop makes a shop with one location, Place, and SKU-0 to SKU-9 there, of which one each is allocated and none on hand.
func NewShop() *Shop {
	s := &Shop{locations: []string{Place}}
	for i := range 10 {
		s.Add(fmt.Sprintf("SKU-%d", i), map[string]Shelf{Place: {0, 1}})
	}
	return s
}

// NewPlainShop is NewShop with nothing allocated, for a platform that keeps what is available.
func NewPlainShop() *Shop {
	s := NewShop()
	for _, it := range s.items {
		it.Shelves[Place] = Shelf{}
	}
	return s
}

// Add puts an item in, and returns its id.
func (s *Shop) Add(sku string, shelves map[string]Shelf) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := &Item{ID: fmt.Sprintf("item-%d", s.made), SKU: sku, Shelves: shelves}
	s.made++
	s.items = append(s.items, it)
	return it.ID
}

// AddLocation opens a location.
func (s *Shop) AddLocation(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locations = append(s.locations, id)
}

// Locations are the ids of all.
func (s *Shop) Locations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.locations...)
}

// Find is every item with one of the SKUs, copied.
func (s *Shop) Find(skus []string) (found []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		for _, sku := range skus {
			if it.SKU == sku {
				found = append(found, it.copied())
			}
		}
	}
	return found
}

// All is every item, copied, oldest first.
func (s *Shop) All() (all []Item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		all = append(all, it.copied())
	}
	return all
}

// Remove takes an item out. Its id is not used again.
func (s *Shop) Remove(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = slices.DeleteFunc(s.items, func(it *Item) bool { return it.ID == id })
}

func (it *Item) copied() Item {
	c := Item{it.ID, it.SKU, map[string]Shelf{}}
	for location, shelf := range it.Shelves {
		c.Shelves[location] = shelf
	}
	return c
}

// Change calls change with an item, and tells whether there is one; the item is as change leaves it.
func (s *Shop) Change(id string, change func(*Item)) (changed Item, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		if it.ID == id {
			change(it)
			return it.copied(), true
		}
	}
	return Item{}, false
}

// Set sets what an item has on hand.
func (s *Shop) Set(id, location string, onHand int64) (Item, bool) {
	return s.Change(id, func(it *Item) {
		shelf := it.Shelves[location]
		shelf.OnHand = onHand
		it.Shelves[location] = shelf
	})
}

// At is what the first item with a SKU has at a location.
func (s *Shop) At(sku, location string) Shelf {
	for _, it := range s.Find([]string{sku}) {
		return it.Shelves[location]
	}
	return Shelf{}
}
