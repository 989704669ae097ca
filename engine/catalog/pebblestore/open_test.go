package pebblestore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

func openDir(t *testing.T, dir string) (*pebblestore.Store, error) {
	t.Helper()
	return pebblestore.Open(t.Context(), dir, pebblestore.Options{})
}

func TestADirectoryThatIsNotOursIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string){
		"someone's files": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("dear"), 0o600))
		},
		"a Pebble store of someone else": func(t *testing.T, dir string) {
			db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
			require.NoError(t, err)
			require.NoError(t, db.Close())
		},
		"a store of another version": func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "FORMAT"), []byte("vaultaire catalog store 2\n"), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "LOCK"), nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			prepare(t, dir)
			before := names(t, dir)
			_, err := openDir(t, dir)
			assert.ErrorIs(t, err, container.ErrInvalid)
			assert.ErrorContains(t, err, dir)
			assert.Equal(t, before, names(t, dir))
		})
	}
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(string, ...any) {}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestAFileIsNoDirectory(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := openDir(t, file)
	assert.ErrorIs(t, err, container.ErrInvalid)
}

func TestInvalidOptionsAreRefused(t *testing.T) {
	t.Parallel()
	_, err := openDir(t, "")
	assert.ErrorIs(t, err, container.ErrInvalid)
	_, err = pebblestore.Open(t.Context(), t.TempDir(), pebblestore.Options{CacheSize: -1})
	assert.ErrorIs(t, err, container.ErrInvalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = pebblestore.Open(ctx, t.TempDir(), pebblestore.Options{})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAStoreIsOpenOnlyOnce(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir, link := filepath.Join(parent, "a", "store"), filepath.Join(parent, "link")
	require.NoError(t, os.Symlink(filepath.Join(parent, "a"), link))
	first, err := openDir(t, filepath.Join(parent, "a", "..", "a", "store"))
	require.NoError(t, err)
	for _, name := range []string{dir, filepath.Join(link, "store")} {
		_, err = openDir(t, name)
		assert.ErrorIs(t, err, container.ErrLocked)
		assert.ErrorContains(t, err, "open already")
	}
	require.NoError(t, first.Close(t.Context()))
	again, err := openDir(t, dir)
	require.NoError(t, err)
	require.NoError(t, again.Close(t.Context()))
}

func TestAStoreInMemoryIsOpenOnlyOnce(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	first, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: fs})
	require.NoError(t, err)
	_, err = pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: fs})
	assert.ErrorIs(t, err, container.ErrLocked)
	require.NoError(t, first.Close(t.Context()))
}

// A listFailing fails the listing of a directory that is told by its number.
type listFailing struct {
	vfs.FS
	fails, lists int
}

func (f *listFailing) List(dir string) ([]string, error) {
	if f.lists++; f.lists == f.fails {
		return nil, errDisk
	}
	return f.FS.List(dir)
}

// Pebble ends the process if it cannot list the files that it could remove.
func TestOpenSurvivesAFailedListing(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), []byte("b"))
		return nil
	}))
	// With a log to be replayed, from which a table is made.
	open := func(fails int) (*listFailing, error) {
		faulty := &listFailing{FS: disk.CrashClone(vfs.CrashCloneCfg{}), fails: fails}
		s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: faulty})
		if err != nil {
			return faulty, err
		}
		return faulty, s.Close(t.Context())
	}
	sound, err := open(0)
	require.NoError(t, err)
	for n := 1; n < sound.lists; n++ {
		_, err := open(n)
		require.ErrorIs(t, err, errDisk, "listing %d of %d", n, sound.lists)
	}
	_, err = open(sound.lists)
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
}
