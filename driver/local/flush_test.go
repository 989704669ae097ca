package local

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

func survives(t *testing.T, disk *crashfs.FS, ref driver.Ref) bool {
	t.Helper()
	d, err := Open(t.Context(), "/blobs", Options{FS: disk.Crash(nil, crashfs.KeepNone)})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close(t.Context())) }()
	_, err = readText(t.Context(), d, ref)
	if err != nil {
		require.ErrorIs(t, err, container.ErrNotFound)
	}
	return err == nil
}

func TestAsyncBlobsAreDurableAfterTheInterval(t *testing.T) {
	t.Parallel()
	for name, smallBlob := range map[string]int64{"small": 0, "large": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				disk := crashfs.New()
				d, err := Open(t.Context(), "/blobs", Options{FS: disk, SmallBlob: smallBlob, Sync: SyncAsync, Interval: time.Minute})
				require.NoError(t, err)
				assert.Equal(t, time.Minute, driver.FlushInterval(d))
				ref, err := putText(t.Context(), d, "text")
				require.NoError(t, err)
				assert.False(t, survives(t, disk, ref))
				time.Sleep(time.Minute)
				synctest.Wait()
				assert.True(t, survives(t, disk, ref))

				require.NoError(t, d.Delete(t.Context(), ref))
				assert.True(t, survives(t, disk, ref))
				require.NoError(t, driver.Flush(t.Context(), d))
				assert.False(t, survives(t, disk, ref))

				last, err := putText(t.Context(), d, "last")
				require.NoError(t, err)
				require.NoError(t, d.Close(t.Context()))
				assert.True(t, survives(t, disk, last), "Close flushes")
			})
		})
	}
}

func TestAFlushInTheBackgroundThatFailsEndsAllWrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := crashfs.New()
		d, err := Open(t.Context(), "/blobs", Options{FS: disk, Sync: SyncAsync})
		require.NoError(t, err)
		ref, err := putText(t.Context(), d, "text")
		require.NoError(t, err)
		disk.SetHook(func(op crashfs.Op) error {
			if op.Kind == crashfs.SyncData {
				return errFault
			}
			return nil
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		disk.SetHook(nil)
		_, err = putText(t.Context(), d, "refused")
		require.ErrorIs(t, err, errFault)
		require.ErrorIs(t, d.Flush(t.Context()), errFault)
		got, err := readText(t.Context(), d, ref)
		require.NoError(t, err)
		assert.Equal(t, "text", got)
		require.ErrorIs(t, d.Close(t.Context()), errFault)
	})
}

func TestOtherModesHaveNothingToFlush(t *testing.T) {
	t.Parallel()
	for _, mode := range []SyncMode{SyncAlways, SyncNone} {
		d, disk := openFault(t, mode)
		_, err := putText(t.Context(), d, "text")
		require.NoError(t, err)
		disk.takeLog()
		assert.Zero(t, driver.FlushInterval(d))
		require.NoError(t, driver.Flush(t.Context(), d))
		assert.Empty(t, disk.takeLog())
	}
}

// TestADeletionThatAKilledProcessLoggedIsDurableOnceItIsConfirmed deletes again,
// after a process was killed, what it had deleted and not flushed.
func TestADeletionThatAKilledProcessLoggedIsDurableOnceItIsConfirmed(t *testing.T) {
	t.Parallel()
	for name, ended := range map[string]bool{"a log that goes on": false, "a log that was ended": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := crashfs.New()
			d, err := Open(t.Context(), "/blobs", Options{FS: disk, Sync: SyncAsync, Interval: time.Hour})
			require.NoError(t, err)
			ref, err := putText(t.Context(), d, "text")
			require.NoError(t, err)
			_, err = putText(t.Context(), d, "keeps the segment")
			require.NoError(t, err)
			require.NoError(t, d.Flush(t.Context()))
			require.NoError(t, d.Delete(t.Context(), ref))
			if ended {
				f := d.deadLog.active
				require.NoError(t, f.file.Truncate(f.pos))
			}
			d.poison.fail(errFault) // nothing is written any more, as when it is killed
			require.ErrorIs(t, d.Close(t.Context()), errFault)

			d, err = Open(t.Context(), "/blobs", Options{FS: disk})
			require.NoError(t, err)
			require.NoError(t, d.Delete(t.Context(), ref))
			assert.False(t, survives(t, disk, ref))
			require.NoError(t, d.Close(t.Context()))
		})
	}
}

func TestAFlushSyncsFoldersInTheirRound(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	d, err := Open(t.Context(), "/blobs", Options{FS: disk, Sync: SyncAsync, Interval: time.Hour})
	require.NoError(t, err)
	_, err = putText(t.Context(), d, "text")
	require.NoError(t, err)
	synced := 0
	disk.SetHook(func(op crashfs.Op) error {
		if op.Kind == crashfs.SyncDir {
			synced++
			if d.folders.turn.TryLock() {
				d.folders.turn.Unlock()
				return errFault
			}
		}
		return nil
	})
	require.NoError(t, d.Flush(t.Context()))
	disk.SetHook(nil)
	assert.Positive(t, synced)
	require.NoError(t, d.Close(t.Context()))
}
