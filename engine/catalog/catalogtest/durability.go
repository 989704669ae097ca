package catalogtest

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func durabilityCases() []testCase {
	return []testCase{
		{name: "A store that is opened again holds everything", run: reopenKeeps},
		{name: "What was just acknowledged survives a power cut", crashes: true, run: crashKeepsTheLast},
		{name: "After a power cut everything that was acknowledged is there", crashes: true, run: crashKeeps},
		{name: "After a power cut a transaction is there with all it could have read", crashes: true, run: crashKeepsOrder},
		{name: "What an Update without writes has read survives a power cut", crashes: true, run: crashKeepsWhatWasRead},
	}
}

func reopenKeeps(t tester, p Place) {
	want := map[string]string{}
	for generation := range 3 {
		s, err := p.Open(t.Context())
		require.NoError(t, err)
		for key, value := range want {
			assert.Equal(t, value, get(t, s, key), "in generation %d", generation)
		}
		assert.EqualValues(t, 10*generation, counter(t, s, "n"))
		assert.Len(t, scanned(t, s, "key", "kez"), len(want))
		add(t, s, "n", 4)
		add(t, s, "n", 6)
		key := fmt.Sprintf("key %d", generation)
		set(t, s, key, "gone")
		want[key] = key
		update(t, s, func(_ context.Context, x catalog.Txn) error {
			x.Delete([]byte("gone"))
			return nil
		})
		assert.Equal(t, none, get(t, s, "gone"))
		require.NoError(t, s.Close(t.Context()))
	}
}

// crashes is how often a case cuts the power; each time is a seed.
const crashes = 6

func crashKeepsTheLast(t tester, p Place) {
	s := open(t, p)
	for seed := range uint64(crashes) {
		key := fmt.Sprintf("key %d", seed)
		set(t, s, key)
		add(t, s, "n", 1)
		after, err := p.Crash(seed).Open(t.Context())
		require.NoError(t, err, "open after power cut with seed %d", seed)
		assert.Equal(t, key, get(t, after, key))
		assert.EqualValues(t, seed+1, counter(t, after, "n"))
		assert.NoError(t, after.Close(t.Context()))
	}
}

// writeUntilCrashed runs work in a crowd, cuts the power several times while it
// goes on, and calls check with what before returned ahead of each power cut
// and the store that was opened after it.
func writeUntilCrashed[T any](t tester, p Place, work func(s catalog.Store, i int) error, before func() T, check func(s catalog.Store, before T)) {
	s := open(t, p)
	var stop atomic.Bool
	worked := make(chan error, 1)
	go func() {
		worked <- together(crowd, func(i int) error {
			for !stop.Load() {
				if err := work(s, i); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	for seed := range uint64(crashes) {
		// Let some work happen between the power cuts.
		for range crowd {
			if err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
				x.Add([]byte("crashes"), 1)
				return nil
			}); err != nil {
				stop.Store(true)
				require.NoError(t, err)
			}
		}
		then := before()
		crashed := p.Crash(seed)
		func() {
			after, err := crashed.Open(t.Context())
			if err != nil {
				stop.Store(true)
			}
			require.NoError(t, err, "open after power cut with seed %d", seed)
			check(after, then)
			assert.NoError(t, after.Close(t.Context()))
		}()
	}
	stop.Store(true)
	require.NoError(t, <-worked)
}

func crashKeeps(t tester, p Place) {
	var acknowledged [crowd]atomic.Int64
	work := func(s catalog.Store, i int) error {
		n := acknowledged[i].Load() + 1
		err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
			x.Set(fmt.Appendf(nil, "last of %d", i), strconv.AppendInt(nil, n, 10))
			x.Add([]byte("all"), 1)
			return nil
		})
		if err == nil {
			acknowledged[i].Store(n)
		}
		return err
	}
	before := func() (n [crowd]int64) {
		for i := range n {
			n[i] = acknowledged[i].Load()
		}
		return n
	}
	writeUntilCrashed(t, p, work, before, func(s catalog.Store, before [crowd]int64) {
		var all int64
		for i, least := range before {
			last, _ := strconv.ParseInt(get(t, s, fmt.Sprintf("last of %d", i)), 10, 64)
			assert.GreaterOrEqual(t, last, least)
			all += last
		}
		assert.Equal(t, all, counter(t, s, "all"), "transactions are there in part")
	})
}

func crashKeepsOrder(t tester, p Place) {
	// Each writer copies what the one before it wrote last, so that a chain
	// of transactions that read one another runs through the crowd.
	work := func(s catalog.Store, i int) error {
		return s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
			n, err := x.GetCounter(ctx, []byte("step"))
			x.Set(fmt.Appendf(nil, "step %010d", n), nil)
			x.Add([]byte("step"), 1)
			return err
		})
	}
	writeUntilCrashed(t, p, work, func() int { return 0 }, func(s catalog.Store, _ int) {
		steps := scanned(t, s, "step ", "step a")
		assert.EqualValues(t, counter(t, s, "step"), len(steps))
		for i, step := range steps {
			require.Equal(t, fmt.Sprintf("step %010d", i), step)
		}
	})
}

func crashKeepsWhatWasRead(t tester, p Place) {
	var seen atomic.Int64 // the highest value that an Update which only read has returned
	work := func(s catalog.Store, i int) error {
		var n int64
		err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) (err error) {
			if i%2 == 0 {
				x.Add([]byte("n"), 1)
				return nil
			}
			n, err = x.GetCounter(ctx, []byte("n"))
			return err
		})
		for err == nil {
			highest := seen.Load()
			if n <= highest || seen.CompareAndSwap(highest, n) {
				break
			}
		}
		return err
	}
	writeUntilCrashed(t, p, work, seen.Load, func(s catalog.Store, before int64) {
		assert.GreaterOrEqual(t, counter(t, s, "n"), before)
	})
}
