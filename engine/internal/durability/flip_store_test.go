package durability

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/tenant"
)

// flipOptions keep blobs above a few hundred bytes in files of their own, so that
// there are both kinds in a tiny store.
func flipOptions(disk *crashfs.FS, sync local.SyncMode) local.Options {
	opts := local.Options{FS: disk, Sync: sync, SmallBlob: 700}
	if sync == local.SyncAsync {
		opts.Interval = time.Hour // so that what is put last is not covered
	}
	return opts
}

// A flipStore is a tiny store on disks in memory, with something of everything in
// it, of which copies are damaged.
type flipStore struct {
	catalog *pebblevfs.MemFS
	blobs   *crashfs.FS
	sync    local.SyncMode
	want    map[flipKey]flipValue
	// lastWrites is how long the catalog's log was before the last two commits of a
	// store that was killed. Whether these are damaged or torn nobody can tell.
	lastWrites int64
}

// A flipKey names an artifact.
type flipKey struct {
	tenant    tenant.ID
	name, key string
}

func (k flipKey) context(ctx context.Context) context.Context {
	return caller{tenant: k.tenant}.context(ctx)
}

// A flipValue is what an artifact is, and the bodies that it had before.
type flipValue struct {
	now    []byte
	before [][]byte
}

// newFlipStore makes a store in several runs of an engine. The last one was
// closed, or killed when a content was condemned and could not be freed.
func newFlipStore(t *testing.T, sync local.SyncMode, killed bool, seen *coverage) *flipStore {
	t.Helper()
	s := &flipStore{catalog: pebblevfs.NewCrashableMem(), blobs: crashfs.New(), sync: sync, want: map[flipKey]flipValue{}}
	var next uint64
	sizes := []int{0, 1, 100, 300, 900, 1500}
	for run := range 3 {
		r := s.open(t, seen)
		_, err := r.eng.CreateContainer(t.Context(), "empty", engine.CreateContainerOptions{})
		require.NoError(t, err)
		for _, id := range []tenant.ID{tenant.Default, "acme"} {
			for _, name := range []string{"a", "b"} {
				at := flipKey{tenant: id, name: name}
				if run == 0 {
					_, err := r.eng.CreateContainer(at.context(t.Context()), name, engine.CreateContainerOptions{})
					require.NoError(t, err)
				}
				for i := range 3 {
					next++
					at.key = fmt.Sprintf("key %d", (i+run)%4)
					body := pattern(next, sizes[next%uint64(len(sizes))])
					s.put(t, r.eng, at, body)
				}
			}
		}
		gone := flipKey{tenant.Default, "a", fmt.Sprintf("key %d", run+1)}
		require.NoError(t, r.eng.Delete(t.Context(), gone.name, gone.key, engine.DeleteOptions{}))
		delete(s.want, gone)
		require.NoError(t, r.eng.DeleteContainer(t.Context(), "empty"))
		require.NoError(t, r.eng.ReleaseOrphans(t.Context()))
		_, err = r.eng.Reclaim(t.Context())
		require.NoError(t, err)
		require.NoError(t, seen.lookAt(t.Context(), r.driver))
		if killed && run == 2 {
			s.kill(t, r, seen)
			return s
		}
		require.NoError(t, seen.lookInto(t.Context(), r.store))
		require.NoError(t, r.eng.Close(t.Context()))
	}
	return s
}

func (s *flipStore) put(t *testing.T, eng *engine.Engine, at flipKey, body []byte) {
	t.Helper()
	_, err := eng.Put(at.context(t.Context()), at.name, at.key, strings.NewReader(string(body)),
		engine.PutOptions{Metadata: map[string]string{"color": "red"}})
	require.NoError(t, err)
	v := s.want[at]
	if v.now != nil {
		v.before = append(v.before, v.now)
	}
	v.now = body
	s.want[at] = v
}

// kill ends a run when a content was condemned and could not be freed.
func (s *flipStore) kill(t *testing.T, r *flipRun, seen *coverage) {
	t.Helper()
	r.driver.stuck.Store(true)
	s.lastWrites = s.logSize(t)
	s.put(t, r.eng, flipKey{"acme", "b", "key 0"}, pattern(999, 200))
	s.put(t, r.eng, flipKey{"acme", "b", "key 0"}, pattern(1000, 200))
	if s.sync != local.SyncAsync { // where nothing is freed before it is covered
		_, err := r.eng.Reclaim(t.Context())
		require.ErrorIs(t, err, errCut)
	}
	require.NoError(t, seen.lookInto(t.Context(), r.store))
	s.catalog = s.catalog.CrashClone(pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: newRand(0, 0)})
	s.blobs = s.blobs.Crash(nil, crashfs.KeepAll)
	_ = r.eng.Close(t.Context()) // on disks that nobody looks at any more
}

// logSize returns the size of the log that the catalog writes.
func (s *flipStore) logSize(t *testing.T) (size int64) {
	t.Helper()
	names, err := s.catalog.List(catalogPath)
	require.NoError(t, err)
	slices.Sort(names)
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			info, err := s.catalog.Stat(path.Join(catalogPath, name))
			require.NoError(t, err)
			size = info.Size()
		}
	}
	require.NotZero(t, size)
	return size
}

// A flipRun is an engine on a store.
type flipRun struct {
	eng    *engine.Engine
	store  *pebblestore.Store
	driver *flipDriver
}

func (s *flipStore) open(t *testing.T, seen *coverage) *flipRun {
	t.Helper()
	store, err := pebblestore.Open(t.Context(), catalogPath, pebblestore.Options{FS: s.catalog})
	require.NoError(t, err)
	blobs, err := local.Open(t.Context(), "/blobs", flipOptions(s.blobs, s.sync))
	require.NoError(t, err)
	d := new(flipDriver)
	d.current.Store(blobs)
	eng, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", d), engine.WithSink(seen))
	require.NoError(t, err)
	return &flipRun{eng, store, d}
}

// A flipDriver is a driver of which the inner one can be replaced, and which can
// be kept from deleting anything.
type flipDriver struct {
	current atomic.Pointer[local.Driver]
	stuck   atomic.Bool
}

func (d *flipDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	return d.current.Load().Put(ctx, name, src, opts)
}

func (d *flipDriver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	return d.current.Load().Open(ctx, ref, off, n)
}

func (d *flipDriver) Delete(ctx context.Context, ref driver.Ref) error {
	if d.stuck.Load() {
		return errCut
	}
	return d.current.Load().Delete(ctx, ref)
}

func (d *flipDriver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return d.current.Load().List(ctx, after)
}

func (d *flipDriver) Identity(ctx context.Context) (string, error) {
	return driver.Identity(ctx, d.current.Load())
}

func (d *flipDriver) FlushInterval() time.Duration { return driver.FlushInterval(d.current.Load()) }

func (d *flipDriver) Flush(ctx context.Context) error { return driver.Flush(ctx, d.current.Load()) }

func (d *flipDriver) Close(ctx context.Context) error { return d.current.Load().Close(ctx) }

// A flip is one flipped bit.
type flip struct {
	file string
	off  int64
	bit  int
}

func (f flip) String() string { return fmt.Sprintf("bit %d of byte %d of %s", f.bit, f.off, f.file) }

// flipsOf returns the flips of a file of size bytes: one bit of each byte, in
// turn, and with soak each bit. Of a file that is large one byte in stride is hit.
func flipsOf(file string, size, stride int64) (flips []flip) {
	bits := 1
	if soaking {
		bits, stride = 8, 1
	}
	if racing {
		stride *= 20
	}
	for off := int64(0); off < size; off += stride {
		for i := range bits {
			flips = append(flips, flip{file, off, (int(off/stride) + i) % 8})
		}
	}
	return flips
}

var errWrongBytes = errors.New("wrong bytes")
