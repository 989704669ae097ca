package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// readers knows which contents are being read, so that none of them loses its
// bytes meanwhile. A read has two phases. It looks up a content in the catalog:
// a lookup that began before the content was condemned, or its bytes moved, may
// still find what was there before. Then it pins the content until it has read it.
//
// Who wants to delete a condemned content first waits, by settle, for all
// lookups that began earlier, and then asks isPinned. Later lookups do not find
// the content. Who wants to delete the place that bytes have left settles too, and
// then waits for the pins that leave returns: later lookups find the new place,
// and their pins do not count.
type readers struct {
	mu      sync.Mutex
	lookups *driver.Gate   // those that began since the last settle
	earlier []*driver.Gate // those that no settle has seen the end of
	pinned  map[catalog.ContentID]*pinned
}

// A pinned content is being read.
type pinned struct {
	id      catalog.ContentID
	pins    []*pin // those that are held
	latest  *pin   // for further readers; nil once bytes have left their place
	awaited bool
}

// A pin is held by the readers of a content that found its bytes in the same places.
type pin struct {
	of      *pinned
	holders int
	awaited bool
}

func newReaders() *readers {
	return &readers{lookups: new(driver.Gate), pinned: make(map[catalog.ContentID]*pinned)}
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

// pin pins a content until unpin.
func (r *readers) pin(id catalog.ContentID) *pin {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.pinned[id]
	if of == nil {
		of = &pinned{id: id}
		r.pinned[id] = of
	}
	if of.latest == nil {
		of.latest = &pin{of: of}
		of.pins = append(of.pins, of.latest)
	}
	of.latest.holders++
	return of.latest
}

// unpin undoes one pin. It reports whether somebody asked for the end of what
// has ended by it, and will want to know.
func (r *readers) unpin(p *pin) (awaited bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := p.of
	if p.holders--; p.holders > 0 {
		return false
	}
	of.pins = slices.DeleteFunc(of.pins, func(other *pin) bool { return other == p })
	if of.latest == p {
		of.latest = nil
	}
	if len(of.pins) > 0 {
		return p.awaited
	}
	delete(r.pinned, of.id)
	return p.awaited || of.awaited
}

// isPinned reports whether anybody reads the content, wherever its bytes are.
func (r *readers) isPinned(id catalog.ContentID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.pinned[id]
	if of == nil {
		return false
	}
	of.awaited = true
	return true
}

// leave returns the pins of those who may be reading the content in a place that
// its bytes have left.
func (r *readers) leave(id catalog.ContentID) []*pin {
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.pinned[id]
	if of == nil {
		return nil
	}
	of.latest = nil
	return slices.Clone(of.pins)
}

// isHeld reports whether anybody holds one of the pins, which leave returned.
func (r *readers) isHeld(pins []*pin) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(pins, func(p *pin) bool { return p.holders > 0 })
	if i < 0 {
		return false
	}
	pins[i].awaited = true
	return true
}

// settle waits until every lookup has ended that began before it was called.
func (r *readers) settle(ctx context.Context) error {
	r.mu.Lock()
	r.earlier = append(r.earlier, r.lookups)
	r.lookups = new(driver.Gate)
	earlier := slices.Clone(r.earlier)
	r.mu.Unlock()
	for _, g := range earlier {
		if err := g.Close(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.earlier = slices.DeleteFunc(r.earlier, func(g *driver.Gate) bool { return slices.Contains(earlier, g) })
	return nil
}
