package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

// BenchmarkPut compares a durable put, its row in the catalog included, with
// what a careful program does without an engine, and with one whose driver is
// asynchronous.
func BenchmarkPut(b *testing.B) {
	for _, tc := range []struct{ size, writers int }{{4 << 10, 1}, {4 << 10, 64}, {1 << 20, 1}, {1 << 20, 16}} {
		body := bytes.Repeat([]byte{7}, tc.size)
		name := fmt.Sprintf("%dKiB/%dwriters", tc.size>>10, tc.writers)
		for way, how := range map[string]embedded.Options{
			"engine": {}, "async": {Blobs: local.Options{Sync: local.SyncAsync}},
		} {
			b.Run(name+"/"+way, func(b *testing.B) {
				eng := openWithContainer(b, b.TempDir(), how)
				benchPuts(b, tc.writers, tc.size, func(n int64) error {
					_, err := eng.Put(b.Context(), "c", fmt.Sprint("k", n), bytes.NewReader(body), engine.PutOptions{Size: int64(tc.size)})
					return err
				})
			})
		}
		b.Run(name+"/classical", func(b *testing.B) {
			dir := b.TempDir()
			benchPuts(b, tc.writers, tc.size, func(n int64) error {
				return classicalPut(dir, fmt.Sprint("k", n), bytes.NewReader(body))
			})
		})
	}
}

// benchPuts shares b.N puts among the writers.
func benchPuts(b *testing.B, writers, size int, put func(n int64) error) {
	b.SetBytes(int64(size))
	var next atomic.Int64
	done := make(chan error, writers)
	b.ResetTimer()
	for range writers {
		go func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					done <- nil
					return
				}
				if err := put(n); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range writers {
		require.NoError(b, <-done)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// classicalPut keeps a file the safe way: write a temporary one, sync it, give
// it its name, sync the folder.
func classicalPut(dir, name string, src io.Reader) error {
	f, err := os.CreateTemp(dir, "tmp")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := io.Copy(f, src); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}

func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			eng := openWithContainer(b, b.TempDir(), embedded.Options{})
			_, err := eng.Put(b.Context(), "c", "k", bytes.NewReader(make([]byte, size)), engine.PutOptions{})
			require.NoError(b, err)
			b.SetBytes(int64(size))
			for b.Loop() {
				r, err := eng.Get(b.Context(), "c", "k", engine.GetOptions{})
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, r)
				require.NoError(b, err)
				require.NoError(b, r.Close())
			}
		})
	}
}

func openWithContainer(b *testing.B, dir string, how embedded.Options) *engine.Engine {
	b.Helper()
	eng, err := embedded.OpenWith(b.Context(), dir, how)
	require.NoError(b, err)
	b.Cleanup(func() { _ = eng.Close(context.Background()) })
	_, err = eng.CreateContainer(context.WithoutCancel(b.Context()), "c", engine.CreateContainerOptions{})
	require.NoError(b, err)
	return eng
}
