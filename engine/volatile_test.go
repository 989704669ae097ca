package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// A volatileBlob is a blob of a volatileDisk.
type volatileBlob struct {
	data    []byte
	durable bool // its Put was flushed
	deleted bool // and its Delete was not
	corrupt bool // reading it fails
}

// A volatileDisk is what is under a volatileDriver. It loses power, and it
// outlives the process.
type volatileDisk struct {
	// power is held, to read, by whoever changes the disk, so that a power cut
	// falls between changes.
	power sync.RWMutex
	mu    sync.Mutex
	blobs map[driver.Ref]*volatileBlob
	order []driver.Ref // ascending
	next  int
}

func newVolatileDisk() *volatileDisk {
	return &volatileDisk{blobs: make(map[driver.Ref]*volatileBlob)}
}

func (d *volatileDisk) change(fn func()) {
	d.power.RLock()
	defer d.power.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	fn()
}

// A fate is what a power cut does to a blob that was put and not flushed.
type fate int

const (
	kept fate = iota
	lost
	unreadable
	truncated
	flipped        // a bit of the data, and nobody notices but who compares digests
	trailerFlipped // a bit of the trailer
	fates
)

// afterPowerCut returns what the disk holds after a power cut: a blob that was
// not flushed has the fate that decide says; one whose Delete was not flushed is
// back if returns says so.
func (d *volatileDisk) afterPowerCut(decide func(*volatileBlob) fate, returns func() bool) *volatileDisk {
	after := newVolatileDisk()
	after.next = d.next
	for _, ref := range d.order {
		b := d.blobs[ref]
		if b.deleted && !returns() {
			continue
		}
		n := &volatileBlob{data: slices.Clone(b.data), durable: true, corrupt: b.corrupt}
		if !b.durable {
			switch decide(b) {
			case lost:
				continue
			case unreadable:
				n.corrupt = true
			case truncated:
				n.data = n.data[:len(n.data)/2]
			case flipped:
				n.data[0] ^= 1
			case trailerFlipped:
				n.data[len(n.data)-1] ^= 1
			}
		}
		after.blobs[ref] = n
		after.order = append(after.order, ref)
	}
	return after
}

// A volatileDriver is asynchronous. Its hooks may be nil.
type volatileDriver struct {
	disk     *volatileDisk
	interval time.Duration
	event    func()       // called ahead of each change of the disk
	flush    func() error // called in the midst of a Flush
	open     func(driver.Ref) error
	flushes  atomic.Int64
}

func (d *volatileDriver) happens() {
	if d.event != nil {
		d.event()
	}
}

func (d *volatileDriver) Put(_ context.Context, _ string, src io.Reader, _ driver.PutOptions) (driver.Ref, error) {
	data, err := io.ReadAll(src)
	if err != nil {
		return "", err
	}
	d.happens()
	var ref driver.Ref
	d.disk.change(func() {
		ref = driver.Ref(fmt.Sprintf("%012d-%s", d.disk.next, rand.Text()))
		d.disk.next++
		d.disk.blobs[ref] = &volatileBlob{data: data}
		d.disk.order = append(d.disk.order, ref)
	})
	return ref, nil
}

func (d *volatileDriver) Open(_ context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if d.open != nil {
		if err := d.open(ref); err != nil {
			return nil, err
		}
	}
	d.disk.mu.Lock()
	defer d.disk.mu.Unlock()
	b := d.disk.blobs[ref]
	switch {
	case b == nil || b.deleted:
		return nil, container.ErrNotFound
	case b.corrupt:
		return nil, container.ErrCorrupt
	case off > int64(len(b.data)) || n > int64(len(b.data))-off:
		return nil, container.ErrRange
	case n < 0:
		n = int64(len(b.data)) - off
	}
	return io.NopCloser(bytes.NewReader(b.data[off : off+n])), nil
}

func (d *volatileDriver) Delete(_ context.Context, ref driver.Ref) error {
	d.happens()
	d.disk.change(func() {
		if b := d.disk.blobs[ref]; b != nil {
			b.deleted = true
		}
	})
	return nil
}

func (d *volatileDriver) List(_ context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		var list []driver.Blob
		d.disk.change(func() {
			for _, ref := range d.disk.order {
				if b := d.disk.blobs[ref]; ref > after && b != nil && !b.deleted {
					list = append(list, driver.Blob{Ref: ref, Size: int64(len(b.data))})
				}
			}
		})
		for _, b := range list {
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (d *volatileDriver) FlushInterval() time.Duration { return d.interval }

func (d *volatileDriver) Flush(context.Context) error {
	d.flushes.Add(1)
	var refs []driver.Ref
	d.disk.change(func() { refs = slices.Clone(d.disk.order) })
	for i, ref := range refs {
		if i == len(refs)/2 && d.flush != nil {
			if err := d.flush(); err != nil {
				return err
			}
		}
		if d.disk.isSettled(ref) {
			continue
		}
		d.happens()
		d.disk.change(func() { d.disk.settle(ref) })
	}
	return nil
}

func (d *volatileDisk) isSettled(ref driver.Ref) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := d.blobs[ref]
	return b == nil || b.durable && !b.deleted
}

// settle makes what was done to a blob durable.
func (d *volatileDisk) settle(ref driver.Ref) {
	switch b := d.blobs[ref]; {
	case b == nil:
	case b.deleted:
		delete(d.blobs, ref)
		i, _ := slices.BinarySearch(d.order, ref)
		d.order = slices.Delete(d.order, i, i+1)
	default:
		b.durable = true
	}
}

func (d *volatileDriver) Close(context.Context) error { return nil }

// A volatileRig is an engine over a catalog and a driver that lose power.
type volatileRig struct {
	*rig
	fs   *vfs.MemFS
	disk *volatileDisk
	d    *volatileDriver
}

// never is an interval at which no barrier is raised by itself.
const never = 1000 * time.Hour

func newVolatileRig(t *testing.T, opts ...engine.Option) *volatileRig {
	t.Helper()
	r := &volatileRig{fs: vfs.NewCrashableMem(), disk: newVolatileDisk()}
	r.d = &volatileDriver{disk: r.disk, interval: never}
	r.rig = newRigOver(t, openOn(t, r.fs), r.d, opts...).withContainer(t)
	return r
}

func openOn(t *testing.T, fs vfs.FS) catalog.Store {
	t.Helper()
	store, err := pebblestore.Open(t.Context(), "/catalog", pebblestore.Options{FS: fs})
	require.NoError(t, err)
	return store
}

// reopen opens an engine over what remains of r, like the engine of r.
func (r *volatileRig) reopen(t *testing.T, opts ...engine.Option) *volatileRig {
	t.Helper()
	next := &volatileRig{fs: r.fs, disk: r.disk, d: &volatileDriver{disk: r.disk, interval: r.d.interval}}
	next.rig = newRigOver(t, openOn(t, r.fs), next.d, opts...)
	return next
}

// remains ends the process and returns what is left on the disks, all that was
// written, without an engine.
func (r *volatileRig) remains(t *testing.T) *volatileRig {
	t.Helper()
	r.disk.power.Lock()
	defer r.disk.power.Unlock()
	left := &volatileRig{fs: r.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: seeded(1)}), disk: newVolatileDisk(), d: r.d}
	for ref, b := range r.disk.blobs {
		n := *b
		left.disk.blobs[ref] = &n
	}
	left.disk.order, left.disk.next = slices.Clone(r.disk.order), r.disk.next
	return left
}

// kill ends the process, which takes nothing that was written.
func (r *volatileRig) kill(t *testing.T, opts ...engine.Option) *volatileRig {
	t.Helper()
	return r.remains(t).reopen(t, opts...)
}

// losing is what remains after a power cut that spares the catalog and takes, of
// the blobs that were not flushed, those that begin with one of bodies. Deletes
// that were not flushed are lost.
func (r *volatileRig) losing(t *testing.T, how fate, bodies ...string) *volatileRig {
	t.Helper()
	left := r.remains(t)
	left.disk = left.disk.afterPowerCut(func(b *volatileBlob) fate {
		for _, body := range bodies {
			if bytes.HasPrefix(b.data, []byte(body)) {
				return how
			}
		}
		return kept
	}, func() bool { return true })
	return left
}

func (r *volatileRig) barrier(t *testing.T) {
	t.Helper()
	require.NoError(t, engine.RaiseBarrier(t.Context(), r.Engine))
}

// state returns the body under key, "(none)" if there is no artifact.
func (r *rig) state(t *testing.T, key string) string {
	t.Helper()
	body, err := r.read(t.Context(), key)
	if errors.Is(err, container.ErrArtifactNotFound) {
		return "(none)"
	}
	require.NoError(t, err, "key %s", key)
	return body
}
