package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// newTimedRig is newVolatileRig with a barrier each minute, for a synctest.
func newTimedRig(t *testing.T, opts ...engine.Option) *volatileRig {
	t.Helper()
	r := &volatileRig{fs: vfs.NewCrashableMem(), disk: newVolatileDisk()}
	r.d = &volatileDriver{disk: r.disk, interval: time.Minute}
	r.rig = newRigOver(t, openOn(t, r.fs), r.d, opts...).withContainer(t)
	return r
}

func TestABarrierIsRaisedAtEachInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTimedRig(t)
		time.Sleep(10 * time.Second)
		r.play(t, "one")
		time.Sleep(40 * time.Second)
		synctest.Wait()
		require.Equal(t, "(none)", r.losing(t, lost, "one").reopen(t).state(t, "k"), "before the barrier")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		require.Equal(t, "one", r.losing(t, lost, "one").reopen(t).state(t, "k"), "after it")
	})
}

func TestAnEngineThatIsIdleFlushesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTimedRig(t)
		r.play(t, "one two")
		time.Sleep(5 * time.Minute) // what is reclaimed is flushed as well
		synctest.Wait()
		before := r.d.flushes.Load()
		require.Positive(t, before)
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, before, r.d.flushes.Load())
	})
}

func TestAFlushThatFailsIsTriedAgainAndLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newTimedRig(t, engine.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		var mu sync.Mutex
		fault := errFault
		r.d.flush = func() error {
			mu.Lock()
			defer mu.Unlock()
			return fault
		}
		r.play(t, "one two")
		time.Sleep(5*time.Minute + time.Second)
		synctest.Wait()
		require.Equal(t, 1, strings.Count(log.String(), errFault.Error()), log.String())
		require.EqualValues(t, 5, r.d.flushes.Load())
		mu.Lock()
		fault = nil
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Contains(t, log.String(), "durable again")
		require.Equal(t, "two", r.losing(t, lost, "two").reopen(t).state(t, "k"))
	})
}

func TestWhatWasReplacedIsFreedOnlyAfterABarrier(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"one two", "one -"} {
		synctest.Test(t, func(t *testing.T) {
			r := newTimedRig(t)
			r.play(t, script)
			before := r.blobs(t)
			time.Sleep(50 * time.Second)
			synctest.Wait()
			require.Equal(t, before, r.blobs(t))
			time.Sleep(20 * time.Second)
			synctest.Wait()
			require.Equal(t, before-1, r.blobs(t), "without a call that asks for it")
		})
	}
}

// A deletion that a power cut undoes makes an orphan, which the next run finds
// unless this one has said that there are none.
func TestOrphansAreSaidToBeGoneOnlyOnceThatIsDurable(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one |")
	next := r.losing(t, lost, "nothing")
	store := openOn(t, next.fs)
	cat, err := catalog.Open(t.Context(), store, time.Now) // a run that leaves an orphan
	require.NoError(t, err)
	_ = cat
	require.NoError(t, store.Close(t.Context()))
	run := next.reopen(t)
	run.d.flush = func() error { return errFault }
	_, err = run.Reclaim(t.Context())
	require.ErrorIs(t, err, errFault)
	unclean, err := engine.CatalogOf(run.Engine).Unclean(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, unclean)
	run.d.flush = nil
	run.reclaim(t)
	unclean, err = engine.CatalogOf(run.Engine).Unclean(t.Context())
	require.NoError(t, err)
	require.Empty(t, unclean)
}

func TestTheLastBarrierCoversWhatWasReclaimedAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newTimedRig(t)
		hold := make(chan struct{})
		var events atomic.Int64
		r.d.event = func() {
			// The faster put, the barrier over it, the slower put, its deletion.
			if events.Add(1) == 4 {
				<-hold
			}
		}
		src := readerFunc(func([]byte) (int, error) {
			r.put(t, "k", "faster")
			r.barrier(t)
			return 0, io.EOF
		})
		_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{
			Condition: container.Condition{IfNoneMatch: []string{container.AnyTag}},
		})
		require.ErrorIs(t, err, container.ErrPrecondition)
		synctest.Wait()
		r.barrier(t)
		close(hold)
		require.NoError(t, r.Close(t.Context()))
		require.Len(t, r.disk.blobs, 1)
		for ref, b := range r.disk.blobs {
			require.True(t, b.durable && !b.deleted, "blob %s", ref)
		}
	})
}

func TestAReclaimRaisesABarrierFirst(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "one two")
	r.reclaim(t)
	require.Equal(t, 1, r.blobs(t))
}

// A countingStore counts the transactions that wait for the disk.
type countingStore struct {
	catalog.LazyStore
	updates atomic.Int64
}

func (s *countingStore) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	s.updates.Add(1)
	return s.LazyStore.Update(ctx, fn)
}

func TestNothingWaitsForTheDiskBetweenBarriers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &volatileRig{fs: vfs.NewCrashableMem(), disk: newVolatileDisk()}
		r.d = &volatileDriver{disk: r.disk, interval: time.Minute}
		store := &countingStore{LazyStore: openOn(t, r.fs).(catalog.LazyStore)}
		r.rig = newRigOver(t, store, r.d).withContainer(t)
		synctest.Wait() // the first pass of the reclaimer
		before := store.updates.Load()
		r.play(t, "one two - three")
		synctest.Wait()
		require.Equal(t, before, store.updates.Load(), "nor does the reclaimer wake up")
	})
}

// A gatedStore holds a lazy transaction back whose closure has run, once.
type gatedStore struct {
	catalog.LazyStore
	held func() // called in its closure, behind all that it does
}

func (s *gatedStore) UpdateLazily(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return s.LazyStore.UpdateLazily(ctx, func(ctx context.Context, t catalog.Txn) error {
		err := fn(ctx, t)
		if held := s.held; held != nil {
			s.held = nil
			held()
		}
		return err
	})
}

// A commit may read its epoch, stand still while a barrier ends the epoch, and be
// applied after it. Its bytes were there before the flush, so it counts as
// covered: what it replaced may go, and nothing is to be undone.
func TestACommitThatABarrierOvertakesIsCoveredByIt(t *testing.T) {
	t.Parallel()
	r := &volatileRig{fs: vfs.NewCrashableMem(), disk: newVolatileDisk()}
	r.d = &volatileDriver{disk: r.disk, interval: never}
	store := &gatedStore{LazyStore: openOn(t, r.fs).(catalog.LazyStore)}
	r.rig = newRigOver(t, store, r.d).withContainer(t)
	r.play(t, "one |")
	store.held = func() {
		require.NoError(t, engine.CatalogOf(r.Engine).Barrier(t.Context(), r.d.Flush))
	}
	r.play(t, "two")
	require.True(t, engine.CatalogOf(r.Engine).Unsettled(), "its rows are to become durable")
	require.Equal(t, 1, countRows(t, r.store, 'u'), "which nobody looks at")
	rotten := r.remains(t)
	for _, b := range rotten.disk.blobs {
		b.corrupt = bytes.HasPrefix(b.data, []byte("two"))
	}
	_, err := rotten.reopen(t).read(t.Context(), "k")
	require.ErrorIs(t, err, container.ErrCorrupt, "what is damaged later is not undone")
	require.Equal(t, "two", r.losing(t, lost, "two").reopen(t).state(t, "k"))
	r.requireConsistent(t, "k")
	next := r.losing(t, lost, "two").reopen(t)
	require.Equal(t, "two", next.state(t, "k"))
	next.requireConsistent(t, "k")
}

// The other way round: bytes that arrive while the flush runs are not covered.
func TestAPutDuringAFlushIsNotCovered(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	r.play(t, "zero one |")
	r.put(t, "a", "a")
	r.put(t, "b", "b")
	r.d.flush = func() error {
		r.d.flush = nil
		r.put(t, "k", "two")
		return nil
	}
	r.barrier(t)
	left := r.losing(t, lost, "two").reopen(t)
	require.Equal(t, "one", left.state(t, "k"))
	r.barrier(t)
	require.Equal(t, "two", r.losing(t, lost, "two").reopen(t).state(t, "k"))
}

// More undo rows than a transaction can remove.
func TestABarrierCoversManyCommits(t *testing.T) {
	t.Parallel()
	r := newVolatileRig(t)
	const puts = 2100
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range puts / 4 {
				_, err := r.Put(t.Context(), "c", fmt.Sprint("k", w, i%100), strings.NewReader("x"), engine.PutOptions{})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r.barrier(t)
	left, err := engine.CatalogOf(r.Engine).Undoable(t.Context(), nil, 10)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Zero(t, countRows(t, r.store, 'u'))
	r.reclaim(t)
	require.Equal(t, 400, r.blobs(t))
}

func countRows(t *testing.T, store catalog.Store, table byte) (n int) {
	t.Helper()
	require.NoError(t, store.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte{table}, []byte{table + 1})
		if err != nil {
			return err
		}
		for it.Next() {
			n++
		}
		return it.Close()
	}))
	return n
}

func TestAnEngineThatIsNotAsynchronousHasNoBarrier(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	r.put(t, "k", "one")
	r.put(t, "k", "two")
	require.Zero(t, countRows(t, r.store, 'u'))
	r.reclaim(t)
	require.Equal(t, 1, r.blobs(t))
	require.Zero(t, driver.FlushInterval(r.driver))
}
