package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

// putMany puts artifacts of several sizes, overwrites and deletes some, and returns
// what is there.
func putMany(t *testing.T, eng *engine.Engine) map[string][]byte {
	t.Helper()
	_, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	bodies := make(map[string][]byte)
	for round := range 3 {
		for i, size := range []int{0, 1, 4096, 65_537, 140_000, 1_000_000} {
			key := fmt.Sprint("key", i+round)
			bodies[key] = bytes.Repeat([]byte{byte(i), byte(round)}, size/2)
			_, err := eng.Put(t.Context(), "c", key, bytes.NewReader(bodies[key]), engine.PutOptions{})
			require.NoError(t, err)
		}
		key := fmt.Sprint("key", round)
		require.NoError(t, eng.Delete(t.Context(), "c", key, engine.DeleteOptions{}))
		delete(bodies, key)
		_, err := eng.Reclaim(t.Context())
		require.NoError(t, err)
	}
	return bodies
}

func requireBodies(t *testing.T, eng *engine.Engine, bodies map[string][]byte) {
	t.Helper()
	for key, want := range bodies {
		r, err := eng.Get(t.Context(), "c", key, engine.GetOptions{})
		require.NoError(t, err, key)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, bytes.Equal(want, b), key)
	}
}

func keys(t *testing.T, eng *engine.Engine) (list []string) {
	t.Helper()
	for entry, err := range eng.List(t.Context(), "c", engine.ListOptions{}) {
		require.NoError(t, err)
		list = append(list, entry.Name())
	}
	return list
}

func TestADirectoryWithoutItsCatalogIsRebuilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	eng := open(t, dir)
	bodies := putMany(t, eng)
	_, err := embedded.Rebuild(t.Context(), dir, catalog.RebuildOptions{})
	require.ErrorIs(t, err, container.ErrInvalid, "the catalog is there")
	require.NoError(t, eng.Close(t.Context()))

	require.NoError(t, os.Rename(filepath.Join(dir, "catalog"), filepath.Join(dir, "old")))
	_, err = embedded.Open(t.Context(), dir)
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, "Rebuild")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "catalog"), 0o700)) // as an unmounted volume leaves it
	cut := errors.New("cut")
	_, err = embedded.Rebuild(t.Context(), dir, catalog.RebuildOptions{
		Found: func(context.Context, catalog.Finding) error { return cut },
	})
	require.ErrorIs(t, err, cut)
	_, err = embedded.Open(t.Context(), dir)
	require.ErrorIs(t, err, container.ErrInvalid, "half a catalog is none")

	report, err := embedded.Rebuild(t.Context(), dir, catalog.RebuildOptions{})
	require.NoError(t, err)
	require.Equal(t, map[catalog.FindingKind]int64{catalog.Restored: int64(len(bodies))}, report.Found)
	require.NoDirExists(t, filepath.Join(dir, "catalog.rebuild"))
	eng = open(t, dir)
	requireBodies(t, eng, bodies)
	require.Len(t, keys(t, eng), len(bodies))
	require.NoError(t, eng.ReleaseOrphans(t.Context()))
	freed, err := eng.Reclaim(t.Context())
	require.NoError(t, err)
	freed.Moved = 0 // segments are sealed by now
	require.Zero(t, freed)
}

func TestOnlyBlobsThatNobodyUsesAreRebuilt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := embedded.Rebuild(t.Context(), dir, catalog.RebuildOptions{})
	require.ErrorIs(t, err, container.ErrInvalid, "there are no blobs")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)

	open(t, dir)
	require.NoError(t, os.Rename(filepath.Join(dir, "catalog"), filepath.Join(dir, "old")))
	_, err = embedded.Rebuild(t.Context(), dir, catalog.RebuildOptions{})
	require.ErrorIs(t, err, container.ErrLocked)
	require.NoDirExists(t, filepath.Join(dir, "catalog.rebuild"))
}

// What a catalog is for is not in the blobs: what was deleted may be back, and
// is told.
func ExampleRebuild() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "vaultaire")
	defer os.RemoveAll(dir)
	eng, _ := embedded.Open(ctx, dir)
	_, _ = eng.CreateContainer(ctx, "letters", engine.CreateContainerOptions{})
	_, _ = eng.Put(ctx, "letters", "hello.txt", strings.NewReader("Hello"), engine.PutOptions{})
	_ = eng.Close(ctx)
	_ = os.RemoveAll(filepath.Join(dir, "catalog"))

	report, err := embedded.Rebuild(ctx, dir, catalog.RebuildOptions{
		Found: func(_ context.Context, f catalog.Finding) error {
			fmt.Println(f.Kind, f.Tenant, f.Container, f.Key)
			return nil
		},
	})
	fmt.Println(report.Found, err)
	// Output:
	// restored default letters hello.txt
	// map[restored:1] <nil>
}
