// Package eventtest helps to test what an engine tells its sinks.
package eventtest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/vaultaire/vaultaire/event"
)

// A Recorder is a Sink that keeps every event. Its zero value is empty and
// ready. It may be used concurrently.
type Recorder struct {
	mu     sync.Mutex
	events []event.Event
}

// Record keeps e.
func (r *Recorder) Record(_ context.Context, e event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Events returns what was recorded since the last Reset, oldest first.
func (r *Recorder) Events() []event.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Reset forgets all events.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = nil
}

// Only returns the one event that was recorded since the last Reset. It fails t
// at once if there is none or more than one, or if it is of another op or has
// another outcome.
func (r *Recorder) Only(t testing.TB, op event.Op, outcome event.Outcome) event.Event {
	t.Helper()
	events := r.Events()
	if len(events) != 1 {
		t.Fatalf("%d events were recorded, want one, %s %s: %+v", len(events), op, outcome, events)
	}
	e := events[0]
	if e.Op != op || e.Outcome != outcome {
		t.Fatalf("recorded %s %s (error: %v), want %s %s", e.Op, e.Outcome, e.Err, op, outcome)
	}
	return e
}
