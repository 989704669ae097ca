package local

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// holding returns a driver that has blobs of all kinds, and deleted some.
func holding(t *testing.T, opts Options) *keeper {
	t.Helper()
	opts.SmallBlob, opts.segmentSize = 8000, 20_000
	k := newKeeper(t, opts)
	for i := range 60 {
		b := randomBytes(int64(i * 200))
		ref, err := k.d.Put(t.Context(), "name", bytes.NewReader(b), driver.PutOptions{Size: -1})
		require.NoError(t, err)
		k.kept[ref] = b
		if i%3 == 0 {
			k.remove(ref)
		}
	}
	return k
}

// opened returns the keeper of a copy.
func (k *keeper) opened(disk *crashfs.FS, dir string) *keeper {
	k.t.Helper()
	d, err := Open(k.t.Context(), dir, Options{FS: disk})
	require.NoError(k.t, err)
	return &keeper{t: k.t, d: d, kept: k.kept}
}

func TestASnapshotHoldsWhatThereWasAndStaysAsItIs(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncAlways, SyncAsync} {
		disk := crashfs.New()
		k := holding(t, Options{FS: disk, Sync: mode})
		require.NoError(t, k.d.Snapshot(t.Context(), "/copies/first"))
		kept := make(map[driver.Ref][]byte)
		for ref, b := range k.kept {
			kept[ref] = b
			require.NoError(t, k.d.Delete(t.Context(), ref))
		}
		k.add([]byte("later"))
		require.NoError(t, k.d.Close(t.Context()))

		disk = disk.Crash(nil, crashfs.KeepNone)
		k.kept = kept
		c := k.opened(disk, "/copies/first")
		c.check()
		assert.Equal(t, k.d.identity, c.d.identity)
		c.add([]byte("it is a driver like any other"))
		c.compact(0)
		c.check()
		require.NoError(t, c.d.Close(t.Context()))
	}
}

func TestASnapshotIsCopiedWhereNothingCanBeLinked(t *testing.T) {
	t.Parallel()
	disk := &faultFS{root: t.TempDir()}
	d := openSegmented(t, disk, 20_000)
	ref, _ := small(t, d, randomBytes(100))
	large, err := d.Put(t.Context(), "name", bytes.NewReader(randomBytes(1<<20)), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	disk.failWith("link", errors.ErrUnsupported)
	dir := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, d.Snapshot(t.Context(), dir))
	original, err := os.Stat(d.segmentPath(1))
	require.NoError(t, err)
	copied, err := os.Stat(filepath.Join(dir, "seg", "000000000001.seg"))
	require.NoError(t, err)
	assert.False(t, os.SameFile(original, copied))
	disk.failWith("", nil)
	c, err := Open(t.Context(), dir, Options{})
	require.NoError(t, err)
	assert.ElementsMatch(t, []driver.Ref{large, ref}, listed(t, c, ""))
	got, err := readRange(t.Context(), c, large, 0, -1)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(randomBytes(1<<20), got))
	require.NoError(t, c.Close(t.Context()))
}

func TestASnapshotNeedsAnEmptyFolder(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	k := holding(t, Options{FS: disk})
	require.NoError(t, k.d.Snapshot(t.Context(), "/copy"))
	require.ErrorIs(t, k.d.Snapshot(t.Context(), "/copy"), container.ErrInvalid)
	require.ErrorIs(t, k.d.Snapshot(t.Context(), "/blobs"), container.ErrInvalid)
	require.ErrorIs(t, k.d.Snapshot(t.Context(), ""), container.ErrInvalid)
}

// TestWhateverFailsASnapshotIsWholeOrNone fails each operation of a snapshot,
// and cuts the power before it.
func TestWhateverFailsASnapshotIsWholeOrNone(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for at := 1; ; at++ {
		disk := crashfs.New()
		k := holding(t, Options{FS: disk})
		n := disk.Operations()
		var cut *crashfs.FS
		disk.SetHook(func(op crashfs.Op) error {
			if op.N != n+at || !op.Kind.Changes() {
				return nil
			}
			cut = disk.Crash(rng, crashfs.KeepSome)
			return errFault
		})
		err := k.d.Snapshot(t.Context(), "/copy")
		disk.SetHook(nil)
		for _, disk := range []*crashfs.FS{disk.Crash(nil, crashfs.KeepAll), cut} {
			if disk == nil {
				continue
			}
			if _, missing := disk.Stat("/copy/FORMAT"); missing == nil {
				c := k.opened(disk, "/copy")
				c.check()
				require.NoError(t, c.d.Close(t.Context()))
			}
			c := k.opened(disk, "/blobs")
			c.check()
			require.NoError(t, c.d.Close(t.Context()))
		}
		if cut == nil {
			require.NoError(t, err)
			require.Greater(t, at, 30)
			return
		}
		require.ErrorIs(t, err, errFault)
	}
}

func TestPutsAndDeletesGoOnDuringASnapshot(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	k := holding(t, Options{FS: disk})
	var group errgroup.Group
	stop := make(chan struct{})
	for worker := range 3 {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(uint64(worker), 0))
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				ref, err := k.d.Put(t.Context(), "name", bytes.NewReader(make([]byte, rng.IntN(12_000))), driver.PutOptions{Size: -1})
				if err != nil {
					return err
				}
				if err := k.d.Delete(t.Context(), ref); err != nil {
					return err
				}
			}
		})
	}
	for _, dir := range []string{"/one", "/two", "/three"} {
		require.NoError(t, k.d.Snapshot(t.Context(), dir))
	}
	close(stop)
	require.NoError(t, group.Wait())
	for _, dir := range []string{"/one", "/two", "/three"} {
		c := k.opened(disk, dir)
		for ref, want := range k.kept {
			got, err := readRange(t.Context(), c.d, ref, 0, -1)
			require.NoError(t, err)
			require.True(t, bytes.Equal(want, got))
		}
		for b, err := range c.d.List(t.Context(), "") {
			require.NoError(t, err)
			_, err := readRange(t.Context(), c.d, b.Ref, 0, -1)
			require.NoError(t, err)
		}
		require.NoError(t, c.d.Close(t.Context()))
	}
}

func TestAFolderThatCannotBeSyncedForACopyHarmsTheCopyOnly(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	k := holding(t, Options{FS: disk})
	disk.SetHook(func(op crashfs.Op) error {
		if op.Kind == crashfs.SyncDir && op.Name == "/" {
			return errFault
		}
		return nil
	})
	require.ErrorIs(t, k.d.Snapshot(t.Context(), "/copies/first"), errFault)
	disk.SetHook(nil)
	k.add([]byte("accepted"))
	k.check()
}

func TestDeletionsNeedNoRoomAfterASnapshot(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	k := holding(t, Options{FS: disk})
	require.NoError(t, k.d.Snapshot(t.Context(), "/copy"))
	disk.SetLimit(disk.Stored())
	for ref := range k.kept {
		k.remove(ref)
	}
	k.check()
}
