package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

func TestBytesThatAreBeingReadAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	body := string(randomBytes(1, 500_000))
	r.put(t, "k", body)
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	r.put(t, "k", "new")
	require.NoError(t, r.Delete(t.Context(), "c", "k", engine.DeleteOptions{}))

	r.reclaim(t)
	require.Equal(t, 1, r.blobs(t), "the one that is being read")
	got, err := io.ReadAll(reader)
	require.NoError(t, err)
	sameBytes(t, []byte(body), got)
	require.NoError(t, reader.Close())
	r.reclaim(t)
	require.Zero(t, r.blobs(t))
}

// keepOpen is a Store that outlives its engine.
type keepOpen struct{ catalog.Store }

func (keepOpen) Close(context.Context) error { return nil }

// keepDriver is a Driver that outlives its engine.
type keepDriver struct{ inner driver.Driver }

func (d keepDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	return d.inner.Put(ctx, name, src, opts)
}
func (d keepDriver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	return d.inner.Open(ctx, ref, off, n)
}
func (d keepDriver) Delete(ctx context.Context, ref driver.Ref) error {
	return d.inner.Delete(ctx, ref)
}
func (d keepDriver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return d.inner.List(ctx, after)
}
func (d keepDriver) Close(context.Context) error { return nil }

func mustMemory(t *testing.T) catalog.Store {
	t.Helper()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	return store
}

// faultyDriver fails its Puts as its fields say. They are for the goroutine that
// puts.
type faultyDriver struct {
	keepDriver
	afterPut func(driver.Ref) error // called when a blob is stored
	lie      bool                   // report success without having read everything
}

func (d *faultyDriver) heal() { d.afterPut, d.lie = nil, false }

func (d *faultyDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if d.lie {
		ref, err := d.inner.Put(ctx, name, io.LimitReader(src, 3), driver.PutOptions{Size: -1})
		return ref, err
	}
	ref, err := d.inner.Put(ctx, name, src, opts)
	if err == nil && d.afterPut != nil {
		err = d.afterPut(ref)
	}
	return ref, err
}

// A fault is how a commit fails.
type fault struct {
	err       error
	committed bool // and is committed nevertheless
}

// faultyStore fails commits as its fault says.
type faultyStore struct {
	keepOpen
	fault atomic.Pointer[fault] // nil for none
}

func (s *faultyStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	f := s.fault.Load()
	if f != nil && !f.committed {
		return f.err
	}
	if err := s.keepOpen.Update(ctx, fn); err != nil || f == nil {
		return err
	}
	return f.err
}

var errFault = errors.New("injected fault")

// A Put is cut off wherever it can be: at each read of its source, by the
// driver, by the catalog. Whatever happens, a committed row has its blob, and
// every other blob goes.
func TestAPutThatIsCutOffAnywhereLeavesNothingAndLosesNothing(t *testing.T) {
	t.Parallel()
	body := string(randomBytes(3, 300_000))
	type cut struct {
		name  string
		rig   func(t *testing.T, store *faultyStore, d *faultyDriver)
		src   func(cancel context.CancelFunc) io.Reader
		isPut bool // the new version is there afterwards, whatever the Put said
	}
	whole := func(context.CancelFunc) io.Reader { return strings.NewReader(body) }
	cuts := []cut{
		{name: "nothing fails", src: whole, isPut: true},
		{name: "the driver fails and leaves the blob", src: whole, rig: func(_ *testing.T, _ *faultyStore, d *faultyDriver) {
			d.afterPut = func(driver.Ref) error { return errFault }
		}},
		{name: "the driver panics and leaves the blob", src: whole, rig: func(_ *testing.T, _ *faultyStore, d *faultyDriver) {
			d.afterPut = func(driver.Ref) error { panic("driver") }
		}},
		{name: "the driver does not read to the end", src: whole, rig: func(_ *testing.T, _ *faultyStore, d *faultyDriver) { d.lie = true }},
		{name: "the commit fails", src: whole, rig: func(_ *testing.T, s *faultyStore, _ *faultyDriver) {
			s.fault.Store(&fault{err: errFault})
		}},
		{name: "the commit's outcome is unknown and it failed", src: whole, rig: func(_ *testing.T, s *faultyStore, _ *faultyDriver) {
			s.fault.Store(&fault{err: catalog.ErrUnknownOutcome})
		}},
		{name: "the commit's outcome is unknown and it succeeded", isPut: true, src: whole, rig: func(_ *testing.T, s *faultyStore, _ *faultyDriver) {
			s.fault.Store(&fault{err: catalog.ErrUnknownOutcome, committed: true})
		}},
	}
	for n := range 40 {
		cuts = append(cuts, cut{
			name: fmt.Sprint("cancelled at read ", n),
			src: func(cancel context.CancelFunc) io.Reader {
				src, reads := strings.NewReader(body), 0
				return readerFunc(func(p []byte) (int, error) {
					if reads++; reads > n {
						cancel()
					}
					return src.Read(p[:min(len(p), 10_000)])
				})
			},
		})
	}
	var outcomes sync.Map
	t.Cleanup(func() {
		for _, succeeded := range []bool{true, false} {
			_, seen := outcomes.Load(succeeded)
			assert.True(t, seen, "no Put ended with success = %v, so the cuts miss something", succeeded)
		}
	})
	for _, f := range cuts {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			inner, store := memory.New(), &faultyStore{keepOpen: keepOpen{mustMemory(t)}}
			d := &faultyDriver{keepDriver: keepDriver{inner}}
			r := newRigOver(t, store, d).withContainer(t)
			r.put(t, "k", "before")
			if f.rig != nil {
				f.rig(t, store, d)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := r.Put(ctx, "c", "k", f.src(cancel), engine.PutOptions{})
			store.fault.Store(nil)
			d.heal()
			want := "before"
			if f.isPut || err == nil {
				want = body
			}
			if f.rig != nil {
				require.Error(t, err)
			}
			outcomes.Store(err == nil, true)
			sameBytes(t, []byte(want), []byte(r.get(t, "k")))
			unknown := errors.Is(err, catalog.ErrUnknownOutcome)
			r.reclaim(t)
			if !unknown {
				assert.Equal(t, 1, r.blobs(t))
			}
			sameBytes(t, []byte(want), []byte(r.get(t, "k")))

			// The next run knows what became of everything.
			require.NoError(t, r.Close(t.Context()))
			next := newRigOver(t, store, d)
			next.reclaim(t)
			assert.Equal(t, 1, next.blobs(t))
			sameBytes(t, []byte(want), []byte(next.get(t, "k")))
		})
	}
}

func TestOrphansOfAnEarlierRunAreSweptInTheBackground(t *testing.T) {
	t.Parallel()
	store, inner := keepOpen{mustMemory(t)}, memory.New()
	d := &faultyDriver{keepDriver: keepDriver{inner}, afterPut: func(driver.Ref) error { return errFault }}
	r := newRigOver(t, store, d)
	_, err := r.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	_, err = r.Put(t.Context(), "c", "k", strings.NewReader("lost"), engine.PutOptions{})
	require.ErrorIs(t, err, errFault)
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, 1, countBlobs(t, inner))

	d.afterPut = nil
	swept := make(chan struct{})
	next := newRigOver(t, store, &watchedDriver{faultyDriver: *d, deleted: swept})
	<-swept
	require.NoError(t, next.Close(t.Context()))
	require.Zero(t, countBlobs(t, inner))
}

// watchedDriver tells when it has deleted a blob.
type watchedDriver struct {
	faultyDriver
	deleted chan struct{}
}

func (d *watchedDriver) Delete(ctx context.Context, ref driver.Ref) error {
	err := d.faultyDriver.Delete(ctx, ref)
	close(d.deleted)
	return err
}

func TestBlobsOfOthersAreKept(t *testing.T) {
	t.Parallel()
	inner := memory.New()
	other := newRigOver(t, mustMemoryOwned(t), keepDriver{inner}).withContainer(t)
	other.put(t, "k", "another catalog's")
	_, err := inner.Put(t.Context(), "x", strings.NewReader("nobody's bytes, without a trailer"), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	_, err = inner.Put(t.Context(), "y", strings.NewReader(""), driver.PutOptions{Size: -1})
	require.NoError(t, err)

	r := newRigOver(t, mustMemoryOwned(t), keepDriver{inner})
	report := r.reclaim(t)
	require.Equal(t, int64(3), report.Foreign)
	require.Zero(t, report.Orphans)
	require.Equal(t, 3, countBlobs(t, inner))
	require.Equal(t, "another catalog's", other.get(t, "k"))
}

// mustMemoryOwned is a store that the engine over it closes.
func mustMemoryOwned(t *testing.T) catalog.Store {
	t.Helper()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	return store
}

func TestLostBytesAreDamageAndNotAnAbsentArtifact(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	r.put(t, "k", "body")
	for blob, err := range r.driver.List(t.Context(), "") {
		require.NoError(t, err)
		require.NoError(t, r.driver.Delete(t.Context(), blob.Ref))
	}
	_, err := r.read(t.Context(), "k")
	require.ErrorIs(t, err, container.ErrCorrupt)
	require.NotErrorIs(t, err, container.ErrNotFound)
}
