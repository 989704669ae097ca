package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// newHookedFS calls hook ahead of each operation that writes to inner, except
// when it closes a file. An error of hook is the error of the operation.
func newHookedFS(inner vfs.FS, hook func(op errorfs.Op) error) vfs.FS {
	return reusingFS{errorfs.Wrap(inner, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		return hook(op)
	}))}
}

// A reusingFS hooks files that are written again, which errorfs does not.
type reusingFS struct{ vfs.FS }

func (fs reusingFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Rename(oldname, newname); err != nil {
		return nil, err
	}
	return fs.OpenReadWrite(newname, category)
}

// A faultyDisk fails the operations that fails picks, once it is broken.
type faultyDisk struct {
	vfs.FS
	broken atomic.Bool
	hit    atomic.Bool
}

var errDisk = fmt.Errorf("disk is gone: %w", syscall.ENOSPC)

func newFaultyDisk(inner vfs.FS, fails func(op errorfs.Op) bool) *faultyDisk {
	d := &faultyDisk{}
	d.FS = newHookedFS(inner, func(op errorfs.Op) error {
		if d.broken.Load() && fails(op) {
			d.hit.Store(true)
			return errDisk
		}
		return nil
	})
	return d
}

func isLog(op errorfs.Op) bool      { return strings.HasSuffix(op.Path, ".log") }
func isTable(op errorfs.Op) bool    { return strings.HasSuffix(op.Path, ".sst") }
func isManifest(op errorfs.Op) bool { return strings.Contains(op.Path, "MANIFEST") }
func isSync(op errorfs.Op) bool {
	return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo
}
func isCreate(op errorfs.Op) bool {
	return op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRename
}

func TestAFailedWriteStopsTheStoreAndNotTheProcess(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(op errorfs.Op) bool{
		"log write":        func(op errorfs.Op) bool { return isLog(op) && op.Kind == errorfs.OpFileWrite },
		"log sync":         func(op errorfs.Op) bool { return isLog(op) && isSync(op) },
		"log create":       func(op errorfs.Op) bool { return isLog(op) && isCreate(op) },
		"manifest write":   func(op errorfs.Op) bool { return isManifest(op) && op.Kind == errorfs.OpFileWrite },
		"manifest sync":    func(op errorfs.Op) bool { return isManifest(op) && isSync(op) },
		"table create":     func(op errorfs.Op) bool { return isTable(op) && isCreate(op) },
		"table write":      func(op errorfs.Op) bool { return isTable(op) && op.Kind == errorfs.OpFileWrite },
		"table sync":       func(op errorfs.Op) bool { return isTable(op) && isSync(op) },
		"directory sync":   func(op errorfs.Op) bool { return op.Path == "/store" && isSync(op) },
		"every write":      func(errorfs.Op) bool { return true },
		"all but the log":  func(op errorfs.Op) bool { return !isLog(op) },
		"all but removals": func(op errorfs.Op) bool { return op.Kind != errorfs.OpRemove },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := vfs.NewMem()
			faulty := newFaultyDisk(disk, fails)
			s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: faulty}.WithSmallTables())
			require.NoError(t, err)
			acknowledged := writeUntilFailed(t, s, faulty)

			assertStopped(t, s)
			require.NoError(t, s.Close(t.Context()))

			s, err = pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
			require.NoError(t, err, "open on a disk that is well again")
			assertHolds(t, s, acknowledged)
			require.NoError(t, s.Close(t.Context()))
		})
	}
}

// failureWriters write values that fill memory tables quickly.
const failureWriters = 4

// writeUntilFailed breaks the disk after a while of concurrent writing and
// returns, once every writer has met the failure, how many transactions of each
// were acknowledged.
func writeUntilFailed(t *testing.T, s *pebblestore.Store, disk *faultyDisk) [failureWriters]int {
	value := make([]byte, catalog.MaxStoreValue)
	var acknowledged [failureWriters]int
	var wg sync.WaitGroup
	for i := range failureWriters {
		wg.Go(func() {
			for n := 0; ; n++ {
				if i == 0 && n == 1 {
					disk.broken.Store(true)
				}
				err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
					x.Set(writerKey(i, n), value)
					for more := range 3 {
						x.Set(append(writerKey(i, n), byte(more)), value)
					}
					return nil
				})
				if err != nil {
					assertFailure(t, err)
					return
				}
				acknowledged[i]++
			}
		})
	}
	wg.Wait()
	assert.True(t, disk.hit.Load())
	return acknowledged
}

func writerKey(writer, n int) []byte { return fmt.Appendf(nil, "writer %d, key %05d", writer, n) }

// assertFailure checks that err says either that the outcome is unknown, or
// that the store had failed before.
func assertFailure(t *testing.T, err error) {
	assert.ErrorIs(t, err, pebblestore.ErrFailed)
	assert.ErrorIs(t, err, errDisk)
	assert.ErrorIs(t, err, container.ErrNoSpace)
}

func assertStopped(t *testing.T, s *pebblestore.Store) {
	called := false
	err := s.Update(t.Context(), func(context.Context, catalog.Txn) error { called = true; return nil })
	assertFailure(t, err)
	assert.NotErrorIs(t, err, catalog.ErrUnknownOutcome)
	assertFailure(t, s.View(t.Context(), func(context.Context, catalog.Reader) error { called = true; return nil }))
	assert.False(t, called)
}

func assertHolds(t *testing.T, s *pebblestore.Store, acknowledged [failureWriters]int) {
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		for writer, count := range acknowledged {
			for n := range count {
				_, ok, err := r.Get(ctx, writerKey(writer, n))
				if err != nil {
					return err
				}
				require.True(t, ok, "writer %d, key %d of %d", writer, n, count)
			}
		}
		return nil
	}))
}

func TestATransactionThatWasHandedOverEndsInUnknownOutcome(t *testing.T) {
	t.Parallel()
	disk := newFaultyDisk(vfs.NewMem(), func(op errorfs.Op) bool { return isLog(op) && isSync(op) })
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
	require.NoError(t, err)
	set := func(context.Context, catalog.Txn) error { return nil }
	require.NoError(t, s.Update(t.Context(), set))
	disk.broken.Store(true)
	err = s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), nil)
		return nil
	})
	assert.ErrorIs(t, err, catalog.ErrUnknownOutcome)
	assertFailure(t, err)
	assertStopped(t, s)
	assert.NoError(t, s.Close(t.Context()))
}

func TestAfterTheOutcomeIsOpenTheContextIsIgnored(t *testing.T) {
	t.Parallel()
	s, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, s.Update(ctx, func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), nil)
		cancel()
		return nil
	}))
	require.NoError(t, s.Close(t.Context()))
}

func TestOpenReportsAFailedWrite(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]func(op errorfs.Op) bool{
		"log create":     func(op errorfs.Op) bool { return isLog(op) && isCreate(op) },
		"manifest sync":  func(op errorfs.Op) bool { return isManifest(op) && isSync(op) },
		"directory sync": func(op errorfs.Op) bool { return op.Path == "/store" && isSync(op) },
		"marker":         func(op errorfs.Op) bool { return strings.Contains(op.Path, "FORMAT") },
		"every write":    func(errorfs.Op) bool { return true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := vfs.NewMem()
			faulty := newFaultyDisk(disk, fails)
			faulty.broken.Store(true)
			_, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: faulty}.WithSmallTables())
			require.ErrorIs(t, err, errDisk)

			s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
			require.NoError(t, err, "open on a disk that is well again")
			require.NoError(t, errors.Join(s.Close(t.Context())))
		})
	}
}
