package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// setRow commits one row.
func setRow(t *testing.T, s catalog.Store, key, value string) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte(key), []byte(value))
		return nil
	}))
}

// rowsOf returns all rows.
func rowsOf(t *testing.T, s catalog.Store) map[string]string {
	t.Helper()
	rows := make(map[string]string)
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte{0}, []byte{0xff})
		if err != nil {
			return err
		}
		for it.Next() {
			rows[string(it.Key())] = string(it.Value())
		}
		return it.Close()
	}))
	return rows
}

// mark is what the tests prepare a copy with.
func mark(ctx context.Context, copied catalog.Store) error {
	return copied.Update(ctx, func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("mark"), []byte("copy"))
		return nil
	})
}

func TestACheckpointIsACopyThatGoesItsOwnWay(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	opts := pebblestore.Options{}.WithSmallTables()
	s, err := pebblestore.Open(t.Context(), filepath.Join(root, "store"), opts)
	require.NoError(t, err)
	defer s.Close(context.Background())
	padding := strings.Repeat("x", 10_000)
	for i := range 100 { // in tables, and some in the log
		setRow(t, s, fmt.Sprintf("key %03d", i), padding)
	}
	want := rowsOf(t, s)
	dir := filepath.Join(root, "deep", "copy")
	require.NoError(t, s.Checkpoint(t.Context(), dir, mark))
	require.Equal(t, want, rowsOf(t, s))

	copied, err := pebblestore.Open(t.Context(), dir, opts)
	require.NoError(t, err)
	defer copied.Close(context.Background())
	want["mark"] = "copy"
	require.Equal(t, want, rowsOf(t, copied))
	delete(want, "mark")

	// Both write over what they share, and neither notices.
	wantCopy := rowsOf(t, copied)
	for i := range 60 {
		key := fmt.Sprintf("key %03d", i*3%150)
		want[key], wantCopy[key] = padding+"a", padding+"b"
		setRow(t, s, key, want[key])
		setRow(t, copied, key, wantCopy[key])
	}
	for _, x := range []struct {
		store *pebblestore.Store
		dir   string
		want  map[string]string
	}{{s, filepath.Join(root, "store"), want}, {copied, dir, wantCopy}} {
		require.NoError(t, x.store.Close(t.Context()))
		again, err := pebblestore.Open(t.Context(), x.dir, opts)
		require.NoError(t, err)
		require.Equal(t, x.want, rowsOf(t, again))
		require.NoError(t, again.Close(t.Context()))
	}
}

func TestACheckpointIsRefusedWhereSomethingIs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	s, err := pebblestore.Open(t.Context(), filepath.Join(root, "store"), pebblestore.Options{})
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Join(root, "there"), 0o700))
	for _, dir := range []string{"", filepath.Join(root, "there"), filepath.Join(root, "store"), filepath.Join(root, "store", "in")} {
		require.Error(t, s.Checkpoint(t.Context(), dir, mark), dir)
	}
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 2)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Checkpoint(ctx, filepath.Join(root, "copy"), mark), context.Canceled)
	require.NoError(t, s.Close(t.Context()))
	require.ErrorIs(t, s.Checkpoint(t.Context(), filepath.Join(root, "copy"), mark), container.ErrClosed)
	require.NoDirExists(t, filepath.Join(root, "copy"))
}

// Whatever fails on the way to the copy, the store does not suffer from it.
func TestADiskThatFailsTheCopyDoesNotFailTheStore(t *testing.T) {
	t.Parallel()
	isCopy := func(path string) bool { return strings.HasPrefix(path, "/away") }
	for name, fails := range map[string]func(op errorfs.Op) bool{
		"every write":  func(errorfs.Op) bool { return true },
		"creates":      isCreate,
		"writes":       func(op errorfs.Op) bool { return op.Kind == errorfs.OpFileWrite },
		"syncs":        isSync,
		"tables":       isTable,
		"the manifest": isManifest,
		"the log":      isLog,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := newFaultyDisk(vfs.NewMem(), func(op errorfs.Op) bool { return isCopy(op.Path) && fails(op) })
			s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
			require.NoError(t, err)
			for i := range 60 {
				setRow(t, s, fmt.Sprint(i), strings.Repeat("x", 10_000))
			}
			require.NoError(t, disk.MkdirAll("/away", 0o700))
			disk.broken.Store(true)
			require.ErrorIs(t, s.Checkpoint(t.Context(), "/away/copy", mark), errDisk)
			require.True(t, disk.hit.Load())
			disk.broken.Store(false)
			require.NoError(t, disk.RemoveAll("/away/copy"))
			setRow(t, s, "later", "fine")
			require.Len(t, rowsOf(t, s), 61)
			require.NoError(t, s.Checkpoint(t.Context(), "/away/copy", mark))
			require.NoError(t, s.Close(t.Context()))
		})
	}
}

func TestTablesAreCopiedWhereTheyCannotBeLinked(t *testing.T) {
	t.Parallel()
	var links atomic.Int64
	disk := newHookedFS(vfs.NewMem(), func(op errorfs.Op) error {
		if op.Kind == errorfs.OpLink {
			links.Add(1)
			return errors.New("another device")
		}
		return nil
	})
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk}.WithSmallTables())
	require.NoError(t, err)
	for i := range 60 {
		setRow(t, s, fmt.Sprint(i), strings.Repeat("x", 10_000))
	}
	require.NoError(t, s.Checkpoint(t.Context(), "/copy", mark))
	require.Positive(t, links.Load())
	require.NoError(t, s.Close(t.Context()))
	copied, err := pebblestore.Open(t.Context(), "/copy", pebblestore.Options{FS: disk})
	require.NoError(t, err)
	require.Len(t, rowsOf(t, copied), 61)
	require.NoError(t, copied.Close(t.Context()))
}
