package activity

import "sync"

// Bell wakes everyone who waits. It keeps no count: who was woken looks for itself. The zero value is ready.
type Bell struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next Ring; nil while nobody waits
}

// Ring wakes all who wait now.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// Next returns a channel that the next Ring closes. Take it before looking, so that nothing falls in between.
func (b *Bell) Next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}
