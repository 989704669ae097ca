package event_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
)

var panicking = event.SinkFunc(func(context.Context, event.Event) { panic("sink") })

func TestMultiPassesEachEventToEachSinkInOrder(t *testing.T) {
	t.Parallel()
	var got []string
	named := func(name string) event.Sink {
		return event.SinkFunc(func(_ context.Context, e event.Event) { got = append(got, name+e.ID) })
	}
	sinks := []event.Sink{named("a"), named("b"), named("c")}
	m := event.Multi(sinks...)
	sinks[0] = panicking // Multi keeps a list of its own
	m.Record(t.Context(), event.Event{ID: "1"})
	m.Record(t.Context(), event.Event{ID: "2"})
	assert.Equal(t, []string{"a1", "b1", "c1", "a2", "b2", "c2"}, got)
}

func TestMultiOfNothingDoesNothing(t *testing.T) {
	t.Parallel()
	event.Multi().Record(t.Context(), full())
}

func TestMultiPassesEventsByASinkThatPanics(t *testing.T) {
	t.Parallel()
	var first, last eventtest.Recorder
	m := event.Multi(&first, panicking, panicking, &last)
	assert.PanicsWithValue(t, "sink", func() { m.Record(t.Context(), full()) })
	assert.Len(t, first.Events(), 1)
	assert.Len(t, last.Events(), 1)
}
