package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
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

func TestABadOptionLeavesTheDirectoryFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := embedded.Open(t.Context(), dir, engine.WithSink(nil))
	require.ErrorIs(t, err, container.ErrInvalid)
	open(t, dir)
}

func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		body := bytes.Repeat([]byte{7}, size)
		for _, writers := range []int{1, 64} {
			b.Run(fmt.Sprintf("%dKiB/%dwriters", size>>10, writers), func(b *testing.B) {
				eng := open(b, b.TempDir())
				_, err := eng.CreateContainer(b.Context(), "c", engine.CreateContainerOptions{})
				require.NoError(b, err)
				b.SetBytes(int64(size))
				b.SetParallelism(max(writers/runtime.GOMAXPROCS(0), 1))
				var n atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						_, err := eng.Put(b.Context(), "c", fmt.Sprint("k", n.Add(1)), bytes.NewReader(body), engine.PutOptions{Size: int64(size)})
						if err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			eng := open(b, b.TempDir())
			_, err := eng.CreateContainer(b.Context(), "c", engine.CreateContainerOptions{})
			require.NoError(b, err)
			_, err = eng.Put(b.Context(), "c", "k", bytes.NewReader(make([]byte, size)), engine.PutOptions{})
			require.NoError(b, err)
			b.SetBytes(int64(size))
			for b.Loop() {
				r, err := eng.Get(b.Context(), "c", "k", engine.GetOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				_ = r.Close()
			}
		})
	}
}
