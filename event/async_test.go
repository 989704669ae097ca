package event_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
)

// A gate is a sink that holds each event back until it is let through.
type gate struct {
	eventtest.Recorder
	open chan struct{}
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) Record(ctx context.Context, e event.Event) {
	<-g.open
	g.Recorder.Record(ctx, e)
}

func numbered(i int) event.Event { return event.Event{ID: strconv.Itoa(i)} }

func TestAsyncCloseDeliversWhatIsBufferedInOrder(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := event.Async(g, event.AsyncOptions{Buffer: 100})
	for i := range 100 {
		s.Record(t.Context(), numbered(i))
	}
	assert.Empty(t, g.Events())
	close(g.open)
	require.NoError(t, s.Close(t.Context()))
	require.NoError(t, s.Close(t.Context()), "closing again is fine")

	events := g.Events()
	require.Len(t, events, 100)
	for i, e := range events {
		require.Equal(t, numbered(i), e)
	}
	assert.Zero(t, s.Dropped())
}

func TestAsyncDropsAndCountsWhatHasNoRoom(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := event.Async(g, event.AsyncOptions{Buffer: 3, WhenFull: event.Drop})
	for i := range 5 {
		s.Record(t.Context(), numbered(i))
	}
	assert.EqualValues(t, 2, s.Dropped())
	close(g.open)
	require.NoError(t, s.Close(t.Context()))
	assert.Equal(t, []event.Event{numbered(0), numbered(1), numbered(2)}, g.Events())
}

func TestAsyncWaitsForRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		s := event.Async(g, event.AsyncOptions{Buffer: 1, WhenFull: event.Wait})
		s.Record(t.Context(), numbered(0))
		recorded := false
		go func() {
			s.Record(t.Context(), numbered(1))
			recorded = true
		}()
		synctest.Wait()
		require.False(t, recorded, "there was no room")
		g.open <- struct{}{}
		synctest.Wait()
		require.True(t, recorded, "there is room now")
		close(g.open)
		require.NoError(t, s.Close(t.Context()))
		assert.Equal(t, []event.Event{numbered(0), numbered(1)}, g.Events())
		assert.Zero(t, s.Dropped())
	})
}

func TestAsyncWaitEndsAndDropsTheEvent(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, s *event.AsyncSink, cancel func()){
		"when the context ends": func(_ *testing.T, _ *event.AsyncSink, cancel func()) { cancel() },
		"when the sink is closed": func(t *testing.T, s *event.AsyncSink, _ func()) {
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, s.Close(ended), context.Canceled)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGate()
				s := event.Async(g, event.AsyncOptions{Buffer: 1, WhenFull: event.Wait})
				s.Record(t.Context(), numbered(0))
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go s.Record(ctx, numbered(1))
				synctest.Wait()
				require.Zero(t, s.Dropped(), "it waits")
				end(t, s, cancel)
				synctest.Wait()
				assert.EqualValues(t, 1, s.Dropped())
				close(g.open)
				require.NoError(t, s.Close(t.Context()))
				assert.Equal(t, []event.Event{numbered(0)}, g.Events())
			})
		})
	}
}

func TestAsyncDropsWhatComesAfterClose(t *testing.T) {
	t.Parallel()
	for _, whenFull := range []event.WhenFull{event.Wait, event.Drop} {
		var r eventtest.Recorder
		s := event.Async(&r, event.AsyncOptions{Buffer: 1, WhenFull: whenFull})
		require.NoError(t, s.Close(t.Context()))
		for range 3 {
			s.Record(t.Context(), full())
		}
		assert.EqualValues(t, 3, s.Dropped())
		assert.Empty(t, r.Events())
	}
}

func TestAsyncCloseWaitsUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	g := newGate()
	s := event.Async(g, event.AsyncOptions{})
	s.Record(t.Context(), numbered(0))
	s.Record(t.Context(), numbered(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.Close(ctx)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "2 events")
	close(g.open)
	require.NoError(t, s.Close(t.Context()), "Close waits on")
	assert.Len(t, g.Events(), 2)
}

func TestAsyncSurvivesASinkThatPanics(t *testing.T) {
	t.Parallel()
	var r eventtest.Recorder
	s := event.Async(event.SinkFunc(func(ctx context.Context, e event.Event) {
		if e.ID == "1" {
			panic("sink")
		}
		r.Record(ctx, e)
	}), event.AsyncOptions{})
	for i := range 3 {
		s.Record(t.Context(), numbered(i))
	}
	require.NoError(t, s.Close(t.Context()))
	assert.Equal(t, []event.Event{numbered(0), numbered(2)}, r.Events())
	assert.EqualValues(t, 1, s.Dropped())
}

func TestAsyncPassesOnTheValuesOfAContextThatHasEnded(t *testing.T) {
	t.Parallel()
	g := newGate()
	var got context.Context
	s := event.Async(event.SinkFunc(func(ctx context.Context, e event.Event) {
		g.Record(ctx, e)
		got = ctx
	}), event.AsyncOptions{})
	ctx, cancel := context.WithCancel(event.WithRequest(t.Context(), event.Request{ID: "r1"}))
	s.Record(ctx, full())
	cancel()
	close(g.open)
	require.NoError(t, s.Close(t.Context()))
	assert.NoError(t, got.Err())
	assert.Equal(t, "r1", event.RequestFromContext(got).ID)
}

func TestAsyncDeliversOrCountsEachEventWhileItIsClosed(t *testing.T) {
	t.Parallel()
	for _, whenFull := range []event.WhenFull{event.Wait, event.Drop} {
		var r eventtest.Recorder
		s := event.Async(&r, event.AsyncOptions{Buffer: 4, WhenFull: whenFull})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 200 {
					s.Record(t.Context(), full())
				}
			})
		}
		require.NoError(t, s.Close(t.Context()))
		wg.Wait()
		assert.EqualValues(t, 8*200, int64(len(r.Events()))+s.Dropped())
	}
}
