package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A keeper remembers what it put, as an engine's catalog does.
type keeper struct {
	t    *testing.T
	d    *Driver
	kept map[driver.Ref][]byte
	put  int64 // bytes

	moves sync.Mutex // several may be told at once
}

func newKeeper(t *testing.T, opts Options) *keeper {
	t.Helper()
	d, err := Open(t.Context(), "/blobs", opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close(context.WithoutCancel(t.Context())) })
	return &keeper{t: t, d: d, kept: make(map[driver.Ref][]byte)}
}

func (k *keeper) add(b []byte) driver.Ref {
	k.t.Helper()
	ref, _ := small(k.t, k.d, b)
	k.kept[ref] = b
	k.put += int64(len(b))
	return ref
}

func (k *keeper) remove(ref driver.Ref) {
	k.t.Helper()
	require.NoError(k.t, k.d.Delete(k.t.Context(), ref))
	delete(k.kept, ref)
}

// compact does what an engine does: it notes where a blob is now, and deletes
// the old one.
func (k *keeper) compact(dead float64) {
	k.t.Helper()
	var old []driver.Ref
	require.NoError(k.t, k.d.Compact(k.t.Context(), dead, func(_ context.Context, from, to driver.Ref) error {
		k.moves.Lock()
		defer k.moves.Unlock()
		b, ok := k.kept[from]
		assert.True(k.t, ok, "%s was not there to be moved", from)
		k.kept[to] = b
		old = append(old, from)
		return nil
	}))
	for _, ref := range old {
		k.remove(ref)
	}
}

func (k *keeper) check() {
	k.t.Helper()
	refs := listed(k.t, k.d, "")
	require.Len(k.t, refs, len(k.kept))
	for ref, want := range k.kept {
		got, err := readRange(k.t.Context(), k.d, ref, 0, -1)
		require.NoError(k.t, err)
		require.True(k.t, bytes.Equal(want, got))
	}
}

// TestCompactionWritesLittleAndLeavesLittle counts what is written while blobs
// come and go at random.
func TestCompactionWritesLittleAndLeavesLittle(t *testing.T) {
	t.Parallel()
	const seed, segmentSize = 7, 256 << 10
	rng := rand.New(rand.NewPCG(seed, 0))
	disk := crashfs.New()
	// SyncNone, for there are no zeros ahead to be counted.
	k := newKeeper(t, Options{FS: disk, Sync: SyncNone, segmentSize: segmentSize})
	var refs []driver.Ref
	for step := range 15_000 {
		if len(refs) < 600 || rng.IntN(2) == 0 {
			refs = append(refs, k.add(make([]byte, 500+rng.IntN(3500))))
		} else {
			i := rng.IntN(len(refs))
			k.remove(refs[i])
			refs = slices.Delete(refs, i, i+1)
		}
		if step%500 > 0 {
			continue
		}
		k.compact(0.5)
		for _, seg := range k.d.segments.all() {
			require.False(t, seg.sealed && seg.isSparse(0.5), "seed %d, step %d: segment %d has %d dead of %d",
				seed, step, seg.number, seg.deadBytes, seg.used())
		}
		refs = refs[:0]
		for ref := range k.kept {
			refs = append(refs, ref)
		}
		slices.Sort(refs)
	}
	k.check()
	t.Logf("put %d, written %d, stored %d", k.put, disk.Written(), disk.Stored())
	assert.Less(t, disk.Written(), 2*k.put)
	live := int64(0)
	for _, b := range k.kept {
		live += int64(len(b))
	}
	assert.Less(t, disk.Stored(), 2*live+2*segmentSize+1<<20)
}

func TestCompactMovesOnlyFromSegmentsAboveTheShare(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, Options{FS: crashfs.New(), segmentSize: 4096})
	var refs []driver.Ref
	for i := range 12 { // three to a segment
		refs = append(refs, k.add(randomBytes(int64(1000+i))))
	}
	k.remove(refs[0])
	k.remove(refs[3])
	k.remove(refs[4])
	k.compact(0.5)
	k.check()
	assert.Contains(t, k.kept, refs[1], "a third of its segment is deleted")
	assert.NotContains(t, k.kept, refs[5], "two thirds are")
	assert.Equal(t, []string{"000000000001.seg", "000000000003.seg", "000000000004.seg", "000000000005.seg"}, segmentNames(k.d))
	k.compact(0)
	k.check()
	assert.NotContains(t, k.kept, refs[1])
}

func segmentNames(d *Driver) (names []string) {
	entries, _ := d.fs.ReadDir(d.root + "/" + segmentName)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestABlobThatTheCallerDoesNotMoveStays(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, Options{FS: crashfs.New(), segmentSize: 4096})
	first, second, third := k.add(randomBytes(1000)), k.add(randomBytes(1001)), k.add(randomBytes(1002))
	k.add(randomBytes(1003))
	k.remove(second)
	before := listed(t, k.d, "")
	err := k.d.Compact(t.Context(), 0, func(_ context.Context, from, to driver.Ref) error {
		got, err := readRange(t.Context(), k.d, to, 0, -1)
		assert.NoError(t, err, "the copy is readable")
		assert.True(t, bytes.Equal(k.kept[from], got))
		if from == first {
			return errUnmoved
		}
		assert.Equal(t, third, from, "it goes on with the next")
		panic("nor this one")
	})
	require.ErrorIs(t, err, errUnmoved)
	require.ErrorContains(t, err, "nor this one")
	k.check()
	assert.Equal(t, before, listed(t, k.d, ""))
	k.compact(0)
	assert.NotContains(t, k.kept, first, "the next time it is asked again")
	k.check()
}

func TestABlobThatIsToStayIsTriedAgainWhenMoreIsDeletedAroundIt(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, Options{FS: crashfs.New(), segmentSize: 4096})
	first, second, third := k.add(randomBytes(1000)), k.add(randomBytes(1001)), k.add(randomBytes(1002))
	k.remove(second)
	asked := func() (refs []driver.Ref) {
		var mu sync.Mutex
		err := k.d.Compact(t.Context(), 0, func(_ context.Context, from, _ driver.Ref) error {
			mu.Lock()
			defer mu.Unlock()
			refs = append(refs, from)
			return fmt.Errorf("the caller's reason: %w", driver.ErrStay)
		})
		if len(refs) > 0 {
			assert.ErrorIs(t, err, driver.ErrStay)
		} else {
			assert.NoError(t, err)
		}
		return refs
	}
	assert.ElementsMatch(t, []driver.Ref{first, third}, asked())
	assert.Empty(t, asked())
	k.remove(third)
	assert.Equal(t, []driver.Ref{first}, asked())
	assert.Empty(t, asked())
	k.check()
}

func TestCompactDoesNotMoveTwiceWhatIsNotYetDeleted(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, Options{FS: crashfs.New(), segmentSize: 4096})
	k.remove(k.add(randomBytes(1000)))
	k.add(randomBytes(1000))
	k.add(randomBytes(3000))
	var moves atomic.Int64
	for range 3 {
		require.NoError(t, k.d.Compact(t.Context(), 0.3, func(context.Context, driver.Ref, driver.Ref) error { moves.Add(1); return nil }))
	}
	assert.EqualValues(t, 1, moves.Load())
}

func TestADamagedBlobIsNotMoved(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 4096)
	gone, _ := small(t, d, randomBytes(1000))
	head, headAt := small(t, d, randomBytes(500))
	data, dataAt := small(t, d, randomBytes(500))
	sound, _ := small(t, d, randomBytes(500))
	require.NoError(t, d.Delete(t.Context(), gone))
	require.NoError(t, d.Close(t.Context()))
	file, err := os.ReadFile(d.segmentPath(1))
	require.NoError(t, err)
	file[headAt.offset+5] ^= 1
	file[dataAt.offset+100] ^= 1
	require.NoError(t, os.WriteFile(d.segmentPath(1), file, 0o600))
	d = openSegmented(t, disk, 4096)
	var moved []driver.Ref // of which there is one
	err = d.Compact(t.Context(), 0.1, func(_ context.Context, from, _ driver.Ref) error {
		moved = append(moved, from)
		return nil
	})
	require.ErrorIs(t, err, container.ErrCorrupt)
	require.ErrorContains(t, err, "segment 1")
	assert.Equal(t, []driver.Ref{sound}, moved)
	require.NoError(t, d.Delete(t.Context(), sound))
	assert.Contains(t, segmentFiles(t, d), "000000000001.seg", "it has blobs that nobody has deleted")
	require.NoError(t, d.Delete(t.Context(), head))
	require.NoError(t, d.Delete(t.Context(), data))
	assert.NotContains(t, segmentFiles(t, d), "000000000001.seg")
}

func TestTinySegmentsAreMerged(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	kept := make(map[driver.Ref][]byte)
	for i := range maxTiny + 1 {
		k := newKeeper(t, Options{FS: disk})
		k.kept = kept
		k.add(randomBytes(int64(100 + i)))
		k.compact(0.5)
		k.check()
		require.NoError(t, k.d.Close(t.Context()))
	}
	k := newKeeper(t, Options{FS: disk})
	k.kept = kept
	require.Len(t, k.d.segments.all(), maxTiny+1)
	k.compact(0.5)
	k.check()
	require.Len(t, k.d.segments.all(), 1)
}

func TestCompactStopsWithItsContextAndRefusesStrangeShares(t *testing.T) {
	t.Parallel()
	k := newKeeper(t, Options{FS: crashfs.New(), segmentSize: 4096})
	for range 12 {
		k.remove(k.add(randomBytes(1000)))
		k.add(randomBytes(1000))
	}
	ctx, cancel := context.WithCancel(t.Context())
	moves := 0
	err := k.d.Compact(ctx, 0.2, func(_ context.Context, from, to driver.Ref) error {
		k.moves.Lock()
		defer k.moves.Unlock()
		moves++
		cancel()
		k.kept[to] = k.kept[from]
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, moves, 3, "those of the first segment")
	k.check()
	for _, share := range []float64{-0.1, 1.1} {
		require.ErrorIs(t, k.d.Compact(t.Context(), share, nil), container.ErrInvalid)
	}
}

func TestBlobsAreReadAndDeletedWhileTheyAreMoved(t *testing.T) {
	t.Parallel()
	d, err := Open(t.Context(), "/blobs", Options{FS: crashfs.New(), segmentSize: 20_000})
	require.NoError(t, err)
	want := randomBytes(1000)
	var group errgroup.Group
	for worker := range 4 {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(worker), 0))
			var mine []driver.Ref
			for range 300 {
				ref, err := d.Put(t.Context(), "name", bytes.NewReader(want), driver.PutOptions{Size: 1000})
				if err != nil {
					return err
				}
				mine = append(mine, ref)
				ref = mine[rng.IntN(len(mine))]
				// Another worker may have moved it.
				if got, err := readRange(t.Context(), d, ref, 0, -1); !errors.Is(err, container.ErrNotFound) && !bytes.Equal(want, got) {
					return errors.Join(errors.New("wrong bytes"), err)
				}
				switch rng.IntN(20) {
				case 0:
					err = d.Compact(t.Context(), 0.3, func(ctx context.Context, from, _ driver.Ref) error { return d.Delete(ctx, from) })
				case 1:
					for b, failed := range d.List(t.Context(), "") {
						err = errors.Join(err, failed)
						if b.Size != 1000 {
							err = errors.Join(err, errors.New("wrong size"))
						}
					}
				default:
					err = d.Delete(t.Context(), ref)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.NoError(t, d.Close(t.Context()))
}

func TestLogsAreMergedAndForgetWhatIsGone(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	k := newKeeper(t, Options{FS: disk, Sync: SyncNone, segmentSize: 1 << 20})
	for range minUseless + 20_000 { // of segments that go
		k.remove(k.add(nil))
	}
	var refs []driver.Ref
	for range 100 {
		refs = append(refs, k.add([]byte("stays")))
	}
	for _, ref := range refs[:50] {
		k.remove(ref)
	}
	last := k.d.segmentNumbers.highest()
	require.Greater(t, logBytes(t, k.d), int64(minUseless*entrySize))
	k.compact(1)
	require.Less(t, logBytes(t, k.d), int64(minUseless*entrySize))
	k.check()
	require.NoError(t, k.d.Close(t.Context()))
	again := newKeeper(t, Options{FS: disk, Sync: SyncNone, segmentSize: 1 << 20})
	again.kept = k.kept
	again.check()
	again.add(nil)
	assert.Greater(t, again.d.segmentNumbers.highest(), last)
}

func logBytes(t *testing.T, d *Driver) (n int64) {
	t.Helper()
	entries, err := d.fs.ReadDir(d.root + "/" + deadName)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		n += info.Size()
	}
	return n
}

func TestASegmentThatCouldNotBeRemovedGoesWithTheNextCompact(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 4096)
	ref, _ := small(t, d, randomBytes(3000))
	kept, _ := small(t, d, randomBytes(3000)) // in the next segment
	reads := 0
	disk.mu.Lock()
	disk.fault = func(op string, _ int) error {
		if op == "readat" {
			if reads++; reads == 2 { // the first asks what is at ref
				return errFault
			}
		}
		return nil
	}
	disk.mu.Unlock()
	require.ErrorIs(t, d.Delete(t.Context(), ref), errFault)
	disk.failWith("", nil)
	require.NoError(t, d.Delete(t.Context(), ref), "it is deleted all the same")
	require.Len(t, segmentFiles(t, d), 2)
	require.NoError(t, d.Compact(t.Context(), 0.5, nil))
	require.Len(t, segmentFiles(t, d), 1)
	assert.Equal(t, []driver.Ref{kept}, listed(t, d, ""))
}

func TestASegmentThatWasMovedAndCouldNotBeRemovedGoesWithTheNextCompact(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 4096)
	gone, _ := small(t, d, randomBytes(2000))
	moved, _ := small(t, d, randomBytes(1000))
	_, _ = small(t, d, randomBytes(3000)) // in the next segment
	require.NoError(t, d.Delete(t.Context(), gone))
	require.NoError(t, d.Compact(t.Context(), 0.5, func(_ context.Context, from, _ driver.Ref) error {
		require.Equal(t, moved, from)
		return nil
	}))
	before := segmentFiles(t, d)
	reads := 0
	disk.mu.Lock()
	disk.fault = func(op string, _ int) error {
		if op == "readat" {
			if reads++; reads == 2 { // the first asks what is at ref
				return errFault
			}
		}
		return nil
	}
	disk.mu.Unlock()
	require.ErrorIs(t, d.Delete(t.Context(), moved), errFault)
	disk.failWith("", nil)
	require.Equal(t, before, segmentFiles(t, d))
	require.NoError(t, d.Compact(t.Context(), 1, nil))
	assert.Equal(t, before[1:], segmentFiles(t, d))
}

func TestASegmentThatSomebodyElseRemovesIsNoFailure(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 0)
	_, at := small(t, d, nil)
	require.NoError(t, disk.Remove(d.segmentPath(at.segment)))
	require.NoError(t, d.removeEmptied(at.segment))
}
