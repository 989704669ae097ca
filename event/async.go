package event

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// WhenFull says what an AsyncSink does with an event that its buffer has no
// room for.
type WhenFull int

const (
	// Wait makes the operation wait for room. No event is lost, and a sink
	// that stands still stops the engine.
	Wait WhenFull = iota
	// Drop drops the event and counts it. No operation ever waits.
	Drop
)

// DefaultBuffer is the number of events that an AsyncSink holds if
// AsyncOptions do not say.
const DefaultBuffer = 1024

// AsyncOptions are options of [Async]. The zero value holds [DefaultBuffer]
// events and waits for room.
type AsyncOptions struct {
	Buffer   int // the most events held; less than 1 means DefaultBuffer
	WhenFull WhenFull
}

// An AsyncSink is a Sink that hands events to another one on a goroutine of its
// own, one after the other, in the order in which they came. Close it after the
// engine that records to it, and before the sink behind it.
type AsyncSink struct {
	sink     Sink
	whenFull WhenFull

	slots   chan struct{} // one value for each event held
	queue   chan queued   // has room for every event that has a slot
	closing chan struct{} // closed when Close is first called
	done    chan struct{} // closed when the goroutine has ended

	mu     sync.RWMutex // held to send to queue, and to close it
	closed bool

	dropped atomic.Int64
}

type queued struct {
	ctx   context.Context
	event Event
}

// Async returns an AsyncSink before sink. It starts a goroutine, which
// [AsyncSink.Close] ends.
func Async(sink Sink, opts AsyncOptions) *AsyncSink {
	if opts.Buffer < 1 {
		opts.Buffer = DefaultBuffer
	}
	s := &AsyncSink{
		sink:     sink,
		whenFull: opts.WhenFull,
		slots:    make(chan struct{}, opts.Buffer),
		queue:    make(chan queued, opts.Buffer),
		closing:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	go s.run()
	return s
}

// Record puts e into the buffer. If that is full, it does as
// AsyncOptions.WhenFull says; a wait ends, and e is dropped, when ctx ends or
// Close is called. After Close, e is dropped.
func (s *AsyncSink) Record(ctx context.Context, e Event) {
	if !s.acquireSlot(ctx) {
		s.dropped.Add(1)
		return
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		<-s.slots
		s.dropped.Add(1)
		return
	}
	s.queue <- queued{ctx, e} // does not block: e has a slot
}

func (s *AsyncSink) acquireSlot(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	default:
	}
	if s.whenFull == Drop {
		return false
	}
	select {
	case s.slots <- struct{}{}:
		return true
	case <-s.closing:
		return false
	case <-ctx.Done():
		return false
	}
}

func (s *AsyncSink) run() {
	defer close(s.done)
	for q := range s.queue {
		s.deliver(q)
		<-s.slots
	}
}

// deliver gives one event to the sink behind. The operation may be over, so its
// context may have ended; its values are still there.
func (s *AsyncSink) deliver(q queued) {
	defer func() {
		if recover() != nil {
			s.dropped.Add(1)
		}
	}()
	s.sink.Record(context.WithoutCancel(q.ctx), q.event)
}

// Dropped returns how many events the sink behind did not get or did not take:
// there was no room for them, or they came after Close, or it panicked.
func (s *AsyncSink) Dropped() int64 { return s.dropped.Load() }

// Close lets the sink behind have what is in the buffer and ends the goroutine.
// It waits for that until ctx ends; then the error says how many events are
// left, which are still delivered as long as the process lives, and Close may
// be called again to wait on. It does not close the sink behind.
func (s *AsyncSink) Close(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
		close(s.queue)
	}
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	default:
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("event: close: %d events are not delivered yet: %w", len(s.slots), ctx.Err())
	}
}
