package durability

import (
	"context"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// A world is where the engines of a suite run, one after the other: a disk in
// memory for the catalog, and a driver.
type world struct {
	disk  *pebblevfs.MemFS
	blobs driver.Driver

	store  catalog.Store // of the engine that runs
	handle *handle
	eng    *engine.Engine
}

// newWorld makes a world around blobs, which every engine in it shares; nil for
// blobs in memory.
func newWorld(blobs driver.Driver) *world {
	if blobs == nil {
		blobs = memory.New()
	}
	return &world{disk: pebblevfs.NewCrashableMem(), blobs: blobs}
}

// open starts an engine where the last one left off.
func (w *world) open(t *testing.T, opts ...engine.Option) *engine.Engine {
	t.Helper()
	store, err := pebblestore.Open(t.Context(), "/catalog", pebblestore.Options{FS: w.disk})
	require.NoError(t, err)
	w.store, w.handle = store, &handle{inner: w.blobs}
	w.eng, err = engine.New(t.Context(), append(opts, engine.WithCatalog(store), engine.WithDriver("main", w.handle))...)
	require.NoError(t, err)
	return w.eng
}

// drop ends the engine as the end of its process does, with a power cut for the
// catalog: what it has not synced may be lost. Blobs are what the driver had.
func (w *world) drop(t *testing.T, rng *rand.Rand) {
	t.Helper()
	w.disk = w.disk.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	// After the catalog: a blob that is deleted in between was condemned durably.
	w.handle.cut.Store(true)
	// Nothing that the engine still does reaches what the next one will see.
	_ = w.eng.Close(context.Background())
}

// countBlobs returns how many blobs the driver lists.
func (w *world) countBlobs(ctx context.Context) (n int, err error) {
	for _, err := range w.blobs.List(ctx, "") {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// countRows returns how many rows each table of the catalog has. A table is the
// first byte of its rows' keys.
func (w *world) countRows(ctx context.Context) (rows map[byte]int, err error) {
	err = w.store.View(ctx, func(ctx context.Context, r catalog.Reader) error {
		rows = map[byte]int{}
		it, err := r.Scan(ctx, []byte{0}, []byte{0xff})
		if err != nil {
			return err
		}
		for it.Next() {
			rows[it.Key()[0]]++
		}
		return it.Close()
	})
	return rows, err
}

var errCut = errors.New("the power is cut")

// A handle is a driver as one engine has it: closing it does not close the
// driver, and once it is cut nothing gets through.
type handle struct {
	inner driver.Driver
	cut   atomic.Bool
}

func (h *handle) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if h.cut.Load() {
		return "", errCut
	}
	return h.inner.Put(ctx, name, src, opts)
}

func (h *handle) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if h.cut.Load() {
		return nil, errCut
	}
	return h.inner.Open(ctx, ref, off, n)
}

func (h *handle) Delete(ctx context.Context, ref driver.Ref) error {
	if h.cut.Load() {
		return errCut
	}
	return h.inner.Delete(ctx, ref)
}

func (h *handle) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	if h.cut.Load() {
		return func(yield func(driver.Blob, error) bool) { yield(driver.Blob{}, errCut) }
	}
	return h.inner.List(ctx, after)
}

func (h *handle) Close(context.Context) error { return nil }
