package pebblestore

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func openMemory(t *testing.T) *Store {
	t.Helper()
	s, err := OpenMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close(context.WithoutCancel(t.Context()))) })
	return s
}

func setKeys(t *testing.T, s *Store, keys ...string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		for _, key := range keys {
			x.Set([]byte(key), []byte(key))
		}
		return nil
	}))
}

// runsBeside counts the runs of a transaction that reads by read and then, in
// its first run, sees another one write key.
func runsBeside(t *testing.T, s *Store, key string, read func(ctx context.Context, x catalog.Txn) error) int {
	t.Helper()
	runs := 0
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
		runs++
		if err := read(ctx, x); err != nil {
			return err
		}
		if runs == 1 {
			setKeys(t, s, key)
		}
		x.Set([]byte("result"), nil)
		return nil
	}))
	return runs
}

func TestATransactionRunsAgainOnlyIfWhatItSawHasChanged(t *testing.T) {
	t.Parallel()
	scanTo := func(n int, thenSeek string) func(context.Context, catalog.Txn) error {
		return func(ctx context.Context, x catalog.Txn) error {
			it, err := x.Scan(ctx, []byte("a"), []byte("z"))
			if err != nil {
				return err
			}
			for range n {
				it.Next()
			}
			if thenSeek != "" {
				it.SeekGE([]byte(thenSeek))
			}
			return nil // without Close: the store does it
		}
	}
	get := func(ctx context.Context, x catalog.Txn) error {
		_, _, err := x.Get(ctx, []byte("e"))
		return err
	}
	own := func(ctx context.Context, x catalog.Txn) error {
		x.Set([]byte("e"), nil)
		return get(ctx, x)
	}
	add := func(_ context.Context, x catalog.Txn) error {
		x.Add([]byte("n"), 1)
		return nil
	}
	for name, c := range map[string]struct {
		read    func(context.Context, catalog.Txn) error
		written string
		runs    int
	}{
		"the key it got":                           {get, "e", 2},
		"another key":                              {get, "f", 1},
		"a key it had set itself":                  {own, "e", 1},
		"a counter it adds to":                     {add, "n", 1},
		"a key it scanned over":                    {scanTo(3, ""), "c", 2},
		"a gap it scanned over":                    {scanTo(3, ""), "d", 2},
		"the key it stopped at":                    {scanTo(3, ""), "e", 2},
		"a key behind where it stopped":            {scanTo(3, ""), "f", 1},
		"a key behind the last, after a full scan": {scanTo(9, ""), "h", 2},
		"a key behind the range":                   {scanTo(9, ""), "z", 1},
		"a key before the range":                   {scanTo(9, ""), "A", 1},
		"a range it never moved in":                {scanTo(0, ""), "a", 1},
		"a key it jumped over":                     {scanTo(1, "e"), "c", 1},
		"a key before its jump":                    {scanTo(1, "e"), "a", 2},
		"a gap it jumped into":                     {scanTo(1, "d"), "dd", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openMemory(t)
			setKeys(t, s, "a", "c", "e", "g")
			assert.Equal(t, c.runs, runsBeside(t, s, c.written, c.read))
		})
	}
}

func TestATransactionThatAlwaysLosesRunsAlone(t *testing.T) {
	t.Parallel()
	s := openMemory(t)
	var wg sync.WaitGroup
	runs := 0
	require.NoError(t, s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
		runs++
		_, _, err := x.Get(ctx, []byte("a"))
		rival := func() { setKeys(t, s, "a") }
		if runs <= maxConflicts {
			rival()
		} else {
			wg.Go(rival) // waits for this run to end
		}
		x.Set([]byte("b"), nil)
		return err
	}))
	wg.Wait()
	assert.Equal(t, maxConflicts+1, runs)
	assert.Empty(t, s.conflicts.running)
	assert.Empty(t, s.conflicts.window)
}

func TestAPanicInAnExclusiveRunLeavesNothingLocked(t *testing.T) {
	t.Parallel()
	s := openMemory(t)
	runs := 0
	assert.Panics(t, func() {
		_ = s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
			if runs++; runs > maxConflicts {
				panic("in the exclusive run")
			}
			_, _, err := x.Get(ctx, []byte("a"))
			setKeys(t, s, "a")
			x.Set([]byte("b"), nil)
			return err
		})
	})
	setKeys(t, s, "c")
	assert.Empty(t, s.conflicts.running)
}

func TestAReaderOrTxnIsOfNoUseAfterItsClosure(t *testing.T) {
	t.Parallel()
	s := openMemory(t)
	var r catalog.Reader
	var x catalog.Txn
	require.NoError(t, s.View(t.Context(), func(_ context.Context, v catalog.Reader) error { r = v; return nil }))
	require.NoError(t, s.Update(t.Context(), func(_ context.Context, v catalog.Txn) error { x = v; return nil }))
	for _, late := range []catalog.Reader{r, x} {
		_, _, err := late.Get(t.Context(), []byte("a"))
		assert.ErrorIs(t, err, errEnded)
		_, err = late.Scan(t.Context(), []byte("a"), []byte("b"))
		assert.ErrorIs(t, err, errEnded)
	}
}

func TestAddOverAValueReplacesIt(t *testing.T) {
	t.Parallel()
	s := openMemory(t)
	setKeys(t, s, "value")
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		_, err := r.GetCounter(ctx, []byte("value"))
		assert.ErrorContains(t, err, "not a counter")
		return nil
	}))
	require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Add([]byte("value"), 2)
		return nil
	}))
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		n, err := r.GetCounter(ctx, []byte("value"))
		assert.EqualValues(t, 2, n)
		return err
	}))
}

func TestCountersSurviveFlushAndCompaction(t *testing.T) {
	t.Parallel()
	s := openMemory(t)
	const rounds = 5
	for round := range rounds {
		require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
			x.Add([]byte("n"), int64(round))
			x.Set(fmt.Appendf(nil, "key %d", round), nil)
			return nil
		}))
		require.NoError(t, s.db.Flush())
	}
	require.NoError(t, s.db.Compact(t.Context(), []byte("a"), []byte("z"), false))
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		n, err := r.GetCounter(ctx, []byte("n"))
		assert.EqualValues(t, rounds*(rounds-1)/2, n)
		return err
	}))
}
