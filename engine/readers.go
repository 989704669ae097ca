package engine

import (
	"context"
	"sync"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// readers knows which contents are being read, so that none of them loses its
// bytes meanwhile. A read has two phases. It looks up a content in the catalog:
// a lookup that began before the content was condemned may still find it. Then
// it pins the content until it has read it.
//
// Who wants to delete a condemned content first waits, by settle, for all
// lookups that began earlier, and then asks isPinned. Later lookups do not find
// the content.
type readers struct {
	mu      sync.Mutex
	lookups *driver.Gate   // those that began since the last settle
	earlier []*driver.Gate // those that settle has not seen the end of
	pins    map[catalog.ContentID]int
	awaited map[catalog.ContentID]struct{} // pinned ones that isPinned was asked about
}

func newReaders() *readers {
	return &readers{
		lookups: new(driver.Gate),
		pins:    make(map[catalog.ContentID]int),
		awaited: make(map[catalog.ContentID]struct{}),
	}
}

// lookup begins a lookup, which leaves the gate when it ends.
func (r *readers) lookup() *driver.Gate {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.lookups
	// Only settle closes a gate, and it replaces it first.
	_ = g.Enter()
	return g
}

func (r *readers) pin(id catalog.ContentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pins[id]++
}

// unpin takes one pin away. It reports whether that was the last one of a
// content that isPinned was asked about: who asked will want to know.
func (r *readers) unpin(id catalog.ContentID) (awaited bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pins[id]--; r.pins[id] > 0 {
		return false
	}
	delete(r.pins, id)
	_, awaited = r.awaited[id]
	delete(r.awaited, id)
	return awaited
}

func (r *readers) isPinned(id catalog.ContentID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pins[id] == 0 {
		return false
	}
	r.awaited[id] = struct{}{}
	return true
}

// settle waits until every lookup has ended that began before it was called.
// One goroutine at a time calls it.
func (r *readers) settle(ctx context.Context) error {
	r.mu.Lock()
	r.earlier = append(r.earlier, r.lookups)
	r.lookups = new(driver.Gate)
	r.mu.Unlock()
	for len(r.earlier) > 0 {
		if err := r.earlier[0].Close(ctx); err != nil {
			return err
		}
		r.earlier = r.earlier[1:]
	}
	return nil
}
