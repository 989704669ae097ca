package local_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
)

// BenchmarkPut compares the driver with the safe way to keep a file each. b.N
// puts are shared among the writers.
func BenchmarkPut(b *testing.B) {
	for _, tc := range []struct{ size, writers int }{
		{4 << 10, 1}, {4 << 10, 16}, {4 << 10, 64}, {64 << 10, 1}, {64 << 10, 16}, {1 << 20, 1}, {1 << 20, 16},
	} {
		content := make([]byte, tc.size)
		name := fmt.Sprintf("%dKiB/%d", tc.size>>10, tc.writers)
		b.Run(name+"/driver", func(b *testing.B) {
			d := benchDriver(b, local.Options{})
			benchPuts(b, tc.writers, tc.size, func(int64) error {
				_, err := d.Put(b.Context(), "name", bytes.NewReader(content), driver.PutOptions{Size: int64(tc.size)})
				return err
			})
		})
		b.Run(name+"/classical", func(b *testing.B) {
			dir := b.TempDir()
			benchPuts(b, tc.writers, tc.size, func(n int64) error {
				return classicalPut(dir, fmt.Sprintf("%016x", n), bytes.NewReader(content))
			})
		})
	}
}

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
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
}

// classicalPut is what a careful program does that keeps a file each: write a
// temporary file, sync it, give it its name, sync the folder.
func classicalPut(dir, name string, src io.Reader) (err error) {
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

// BenchmarkGet compares a verified read, and one that is not, with a plain file.
func BenchmarkGet(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10, 1 << 20, 64 << 20} {
		content := make([]byte, size)
		for name, opts := range map[string]local.Options{"verified": {}, "unverified": {SkipVerify: true}} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, name), func(b *testing.B) {
				d := benchDriver(b, opts)
				ref, err := d.Put(b.Context(), "name", bytes.NewReader(content), driver.PutOptions{Size: int64(size)})
				if err != nil {
					b.Fatal(err)
				}
				benchGets(b, size, func() (io.ReadCloser, error) { return d.Open(b.Context(), ref, 0, -1) })
			})
		}
		b.Run(fmt.Sprintf("%dKiB/classical", size>>10), func(b *testing.B) {
			dir := b.TempDir()
			if err := classicalPut(dir, "name", bytes.NewReader(content)); err != nil {
				b.Fatal(err)
			}
			benchGets(b, size, func() (io.ReadCloser, error) { return os.Open(filepath.Join(dir, "name")) })
		})
	}
}

func benchGets(b *testing.B, size int, open func() (io.ReadCloser, error)) {
	b.SetBytes(int64(size))
	b.ResetTimer()
	for range b.N {
		r, err := open()
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil || n != int64(size) {
			b.Fatal(n, err)
		}
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDelete deletes small blobs, with 16 callers.
func BenchmarkDelete(b *testing.B) {
	d := benchDriver(b, local.Options{})
	refs := make([]driver.Ref, b.N)
	content := make([]byte, 4<<10)
	benchPuts(b, 64, 0, func(n int64) (err error) {
		refs[n-1], err = d.Put(b.Context(), "name", bytes.NewReader(content), driver.PutOptions{Size: 4 << 10})
		return err
	})
	benchPuts(b, 16, 0, func(n int64) error { return d.Delete(b.Context(), refs[n-1]) })
}

func benchDriver(b *testing.B, opts local.Options) *local.Driver {
	b.Helper()
	d, err := local.Open(b.Context(), b.TempDir(), opts)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = d.Close(context.WithoutCancel(b.Context())) })
	return d
}
