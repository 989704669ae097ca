package local

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// fill puts blobs until the disk is full, and then all that still fits.
func (k *keeper) fill(rng *rand.Rand, largest int) {
	k.t.Helper()
	for size := largest; size > 0; size /= 4 {
		for {
			b := make([]byte, 1+rng.IntN(size))
			ref, err := k.d.Put(k.t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: -1})
			if err != nil {
				require.ErrorIs(k.t, err, container.ErrNoSpace)
				break
			}
			k.kept[ref] = b
		}
	}
}

func TestAFullDiskCanBeEmptiedAndFilledAgain(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncAlways, SyncAsync, SyncNone} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("%v, seed %d", mode, seed), func(t *testing.T) {
				t.Parallel()
				rng := rand.New(rand.NewPCG(seed, 0))
				disk := crashfs.New()
				disk.SetLimit(3<<20 + int64(rng.IntN(1<<20)))
				opts := Options{FS: disk, Sync: mode, SmallBlob: 8000, segmentSize: 100_000}
				k := newKeeper(t, opts)
				for range 3 {
					k.fill(rng, 12_000)
					k.check()
					before := len(k.kept)
					require.Greater(t, before, 100)
					for ref := range k.kept {
						k.remove(ref)
					}
					k.check()
				}
				k.fill(rng, 12_000)
				require.NoError(t, k.d.Close(t.Context()))

				again := newKeeper(t, opts)
				again.kept = k.kept
				again.check()
				for ref := range again.kept {
					again.remove(ref)
				}
				require.NoError(t, again.d.Close(t.Context()))
			})
		}
	}
}

// TestAFullDiskIsRecoveredFrom kills a driver on a disk that is full, and opens
// it on one that is fuller.
func TestAFullDiskIsRecoveredFrom(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncAlways, SyncAsync} {
		for seed := range uint64(6) {
			rng := rand.New(rand.NewPCG(seed, 0))
			disk := crashfs.New()
			disk.SetLimit(3 << 20)
			opts := Options{FS: disk, Sync: mode, SmallBlob: 8000, segmentSize: 100_000}
			k := newKeeper(t, opts)
			k.fill(rng, 12_000)
			require.NoError(t, k.d.Flush(t.Context()))
			after := disk.Crash(nil, crashfs.KeepNone)
			after.SetLimit(after.Stored())
			opts.FS = after
			again := newKeeper(t, opts)
			again.kept = k.kept
			again.check()
			for ref := range k.kept {
				again.remove(ref)
			}
			again.add(make([]byte, 100))
			again.check()
			require.NoError(t, again.d.Close(t.Context()), "seed %d", seed)
		}
	}
}

// TestWhateverOperationFindsTheDiskFullOnlyItsCallFails makes one operation
// after the other find no room.
func TestWhateverOperationFindsTheDiskFullOnlyItsCallFails(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		disk := crashfs.New()
		k := newKeeper(t, Options{FS: disk, SmallBlob: 8000, segmentSize: 40_000})
		n, reached := disk.Operations(), false
		disk.SetHook(func(op crashfs.Op) error {
			if op.N != n+at || op.Kind == crashfs.SyncDir || !op.Kind.Changes() {
				return nil
			}
			reached = true
			return crashfs.Short(vfs.ErrNoSpace)
		})
		failed := 0
		for i := range 30 {
			b := randomBytes(int64(i * 400))
			ref, err := k.d.Put(t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: -1})
			if err != nil {
				require.ErrorIs(t, err, container.ErrNoSpace)
				failed++
				continue
			}
			k.kept[ref] = b
			if i%4 == 0 {
				err := k.d.Delete(t.Context(), ref)
				if err == nil {
					delete(k.kept, ref)
					continue
				}
				require.True(t, errors.Is(err, container.ErrNoSpace), "operation %d: %v", at, err)
				failed++
			}
		}
		disk.SetHook(nil)
		assert.LessOrEqual(t, failed, 1, "operation %d", at)
		k.check()
		after := disk.Crash(nil, crashfs.KeepNone)
		c := k.opened(after, "/blobs")
		c.check()
		require.NoError(t, c.d.Close(t.Context()))
		if at > 20 && !reached && disk.Operations() < n+at {
			return
		}
	}
}
