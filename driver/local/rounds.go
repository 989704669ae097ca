package local

import (
	"errors"
	"runtime"
	"sync"
)

// A rounds does the same work for many callers at once: it syncs folders,
// appends records, logs deletions. Rounds follow one another. While one runs,
// the calls that arrive gather in the next and share its work, so a round has
// what came in during the last one and nobody waits for a timer. The first of
// a round runs it, so there is no goroutine to look after.
//
// Rounds do not overlap because of failures: the kernel reports one only to
// the first sync after it. A second sync of the same file at the same time
// could succeed, over bytes that the disk has lost.
type rounds[T any] struct {
	run    func(items []T) error // never two at a time, never with no items
	weight func(item T) int      // nil: items weigh nothing
	limit  int                   // a round of more than one item weighs at most this

	turn sync.Mutex // held by the round that runs

	mu   sync.Mutex
	next *round[T] // the one that gathers; nil if none does
}

type round[T any] struct {
	items  []T
	weight int
	done   chan struct{}
	err    error // set before done is closed
}

// errPanicked is what those who share a round are told whose work panicked. The
// panic itself goes to the caller who ran it.
var errPanicked = errors.New("the work panicked that was shared with others")

// do returns when a round with item, begun after the call, has ended.
func (r *rounds[T]) do(item T) error {
	b, first := r.join(item)
	if first {
		r.lead(b)
	}
	<-b.done
	return b.err
}

func (r *rounds[T]) join(item T) (b *round[T], first bool) {
	weight := 0
	if r.weight != nil {
		weight = r.weight(item)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.next == nil || r.next.weight+weight > r.limit {
		r.next = &round[T]{done: make(chan struct{})}
		first = true
	}
	r.next.items = append(r.next.items, item)
	r.next.weight += weight
	return r.next, first
}

// lead runs a round, once those before it are done.
func (r *rounds[T]) lead(b *round[T]) {
	defer close(b.done)
	b.err = errPanicked // unless it ends
	b.err = r.alone(func() error {
		// Those whom the last round has just let go may come back at once, and
		// join this one rather than make one more.
		runtime.Gosched()
		r.mu.Lock()
		if r.next == b {
			r.next = nil
		}
		r.mu.Unlock() // from here on nobody joins b
		return r.run(b.items)
	})
}

// alone calls fn while no round runs.
func (r *rounds[T]) alone(fn func() error) error {
	r.turn.Lock()
	defer r.turn.Unlock()
	return fn()
}
