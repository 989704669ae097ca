package catalogtest

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// lazyCases are for a [catalog.LazyStore]: everything that does not concern
// durability once more with lazy transactions, and what these are about.
func lazyCases() []testCase {
	all := []testCase{
		{name: "A lazy transaction is durable once a later Update has returned", crashes: true, run: laterUpdateKeepsLazy},
		{name: "A lazy transaction is durable once an Update without writes has returned", crashes: true, run: laterReadKeepsLazy},
		{name: "A lazy transaction is durable once Close has returned", crashes: true, run: closeKeepsLazy},
		{name: "A power cut leaves the beginning of what was lazy", crashes: true, run: crashLeavesLazyPrefix},
		{name: "After a power cut a lazy transaction is there with all before it", crashes: true, run: crashKeepsLazyOrder},
		{name: "Lazy transactions alone keep their order", crashes: true, run: lazily(crashKeepsOrder)},
		{name: "A store that is opened again holds everything that was lazy", run: lazily(reopenKeeps)},
	}
	for _, group := range [][]testCase{readingCases(), iteratorCases(), updateCases(), isolationCases()} {
		for _, c := range group {
			all = append(all, testCase{name: c.name + ", lazily", run: lazily(c.run)})
		}
	}
	return all
}

// isLazy reports whether h makes lazy stores.
func isLazy(t *testing.T, h Harness) bool {
	t.Helper()
	s, err := h.New(t).Open(t.Context())
	require.NoError(t, err)
	_, lazy := s.(catalog.LazyStore)
	require.NoError(t, s.Close(t.Context()))
	return lazy
}

// A lazyUpdater is a LazyStore whose Update is lazy.
type lazyUpdater struct{ store catalog.LazyStore }

func (s lazyUpdater) View(ctx context.Context, fn func(context.Context, catalog.Reader) error) error {
	return s.store.View(ctx, fn)
}

func (s lazyUpdater) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return s.store.UpdateLazily(ctx, fn)
}

func (s lazyUpdater) Close(ctx context.Context) error { return s.store.Close(ctx) }

// lazily makes run a case for stores whose Update is lazy.
func lazily(run func(tester, Place)) func(tester, Place) {
	return func(t tester, p Place) { run(t, lazyPlace(p)) }
}

func lazyPlace(p Place) Place {
	lazy := Place{Open: func(ctx context.Context) (catalog.Store, error) {
		s, err := p.Open(ctx)
		if err != nil {
			return nil, err
		}
		return lazyUpdater{s.(catalog.LazyStore)}, nil
	}}
	if p.Crash != nil {
		lazy.Crash = func(seed uint64) Place { return lazyPlace(p.Crash(seed)) }
	}
	return lazy
}

func openLazy(t tester, p Place) catalog.LazyStore {
	t.Helper()
	return open(t, p).(catalog.LazyStore)
}

// requireAfterCrash checks that the keys are there after a power cut.
func requireAfterCrash(t tester, p Place, seed uint64, keys ...string) {
	t.Helper()
	after, err := p.Crash(seed).Open(t.Context())
	require.NoError(t, err, "open after power cut with seed %d", seed)
	for _, key := range keys {
		assert.Equal(t, key, get(t, after, key), "after power cut with seed %d", seed)
	}
	assert.NoError(t, after.Close(t.Context()))
}

func laterUpdateKeepsLazy(t tester, p Place) {
	s := openLazy(t, p)
	for seed := range uint64(crashes) {
		first, second, durable := fmt.Sprint("first ", seed), fmt.Sprint("second ", seed), fmt.Sprint("durable ", seed)
		set(t, lazyUpdater{s}, first)
		set(t, lazyUpdater{s}, second)
		set(t, s, durable)
		requireAfterCrash(t, p, seed, first, second, durable)
	}
}

func laterReadKeepsLazy(t tester, p Place) {
	s := openLazy(t, p)
	for seed := range uint64(crashes) {
		key := fmt.Sprint("key ", seed)
		set(t, lazyUpdater{s}, key)
		update(t, s, func(ctx context.Context, x catalog.Txn) error {
			_, _, err := x.Get(ctx, []byte("another"))
			return err
		})
		requireAfterCrash(t, p, seed, key)
	}
}

func closeKeepsLazy(t tester, p Place) {
	for seed := range uint64(crashes) {
		s, err := p.Open(t.Context())
		require.NoError(t, err)
		key := fmt.Sprint("key ", seed)
		set(t, lazyUpdater{s.(catalog.LazyStore)}, key)
		require.NoError(t, s.Close(t.Context()))
		requireAfterCrash(t, p, seed, key)
	}
}

func crashLeavesLazyPrefix(t tester, p Place) {
	s := openLazy(t, p)
	for n := range 12 {
		set(t, lazyUpdater{s}, fmt.Sprintf("key %02d", n))
		for seed := range uint64(crashes) {
			after, err := p.Crash(seed).Open(t.Context())
			require.NoError(t, err, "open after power cut with seed %d", seed)
			for i, key := range scanned(t, after, "key ", "key a") {
				require.Equal(t, fmt.Sprintf("key %02d", i), key, "after power cut with seed %d", seed)
			}
			assert.NoError(t, after.Close(t.Context()))
		}
	}
}

// crashKeepsLazyOrder appends to one chain from all sides, at times lazily.
func crashKeepsLazyOrder(t tester, p Place) {
	var durable atomic.Int64 // steps that an Update has made durable
	work := func(s catalog.Store, i int) error {
		run := s.Update
		if i > 0 {
			run = s.(catalog.LazyStore).UpdateLazily
		}
		var n int64
		err := run(t.Context(), func(ctx context.Context, x catalog.Txn) (err error) {
			n, err = x.GetCounter(ctx, []byte("step"))
			x.Set(fmt.Appendf(nil, "step %010d", n), nil)
			x.Add([]byte("step"), 1)
			return err
		})
		if i == 0 && err == nil {
			durable.Store(n + 1)
		}
		return err
	}
	writeUntilCrashed(t, p, work, durable.Load, func(s catalog.Store, before int64) {
		steps := scanned(t, s, "step ", "step a")
		assert.EqualValues(t, counter(t, s, "step"), len(steps))
		assert.GreaterOrEqual(t, int64(len(steps)), before)
		for i, step := range steps {
			require.Equal(t, fmt.Sprintf("step %010d", i), step)
		}
	})
}
