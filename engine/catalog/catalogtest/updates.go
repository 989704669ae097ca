package catalogtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

func updateCases() []testCase {
	return []testCase{
		{name: "If fn returns an error, Update returns it and nothing is written", run: onStore(errorRollsBack)},
		{name: "A panic of fn leaves the store usable", run: onStore(panicLeavesUsable)},
		{name: "What fn wrote is applied all together", run: onStore(appliedTogether)},
		{name: "A context that has ended stops View and Update", run: onStore(endedContextStops)},
		{name: "A context that ends in fn before it fails writes nothing", run: onStore(contextEndsInFn)},
		{name: "A transaction may hold as many writes as the limit says, and no more", run: onStore(writesLimit)},
		{name: "Writes beyond the limits are invalid", run: onStore(invalidWrites)},
		{name: "After Close every method returns ErrClosed, and Close nothing", run: closedStore},
		{name: "Close waits for calls that run, until its context ends", run: closeWaits},
	}
}

func errorRollsBack(t tester, s catalog.Store) {
	set(t, s, "a")
	add(t, s, "n", 1)
	wrong := errors.New("wrong")
	err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), []byte("changed"))
		x.Set([]byte("b"), []byte("b"))
		x.Add([]byte("n"), 1)
		return wrong
	})
	assert.ErrorIs(t, err, wrong)
	assert.NotErrorIs(t, err, catalog.ErrUnknownOutcome)
	assert.Equal(t, "a", get(t, s, "a"))
	assert.Equal(t, none, get(t, s, "b"))
	assert.EqualValues(t, 1, counter(t, s, "n"))
	assert.ErrorIs(t, s.View(t.Context(), func(context.Context, catalog.Reader) error { return wrong }), wrong)
}

func panicLeavesUsable(t tester, s catalog.Store) {
	assert.Panics(t, func() {
		_ = s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
			_, _ = x.Scan(ctx, []byte("a"), []byte("z"))
			x.Set([]byte("a"), nil)
			panic("in fn")
		})
	})
	assert.Panics(t, func() {
		_ = s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
			_, _ = r.Scan(ctx, []byte("a"), []byte("z"))
			panic("in fn")
		})
	})
	assert.Equal(t, none, get(t, s, "a"))
	set(t, s, "b")
	assert.Equal(t, "b", get(t, s, "b"))
}

func appliedTogether(t tester, s catalog.Store) {
	const writers, rounds = 4, 25
	pair := func(ctx context.Context, r catalog.Reader) error {
		one, err := read(ctx, r, "one")
		if err != nil {
			return err
		}
		two, err := read(ctx, r, "two")
		if err != nil {
			return err
		}
		if one != two {
			return fmt.Errorf("one is %q and two is %q", one, two)
		}
		return nil
	}
	require.NoError(t, together(2*writers, func(i int) error {
		for round := range rounds {
			value := fmt.Appendf(nil, "%d of %d", round, i)
			err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
				if i >= writers {
					return pair(ctx, x)
				}
				x.Set([]byte("one"), value)
				x.Set([]byte("two"), value)
				return nil
			})
			if err := errors.Join(err, s.View(t.Context(), pair)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func endedContextStops(t tester, s catalog.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, s.Update(ctx, func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), nil)
		return nil
	}), context.Canceled)
	assert.ErrorIs(t, s.View(ctx, func(context.Context, catalog.Reader) error { return nil }), context.Canceled)
	assert.Equal(t, none, get(t, s, "a"))
}

func contextEndsInFn(t tester, s catalog.Store) {
	set(t, s, "a")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.Update(ctx, func(ctx context.Context, x catalog.Txn) error {
		x.Set([]byte("b"), nil)
		cancel()
		_, _, err := x.Get(ctx, []byte("a"))
		return err
	})
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, catalog.ErrUnknownOutcome)
	assert.Equal(t, none, get(t, s, "b"))

	err = s.View(t.Context(), func(_ context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte("a"), []byte("z"))
		if err != nil {
			return err
		}
		assert.False(t, it.Next(), "with a context that has ended")
		return it.Close()
	})
	assert.ErrorIs(t, err, context.Canceled)
}

// setMany writes n keys, of the highest number first, each several times.
func setMany(n int) func(context.Context, catalog.Txn) error {
	return func(_ context.Context, x catalog.Txn) error {
		for range 2 {
			for i := n; i > 0; i-- {
				x.Set(fmt.Appendf(nil, "%06d", i), []byte("v"))
			}
		}
		return nil
	}
}

func writesLimit(t tester, s catalog.Store) {
	err := s.Update(t.Context(), setMany(catalog.MaxStoreWrites+1))
	assert.ErrorIs(t, err, container.ErrInvalid)
	assert.Empty(t, scanned(t, s, "0", "9"))
	update(t, s, setMany(catalog.MaxStoreWrites))
	assert.Len(t, scanned(t, s, "0", "9"), catalog.MaxStoreWrites)
}

func invalidWrites(t tester, s catalog.Store) {
	long := make([]byte, catalog.MaxStoreKey+1)
	for name, write := range map[string]func(x catalog.Txn){
		"set under an empty key":   func(x catalog.Txn) { x.Set(nil, nil) },
		"set under a long key":     func(x catalog.Txn) { x.Set(long, nil) },
		"delete of an empty key":   func(x catalog.Txn) { x.Delete(nil) },
		"delete of a long key":     func(x catalog.Txn) { x.Delete(long) },
		"add to an empty key":      func(x catalog.Txn) { x.Add(nil, 1) },
		"add to a long key":        func(x catalog.Txn) { x.Add(long, 1) },
		"set of a value too large": func(x catalog.Txn) { x.Set([]byte("a"), make([]byte, catalog.MaxStoreValue+1)) },
	} {
		err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
			x.Set([]byte("before"), nil)
			write(x)
			x.Set([]byte("after"), nil)
			return nil
		})
		assert.ErrorIs(t, err, container.ErrInvalid, name)
	}
	assert.Empty(t, scanned(t, s, "", "\xff"))
}

func closedStore(t tester, p Place) {
	s, err := p.Open(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	called := false
	assert.ErrorIs(t, s.View(t.Context(), func(context.Context, catalog.Reader) error {
		called = true
		return nil
	}), container.ErrClosed)
	assert.ErrorIs(t, s.Update(t.Context(), func(context.Context, catalog.Txn) error {
		called = true
		return nil
	}), container.ErrClosed)
	assert.False(t, called)
	assert.NoError(t, s.Close(t.Context()))
}

func closeWaits(t tester, p Place) {
	s, err := p.Open(t.Context())
	require.NoError(t, err)
	running, done, viewed := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		viewed <- s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
			close(running)
			<-done
			_, _, err := r.Get(ctx, []byte("a"))
			return err
		})
	}()
	<-running
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, s.Close(ended), context.Canceled)
	assert.ErrorIs(t, s.View(t.Context(), func(context.Context, catalog.Reader) error { return nil }),
		container.ErrClosed, "a call after Close, while another runs")
	close(done)
	assert.NoError(t, <-viewed, "the call that ran")
	assert.NoError(t, s.Close(t.Context()))
}
