package server

import "sync"

// generations remembers what was used lately, within a bound: two maps, of which the younger takes all that is new or used
// again. Once it is full the older is forgotten, and the younger becomes the older. It is safe for concurrent use.
type generations[K comparable, V any] struct {
	most, weight int // bounds of one generation: entries, and what they weigh together

	mu             sync.RWMutex // guards the rest
	younger, older map[K]weighed[V]
	weighs         int // the younger
}

type weighed[V any] struct {
	value  V
	weighs int
}

func (g *generations[K, V]) get(key K) (value V, ok bool) {
	g.mu.RLock()
	found, ok := g.younger[key]
	if !ok {
		found, ok = g.older[key]
		if ok {
			defer g.put(key, found.value, found.weighs) // after the lock
		}
	}
	g.mu.RUnlock()
	return found.value, ok
}

// put remembers a value, unless it alone weighs more than a quarter of a generation.
func (g *generations[K, V]) put(key K, value V, weighs int) {
	if weighs > g.weight/4 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, again := g.younger[key]; again {
		g.weighs -= old.weighs
	} else if g.younger == nil || len(g.younger) >= g.most || g.weighs+weighs > g.weight {
		g.older, g.younger, g.weighs = g.younger, make(map[K]weighed[V]), 0
	}
	g.younger[key] = weighed[V]{value, weighs}
	g.weighs += weighs
}
