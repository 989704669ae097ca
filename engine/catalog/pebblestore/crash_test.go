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

// A powerCut is what a disk would hold after a power cut, and how many
// transactions had been acknowledged before it.
type powerCut struct {
	disk         *vfs.MemFS
	acknowledged int
	before       string // the operation that the power cut prevented
}

// TestAPowerCutBeforeAWriteLosesNothingAcknowledged covers the first open, log
// rotations and flushes.
func TestAPowerCutBeforeAWriteLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			for _, cut := range cutEverywhere(t, seed) {
				s, err := pebblestore.Open(t.Context(), "/deep/store", pebblestore.Options{FS: cut.disk}.WithSmallTables())
				require.NoError(t, err, "open after a power cut before %s", cut.before)
				assertPrefix(t, s, cut)
				require.NoError(t, s.Close(t.Context()))
			}
		})
	}
}

// cutEverywhere runs one writer and clones its disk, as a power cut would leave
// it, before one in sampled of its writes.
func cutEverywhere(t *testing.T, seed uint64) []powerCut {
	const transactions, sampled = 16, 6
	var acknowledged atomic.Int64
	var mu sync.Mutex // guards rng and all
	var all []powerCut
	rng := rand.New(rand.NewPCG(seed, 1))
	disk := vfs.NewCrashableMem()
	fs := newHookedFS(disk, func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if rng.IntN(sampled) > 0 {
			return nil
		}
		least := int(acknowledged.Load())
		clone := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50 * rng.IntN(3), RNG: rng})
		all = append(all, powerCut{clone, least, fmt.Sprintf("operation %d on %s", op.Kind, op.Path)})
		return nil
	})
	s, err := pebblestore.Open(t.Context(), "/deep/store", pebblestore.Options{FS: fs}.WithSmallTables())
	require.NoError(t, err)
	for n := range transactions {
		require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
			x.Add([]byte("count"), 1)
			x.Set(fmt.Appendf(nil, "key %05d", n), make([]byte, catalog.MaxStoreValue))
			return nil
		}))
		acknowledged.Store(int64(n) + 1)
	}
	require.NoError(t, s.Close(t.Context()))
	return all
}

// assertPrefix checks that s holds the first transactions, all of each, and at
// least those that were acknowledged.
func assertPrefix(t *testing.T, s *pebblestore.Store, cut powerCut) {
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		count, err := r.GetCounter(ctx, []byte("count"))
		if err != nil {
			return err
		}
		assert.GreaterOrEqual(t, count, int64(cut.acknowledged), "after a power cut before %s", cut.before)
		it, err := r.Scan(ctx, []byte("key "), []byte("kez"))
		if err != nil {
			return err
		}
		n := 0
		for ; it.Next(); n++ {
			assert.Equal(t, fmt.Sprintf("key %05d", n), string(it.Key()))
		}
		assert.EqualValues(t, count, n)
		return it.Close()
	}))
}
