package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// A hookedDriver calls its hooks, where they are set, instead of the driver.
type hookedDriver struct {
	keepDriver
	put  func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error)
	open func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error)
}

func (d *hookedDriver) Put(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
	if d.put != nil {
		return d.put(ctx, name, src, opts)
	}
	return d.inner.Put(ctx, name, src, opts)
}

func (d *hookedDriver) Open(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
	if d.open != nil {
		return d.open(ctx, ref, off, n)
	}
	return d.inner.Open(ctx, ref, off, n)
}

func newHookedRig(t *testing.T) (*rig, *hookedDriver) {
	t.Helper()
	d := &hookedDriver{keepDriver: keepDriver{memory.New()}}
	return newRigOver(t, mustMemoryOwned(t), d).withContainer(t), d
}

// What a driver says about its blobs is not about the caller's containers.
func TestTheSentinelsOfADriverAreNotTheCallers(t *testing.T) {
	t.Parallel()
	other := errors.New("another error of the driver's")
	for _, sentinel := range []error{
		container.ErrNotFound, container.ErrExists, container.ErrDenied, container.ErrPrecondition,
		container.ErrInvalid, container.ErrQuota, context.DeadlineExceeded,
	} {
		r, d := newHookedRig(t)
		d.put = func(context.Context, string, io.Reader, driver.PutOptions) (driver.Ref, error) {
			return "", fmt.Errorf("remote: %w: %w", sentinel, other)
		}
		_, err := r.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{})
		require.NotErrorIs(t, err, sentinel)
		require.ErrorIs(t, err, other)
		require.ErrorContains(t, err, sentinel.Error())
		require.ErrorContains(t, err, `driver "main"`)
		r.events.Only(t, event.PutArtifact, event.Failed)
	}
	for _, sentinel := range []error{container.ErrDenied, context.Canceled} {
		r, d := newHookedRig(t)
		r.put(t, "k", "x")
		d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) { return nil, sentinel }
		_, err := r.read(t.Context(), "k")
		require.NotErrorIs(t, err, sentinel)
	}
}

func TestADriverIsBlamedForItsOwnFailuresOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	_, err := r.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{Size: 2})
	var wrapped *container.Error
	require.ErrorAs(t, err, &wrapped)
	require.Empty(t, wrapped.Driver)
}

func TestWrongBytesOfADriverAreDamage(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("right ", 50_000)
	for name, yields := range map[string]string{
		"other bytes":   strings.Repeat("wrong ", 50_000),
		"too few bytes": body[:1000],
		"too many":      body + "and a trailer",
	} {
		for way, read := range map[string]func(r *engine.Reader) error{
			"Read":     func(r *engine.Reader) error { _, err := io.Copy(io.Discard, struct{ io.Reader }{r}); return err },
			"WriteTo":  func(r *engine.Reader) error { _, err := r.WriteTo(io.Discard); return err },
			"ReadFull": func(r *engine.Reader) error { _, err := io.ReadFull(r, make([]byte, len(body))); return err },
		} {
			r, d := newHookedRig(t)
			r.put(t, "k", body)
			d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(yields)), nil
			}
			r.events.Reset()
			reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
			require.NoError(t, err)
			err = read(reader)
			if name == "too many" && way == "ReadFull" {
				require.NoError(t, err) // it is right, and the rest is not asked for
				require.NoError(t, reader.Close())
				continue
			}
			require.ErrorIs(t, err, container.ErrCorrupt, "%s by %s", name, way)
			require.NoError(t, reader.Close())
			r.events.Only(t, event.GetArtifact, event.Failed)
		}
	}
}

func TestAnImpossibleCountOfADriverIsAnError(t *testing.T) {
	t.Parallel()
	for _, count := range []int{-1, 4} {
		r, d := newHookedRig(t)
		r.put(t, "k", "xyz")
		d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
			return io.NopCloser(readerFunc(func([]byte) (int, error) { return count, nil })), nil
		}
		reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
		require.NoError(t, err)
		n, err := reader.Read(make([]byte, 3))
		require.Zero(t, n)
		require.ErrorContains(t, err, "impossible count")
		require.NoError(t, reader.Close())
	}
}

type failingCloser struct{ io.Reader }

func (failingCloser) Close() error { return errFault }

func TestAReaderThatCannotBeClosedFailsItsEvent(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	r.put(t, "k", "x")
	d.open = func(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
		return failingCloser{strings.NewReader("x")}, nil
	}
	r.events.Reset()
	reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	_, err = io.ReadAll(reader)
	require.NoError(t, err)
	require.ErrorIs(t, reader.Close(), errFault)
	require.ErrorIs(t, r.events.Only(t, event.GetArtifact, event.Failed).Err, errFault)
}

// A driver may read its source on a goroutine of its own, where nobody but the
// engine could survive a panic of the caller's code.
func TestAPanicOnADriversGoroutineIsAnError(t *testing.T) {
	t.Parallel()
	r, d := newHookedRig(t)
	d.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
		pr, pw := io.Pipe()
		go func() {
			_, err := io.Copy(pw, src)
			pw.CloseWithError(err)
		}()
		return d.inner.Put(ctx, name, pr, driver.PutOptions{Size: -1})
	}
	_, err := r.Put(t.Context(), "c", "k", strings.NewReader("x"), engine.PutOptions{
		Tag: func(container.Digests) string { panic("tag") },
	})
	require.ErrorContains(t, err, "panic: tag")
	_, err = r.Put(t.Context(), "c", "k", panicking{}, engine.PutOptions{})
	require.ErrorContains(t, err, "panic: source")
}

// panickyStore panics in its Views if it is told to.
type panickyStore struct {
	catalog.Store
	panics atomic.Bool
}

func (s *panickyStore) View(ctx context.Context, fn func(context.Context, catalog.Reader) error) error {
	if s.panics.Load() {
		panic("store")
	}
	return s.Store.View(ctx, fn)
}

func TestAPanicOfAStoreIsAnError(t *testing.T) {
	t.Parallel()
	store := &panickyStore{Store: mustMemoryOwned(t)}
	r := newRigOver(t, store, memory.New()).withContainer(t)
	store.panics.Store(true)
	for _, name := range []string{"List", "ListContainers", "ListPage", "Stat", "Get", "Put"} {
		r.events.Reset()
		require.ErrorContains(t, oneCall[name](t.Context(), r.Engine), "panic: store", name)
		require.Equal(t, event.Failed, r.events.Events()[0].Outcome, name)
	}
}

func TestAnIteratorCanBeRangedOverAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	for i := range 1500 { // more than a page
		r.put(t, fmt.Sprintf("%04d", i), "")
	}
	r.events.Reset()
	list := r.List(t.Context(), "c", engine.ListOptions{})
	for range 2 {
		n := 0
		for _, err := range list {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 1500, n)
	}
	require.Len(t, r.events.Events(), 2)
}

func TestManySmallEntriesOfMetadataAreRefusedBeforeTheSourceIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	metadata := make(map[string]string)
	for i := range 3000 {
		metadata[fmt.Sprintf("%x", i)] = ""
	}
	src := readerFunc(func([]byte) (int, error) { t.Error("the source was read"); return 0, io.EOF })
	_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{Metadata: metadata})
	require.ErrorIs(t, err, container.ErrTooLarge)
}

func TestANameThatIsTooLongIsNotCarriedAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("x", 1<<20)
	_, err := r.Stat(t.Context(), long, long, engine.StatOptions{})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.Less(t, len(err.Error()), 4<<10)
	e := r.events.Only(t, event.StatArtifact, event.Invalid)
	require.Len(t, e.Container, container.MaxNameLength)
	require.Len(t, e.Artifact, container.MaxKeyLength)
}

func TestAContextThatHasEndedDoesNotSpoilClose(t *testing.T) {
	t.Parallel()
	store := keepOpen{mustMemory(t)}
	r := newRigOver(t, store, memory.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Close(ctx), "nothing is to be waited for")
	requireClean(t, store)
}

// requireClean checks that no run over the store may have left orphans.
func requireClean(t *testing.T, store catalog.Store) {
	t.Helper()
	cat, err := catalog.Open(t.Context(), store, time.Now)
	require.NoError(t, err)
	unclean, err := cat.Unclean(t.Context())
	require.NoError(t, err)
	require.Empty(t, unclean)
}

func TestAnUploadThatBreaksOffLeavesNothingToSweep(t *testing.T) {
	t.Parallel()
	store := keepOpen{mustMemory(t)}
	r := newRigOver(t, store, memory.New()).withContainer(t)
	src := io.MultiReader(bytes.NewReader(make([]byte, 100_000)), readerFunc(func([]byte) (int, error) { return 0, errFault }))
	_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{})
	require.ErrorIs(t, err, errFault)
	require.NoError(t, r.Close(t.Context()))
	requireClean(t, store)
}

// slowStore applies what is written at once and keeps it from being durable
// until it is let go, as a disk does.
type slowStore struct {
	catalog.Store
	slow atomic.Pointer[chan struct{}] // nil: everything is durable at once
}

func (s *slowStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	err := s.Store.Update(ctx, fn)
	if slow := s.slow.Load(); slow != nil {
		<-*slow
	}
	return err
}

// Whoever deleted the replaced bytes before the replacement is durable would
// lose both in a power cut.
func TestBytesAreFreedOnlyWhenWhatReplacedThemIsDurable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &slowStore{Store: mustMemoryOwned(t)}
		r := newRigOver(t, store, memory.New()).withContainer(t)
		r.put(t, "k", "before")
		synctest.Wait()
		slow := make(chan struct{})
		letGo := sync.OnceFunc(func() { close(slow) })
		defer letGo()
		store.slow.Store(&slow)
		go func() { _, _ = r.Put(t.Context(), "c", "k", strings.NewReader("after"), engine.PutOptions{}) }()
		synctest.Wait()
		require.Equal(t, "after", r.get(t, "k"), "the replacement is applied")
		go func() { _, _ = r.Reclaim(t.Context()) }()
		synctest.Wait()
		require.Equal(t, 2, r.blobs(t), "it is not durable, so the bytes before it stay")
		letGo()
		synctest.Wait()
		require.Equal(t, 1, r.blobs(t))
	})
}

// A damaged blob does not keep a sweep from the others.
func TestASweepPassesBlobsThatItCannotRead(t *testing.T) {
	t.Parallel()
	store, inner := keepOpen{mustMemory(t)}, memory.New()
	leaky := &faultyDriver{keepDriver: keepDriver{inner}, afterPut: func(driver.Ref) error { return errFault }}
	r := newRigOver(t, store, leaky).withContainer(t)
	for i := range 3 {
		_, err := r.Put(t.Context(), "c", fmt.Sprint(i), strings.NewReader("lost"), engine.PutOptions{})
		require.ErrorIs(t, err, errFault)
	}
	require.NoError(t, r.Close(t.Context()))
	first := firstBlob(t, inner)
	var damaged atomic.Bool
	damaged.Store(true)
	d := &hookedDriver{keepDriver: keepDriver{inner}}
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		if ref == first && damaged.Load() {
			return nil, errFault
		}
		return inner.Open(ctx, ref, off, n)
	}
	next := newRigOver(t, store, d)
	_, err := next.Reclaim(t.Context())
	require.ErrorIs(t, err, errFault)
	require.Equal(t, 1, countBlobs(t, inner))
	damaged.Store(false)
	next.reclaim(t)
	require.Zero(t, countBlobs(t, inner))
}

func firstBlob(t *testing.T, d driver.Driver) driver.Ref {
	t.Helper()
	next, stop := iter.Pull2(d.List(t.Context(), ""))
	defer stop()
	blob, err, ok := next()
	require.True(t, ok)
	require.NoError(t, err)
	return blob.Ref
}
