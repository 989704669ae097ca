package event

import "context"

// Multi returns a Sink that passes each event to each of sinks, in order. A
// sink that panics does not keep the event from the others; they get it, and
// then the panic goes on to the caller of Record.
func Multi(sinks ...Sink) Sink {
	return multi(append([]Sink(nil), sinks...))
}

type multi []Sink

func (m multi) Record(ctx context.Context, e Event) {
	if len(m) == 0 {
		return
	}
	// Deferred, so that the others get e even if the first one panics, and
	// nobody has to decide here what becomes of the panic.
	defer m[1:].Record(ctx, e)
	m[0].Record(ctx, e)
}
