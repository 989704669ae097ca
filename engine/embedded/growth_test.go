package embedded_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

// How many artifacts the large store of BenchmarkGrowth has.
var largeStore = flag.Int("large-store", 100_000, "artifacts in the large store of BenchmarkGrowth")

const smallStore = 10_000

// BenchmarkGrowth compares a store of 10,000 artifacts with a large one: a page
// of a listing, a get, an open after a clean end and after a kill, and the
// memory that the process has in use. For a million:
//
//	go test -run '^$' -bench Growth -timeout 1h ./engine/embedded -large-store 1000000
func BenchmarkGrowth(b *testing.B) {
	for _, artifacts := range []int{smallStore, *largeStore} {
		b.Run(strconv.Itoa(artifacts), func(b *testing.B) {
			dir := b.TempDir()
			fill(b, dir, artifacts)
			b.Run("open/clean", func(b *testing.B) { benchOpen(b, dir, func() {}) })
			b.Run("open/killed", func(b *testing.B) { benchOpen(b, dir, func() { putAndDie(b, dir) }) })
			b.Run("list1000", func(b *testing.B) { benchList(b, dir, artifacts) })
			b.Run("get", func(b *testing.B) { benchGetEach(b, dir, artifacts) })
		})
	}
}

func growthKey(n int) string { return fmt.Sprintf("folder-%04d/artifact-%08d", n/1000, n) }

// fill makes a store with so many small artifacts. It does not wait for the
// disk, and leaves nothing to do for the next open.
func fill(b *testing.B, dir string, artifacts int) {
	ctx := b.Context()
	store, err := pebblestore.Open(ctx, filepath.Join(dir, "catalog"), pebblestore.Options{})
	require.NoError(b, err)
	blobs, err := local.Open(ctx, filepath.Join(dir, "blobs"), local.Options{Sync: local.SyncNone})
	require.NoError(b, err)
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver(embedded.DriverName, blobs))
	require.NoError(b, err)
	_, err = eng.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.NoError(b, err)
	const writers = 256
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := w; n < artifacts; n += writers {
				if err := putOne(ctx, eng, growthKey(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	require.NoError(b, eng.Close(ctx))
}

func putOne(ctx context.Context, eng *engine.Engine, key string) error {
	_, err := eng.Put(ctx, "c", key, bytes.NewReader(make([]byte, 100)), engine.PutOptions{Size: 100})
	return err
}

// benchOpen times nothing but opening; before prepares the store each time.
func benchOpen(b *testing.B, dir string, before func()) {
	var total time.Duration
	for range b.N {
		before()
		start := time.Now()
		eng, err := embedded.Open(b.Context(), dir)
		total += time.Since(start)
		require.NoError(b, err)
		require.NoError(b, eng.Close(b.Context()))
	}
	b.ReportMetric(float64(total.Nanoseconds())/float64(b.N), "ns/op")
}

const dieVariable = "VAULTAIRE_BENCH_DIE_IN"

// putAndDie runs this program again, to use the store and be killed by itself.
func putAndDie(b *testing.B, dir string) {
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run=^TestDieWithAStoreInUse$", "-test.v")
	cmd.Env = append(os.Environ(), dieVariable+"="+dir)
	out, err := cmd.CombinedOutput()
	require.Error(b, err)
	require.Contains(b, string(out), "about to be killed", "%s", out)
}

// TestDieWithAStoreInUse is the other program of putAndDie.
func TestDieWithAStoreInUse(t *testing.T) {
	dir := os.Getenv(dieVariable)
	if dir == "" {
		return // not that other program
	}
	eng, err := embedded.Open(t.Context(), dir)
	require.NoError(t, err)
	var group sync.WaitGroup
	for w := range 64 {
		group.Go(func() {
			for n := range 100 {
				require.NoError(t, putOne(t.Context(), eng, fmt.Sprintf("killed/%d-%d", w, n)))
			}
		})
	}
	group.Wait()
	fmt.Println("about to be killed")
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, self.Kill())
	select {}
}

func benchList(b *testing.B, dir string, artifacts int) {
	eng := open(b, dir)
	after := growthKey(artifacts / 2)
	for b.Loop() {
		page, err := eng.ListPage(b.Context(), "c", engine.ListOptions{StartAfter: after})
		require.NoError(b, err)
		require.Len(b, page.Entries, 1000)
	}
}

// benchGetEach reads artifacts all over the store, and tells what memory is in
// use after that: of the heap, and of the whole process.
func benchGetEach(b *testing.B, dir string, artifacts int) {
	eng := open(b, dir)
	n := 0
	for b.Loop() {
		n = (n + 7919) % artifacts
		r, err := eng.Get(b.Context(), "c", growthKey(n), engine.GetOptions{})
		require.NoError(b, err)
		_, err = r.WriteTo(discard{})
		require.NoError(b, err)
		require.NoError(b, r.Close())
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
	if resident := residentMiB(); resident > 0 {
		b.ReportMetric(resident, "resident-MiB")
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// residentMiB returns the memory that the process has in use, where the
// operating system tells in the way of Linux, else 0.
func residentMiB() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}
