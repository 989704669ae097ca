package embedded_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

func open(t testing.TB, dir string) *engine.Engine {
	t.Helper()
	eng, err := embedded.Open(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = eng.Close(context.Background()) })
	return eng
}

func TestWhatWasPutIsThereAfterAReopen(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	eng := open(t, dir)
	_, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	bodies := map[string]string{"empty": "", "small": "some bytes", "large": strings.Repeat("0123456789", 1_000_000)}
	for key, body := range bodies {
		_, err := eng.Put(t.Context(), "c", key, strings.NewReader(body), engine.PutOptions{Metadata: map[string]string{"for": key}})
		require.NoError(t, err)
	}
	require.NoError(t, eng.Close(t.Context()))

	eng = open(t, dir)
	for key, body := range bodies {
		r, err := eng.Get(t.Context(), "c", key, engine.GetOptions{})
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, body == string(b), key)
		require.Equal(t, map[string]string{"for": key}, r.Artifact().Metadata)
	}
	report, err := eng.Reclaim(t.Context())
	require.NoError(t, err)
	require.Zero(t, report)
}

func TestADirectoryIsOpenOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	eng := open(t, dir)
	_, err := embedded.Open(t.Context(), dir)
	require.ErrorIs(t, err, container.ErrLocked)
	require.NoError(t, eng.Close(t.Context()))
	open(t, dir)
}

func TestADirectoryThatIsNotOursIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"catalog", "blobs"} {
		dir := t.TempDir()
		file := filepath.Join(dir, part, "thesis.txt")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte("not ours"), 0o600))
		_, err := embedded.Open(t.Context(), dir)
		require.ErrorIs(t, err, container.ErrInvalid, part)
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, "not ours", string(b))
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, "nothing was added")
	}
}

func TestBlobsWithoutTheirCatalogAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, open(t, dir).Close(t.Context()))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "catalog")))
	_, err := embedded.Open(t.Context(), dir)
	require.ErrorIs(t, err, container.ErrInvalid)
	require.NoDirExists(t, filepath.Join(dir, "catalog"))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "catalog"), 0o700)) // as an unmounted volume leaves it
	_, err = embedded.Open(t.Context(), dir)
	require.ErrorIs(t, err, container.ErrInvalid)
}

func TestOtherFilesInTheDirectoryAreLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "events.jsonl")
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	open(t, dir)
	require.FileExists(t, file)
}

func TestBlobsOfAnotherCatalogAreRefused(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	require.NoError(t, open(t, a).Close(t.Context()))
	require.NoError(t, open(t, b).Close(t.Context()))
	require.NoError(t, os.RemoveAll(filepath.Join(a, "blobs")))
	require.NoError(t, os.Rename(filepath.Join(b, "blobs"), filepath.Join(a, "blobs")))
	_, err := embedded.Open(t.Context(), a)
	require.ErrorIs(t, err, container.ErrInvalid)
}

func TestTheDiskHasAReserve(t *testing.T) {
	t.Parallel()
	eng, err := embedded.Open(t.Context(), t.TempDir(), engine.WithReserve(0, func(context.Context) (int64, error) { return -1, nil }))
	require.NoError(t, err)
	t.Cleanup(func() { _ = eng.Close(context.Background()) })
	_, err = eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	_, err = eng.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{})
	require.ErrorIs(t, err, container.ErrNoSpace)
}

func TestTheDriverSyncsAsItIsTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := embedded.OpenWith(t.Context(), dir, embedded.Options{Blobs: local.Options{Sync: -1}})
	require.ErrorIs(t, err, container.ErrInvalid)
	for _, mode := range []local.SyncMode{local.SyncAsync, local.SyncAlways, local.SyncAsync} {
		eng, err := embedded.OpenWith(t.Context(), dir, embedded.Options{Blobs: local.Options{Sync: mode}})
		require.NoError(t, err)
		_, err = eng.CreateContainer(t.Context(), mode.String(), engine.CreateContainerOptions{})
		if err != nil {
			require.ErrorIs(t, err, container.ErrExists)
		}
		for range 2 { // so that something is replaced
			_, err = eng.Put(t.Context(), mode.String(), "k", strings.NewReader(mode.String()), engine.PutOptions{})
			require.NoError(t, err)
		}
		require.NoError(t, eng.Close(t.Context()))
	}
	eng := open(t, dir)
	for _, mode := range []string{"async", "always"} {
		r, err := eng.Get(t.Context(), mode, "k", engine.GetOptions{})
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, mode, string(b))
	}
}

func TestABadOptionLeavesTheDirectoryFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := embedded.Open(t.Context(), dir, engine.WithSink(nil))
	require.ErrorIs(t, err, container.ErrInvalid)
	open(t, dir)
}
