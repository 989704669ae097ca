package pebblestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// append1 adds one more of the transactions that assertPrefix counts.
func append1(t *testing.T, run func(context.Context, func(context.Context, catalog.Txn) error) error, n, size int) error {
	return run(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Add([]byte("count"), 1)
		x.Set(fmt.Appendf(nil, "key %05d", n), make([]byte, size))
		return nil
	})
}

func TestTheEndOfTheProcessTakesNoLazyTransaction(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
	require.NoError(t, err)
	for n := range 50 {
		require.NoError(t, append1(t, s.UpdateLazily, n, 100+7*n*n))
		// What the operating system has, synced or not.
		written := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
		after, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: written}.WithSmallTables())
		require.NoError(t, err)
		assertPrefix(t, after, powerCut{acknowledged: n + 1})
		require.NoError(t, after.Close(t.Context()))
	}
	require.NoError(t, s.Close(t.Context()))
}

// TestAPowerCutTakesOnlyTheEndOfWhatWasLazy covers torn logs of every shape, and
// the rotations of logs. A store that cannot be opened is the worst outcome.
func TestAPowerCutTakesOnlyTheEndOfWhatWasLazy(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			for _, cut := range cutLazyStore(t, seed) {
				s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: cut.disk}.WithSmallTables())
				require.NoError(t, err, "open after a power cut before %s", cut.before)
				assertPrefix(t, s, cut)
				require.NoError(t, s.Close(t.Context()))
			}
		})
	}
}

// cutLazyStore is cutEverywhere for a writer that seldom waits for the disk.
func cutLazyStore(t *testing.T, seed uint64) []powerCut {
	const transactions, sampled, durable = 250, 10, 40
	var kept atomic.Int64
	var mu sync.Mutex // guards rng and all
	var all []powerCut
	rng := rand.New(rand.NewPCG(seed, 2))
	disk := vfs.NewCrashableMem()
	fs := newHookedFS(disk, func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(sampled) > 0 {
			return nil
		}
		least := int(kept.Load())
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 25 * rng.IntN(5), RNG: rng})
		all = append(all, powerCut{clone, least, fmt.Sprintf("operation %d on %s", op.Kind, op.Path)})
		return nil
	})
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: fs}.WithSmallTables())
	require.NoError(t, err)
	sizes := rand.New(rand.NewPCG(seed, 3))
	for n := range transactions {
		run := s.UpdateLazily
		if n%durable == durable-1 {
			run = s.Update
		}
		require.NoError(t, append1(t, run, n, sizes.IntN(12<<10)))
		if n%durable == durable-1 {
			kept.Store(int64(n) + 1)
		}
	}
	require.NoError(t, s.Close(t.Context()))
	require.NotEmpty(t, all)
	return all
}

func TestALazyTransactionSyncsNothing(t *testing.T) {
	t.Parallel()
	var syncs atomic.Int64
	disk := newHookedFS(vfs.NewMem(), func(op errorfs.Op) error {
		if isLog(op) && isSync(op) {
			syncs.Add(1)
		}
		return nil
	})
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
	require.NoError(t, err)
	before := syncs.Load()
	const lazy = 100
	for n := range lazy {
		require.NoError(t, append1(t, s.UpdateLazily, n, 10))
	}
	assert.Equal(t, before, syncs.Load())
	read := func(ctx context.Context, x catalog.Txn) error {
		_, _, err := x.Get(ctx, []byte("count"))
		return err
	}
	require.NoError(t, s.UpdateLazily(t.Context(), read), "it need not be durable")
	assert.Equal(t, before, syncs.Load())
	require.NoError(t, s.Update(t.Context(), read))
	assert.Equal(t, before+1, syncs.Load(), "what was read is durable")
	require.NoError(t, append1(t, s.Update, lazy, 10))
	assert.Equal(t, before+2, syncs.Load())
	require.NoError(t, s.Update(t.Context(), read))
	assert.Equal(t, before+2, syncs.Load(), "it was durable already")
	require.NoError(t, s.Close(t.Context()))
}

func TestALazyTransactionThatCannotBeWrittenHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	disk := newFaultyDisk(vfs.NewMem(), func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite })
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
	require.NoError(t, err)
	require.NoError(t, append1(t, s.UpdateLazily, 0, 10))
	disk.broken.Store(true)
	err = append1(t, s.UpdateLazily, 1, 10)
	assert.ErrorIs(t, err, catalog.ErrUnknownOutcome)
	assertFailure(t, err)
	assertStopped(t, s)
	require.NoError(t, s.Close(t.Context()))
}

func TestALazyTransactionThatCannotBeSyncedStopsTheStoreLater(t *testing.T) {
	t.Parallel()
	disk := newFaultyDisk(vfs.NewMem(), func(op errorfs.Op) bool { return isLog(op) && isSync(op) })
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
	require.NoError(t, err)
	disk.broken.Store(true)
	require.NoError(t, append1(t, s.UpdateLazily, 0, 10))
	err = s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
		_, _, err := x.Get(ctx, []byte("count"))
		return err
	})
	assertFailure(t, err)
	assert.NotErrorIs(t, err, catalog.ErrUnknownOutcome, "it wrote nothing")
	assertStopped(t, s)
	require.NoError(t, s.Close(t.Context()))
}
