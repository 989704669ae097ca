package pebblestore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func newTestFence(t *testing.T) (*fence, *vfs.MemFS) {
	t.Helper()
	disk := vfs.NewMem()
	return newFence(disk, "/", &poison{log: slog.New(slog.DiscardHandler)}), disk
}

func writeFile(t *testing.T, fs vfs.FS, name string, category vfs.DiskWriteCategory, content string) {
	t.Helper()
	file, err := fs.Create(name, category)
	require.NoError(t, err)
	_, err = file.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, file.Sync())
	require.NoError(t, file.Close())
}

func readFile(t *testing.T, fs vfs.FS, name string) string {
	t.Helper()
	file, err := fs.Open(name)
	require.NoError(t, err)
	content, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return string(content)
}

func TestAfterAFailureTheDiskStaysAsItIsAndEveryWriteSucceeds(t *testing.T) {
	t.Parallel()
	f, disk := newTestFence(t)
	writeFile(t, f, "/old.log", "pebble-wal", "log")
	open, err := f.Create("/open.log", "pebble-wal")
	require.NoError(t, err)
	dir, err := f.OpenDir("/")
	require.NoError(t, err)
	before := disk.String()
	f.poison.set(errors.New("failure"))

	_, err = open.Write([]byte("more"))
	assert.NoError(t, err)
	_, err = open.WriteAt([]byte("more"), 0)
	assert.NoError(t, err)
	_, err = open.SyncTo(1)
	assert.NoError(t, err)
	for name, change := range map[string]func() error{
		"sync":           open.Sync,
		"sync data":      open.SyncData,
		"preallocate":    func() error { return open.Preallocate(0, 10) },
		"close":          open.Close,
		"sync directory": dir.Sync,
		"remove":         func() error { return f.Remove("/old.log") },
		"remove all":     func() error { return f.RemoveAll("/old.log") },
		"rename":         func() error { return f.Rename("/old.log", "/new.log") },
		"link":           func() error { return f.Link("/old.log", "/new.log") },
		"make directory": func() error { return f.MkdirAll("/dir", 0o700) },
	} {
		assert.NoError(t, change(), name)
	}
	writeFile(t, f, "/manifest", "pebble-manifest", "manifest")
	writeFile(t, f, "/1.sst", categoryFlush, "table")
	again, err := f.ReuseForWrite("/old.log", "/again.log", "pebble-wal")
	require.NoError(t, err)
	require.NoError(t, again.Close())

	assert.Equal(t, before, disk.String())
	assert.Equal(t, "table", readFile(t, f, "/1.sst"), "read back from memory")
	info, err := f.Stat("/1.sst")
	require.NoError(t, err)
	assert.EqualValues(t, 5, info.Size())
	assert.Equal(t, "log", readFile(t, f, "/old.log"))
}

func TestATableThatWasBeingWrittenGoesOnToTheDisk(t *testing.T) {
	t.Parallel()
	f, disk := newTestFence(t)
	table, err := f.Create("/1.sst", categoryFlush)
	require.NoError(t, err)
	f.poison.set(errors.New("failure"))
	_, err = table.Write([]byte("table"))
	require.NoError(t, err)
	require.NoError(t, table.Close())
	assert.Equal(t, "table", readFile(t, disk, "/1.sst"))
}

func TestAfterAFailureCompactionsWaitForClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := newTestFence(t)
		f.poison.set(errors.New("failure"))
		_, err := f.Create("/1.sst", categoryCompaction)
		require.ErrorIs(t, err, errStopped, "Open may wait for it")
		f.opened.Store(true)
		created := make(chan error, 1)
		go func() {
			_, err := f.Create("/1.sst", categoryCompaction)
			created <- err
		}()
		synctest.Wait()
		assert.Empty(t, created)
		close(f.closing)
		assert.ErrorIs(t, <-created, errStopped)
	})
}

// A slowDisk keeps syncs of log files waiting once it is told to.
type slowDisk struct {
	vfs.FS
	hold chan struct{} // nil lets syncs pass
}

func (d *slowDisk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := d.FS.Create(name, category)
	if err == nil && category == "pebble-wal" {
		file = &slowFile{File: file, disk: d}
	}
	return file, err
}

type slowFile struct {
	vfs.File
	disk *slowDisk
}

func (f *slowFile) SyncData() error {
	if f.disk.hold != nil {
		<-f.disk.hold
	}
	return f.File.SyncData()
}

func TestUpdateReturnsOnlyWhenItAndAllItCouldHaveReadIsDurable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{FS: vfs.NewMem()}
		s, err := Open(t.Context(), "/store", Options{FS: disk})
		require.NoError(t, err)
		setKeys(t, s, "a")
		disk.hold = make(chan struct{})
		returned := make(chan string, 4)
		start := func(name string, fn func(ctx context.Context, x catalog.Txn) error) {
			go func() {
				assert.NoError(t, s.Update(t.Context(), fn), name)
				returned <- name
			}()
			synctest.Wait()
		}
		start("write", func(_ context.Context, x catalog.Txn) error {
			x.Set([]byte("b"), nil)
			return nil
		})
		start("read", func(ctx context.Context, x catalog.Txn) error {
			_, ok, err := x.Get(ctx, []byte("b"))
			assert.True(t, ok, "a commit that is applied is seen")
			return err
		})
		start("read and write", func(ctx context.Context, x catalog.Txn) error {
			_, _, err := x.Get(ctx, []byte("b"))
			x.Set([]byte("c"), nil)
			return err
		})
		require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
			_, ok, err := r.Get(ctx, []byte("c"))
			assert.True(t, ok)
			return err
		}))
		assert.Empty(t, returned, "before the log was synced")
		close(disk.hold)
		synctest.Wait()
		assert.Len(t, returned, 3)
		require.NoError(t, s.Close(t.Context()))
	})
}

func TestAPanicOfPebbleIsAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	s, err := OpenMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.db.Close() })
	setKeys(t, s, "a")
	batch := s.db.NewBatch()
	require.NoError(t, batch.Set([]byte("b"), nil, nil))
	require.NoError(t, s.db.Apply(batch, pebble.Sync))

	c := &commit{batch: batch, settled: make(chan struct{})}
	s.apply(c) // Pebble panics: the batch is applied already
	err = s.settle(c)
	assert.ErrorIs(t, err, catalog.ErrUnknownOutcome)
	assert.ErrorIs(t, err, ErrFailed)
	assert.ErrorContains(t, err, "panicked")
	assert.ErrorIs(t, s.Close(t.Context()), ErrFailed, "Pebble may have kept its locks")
	assert.NoError(t, s.Close(t.Context()))
}
