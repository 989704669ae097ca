package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A packingDriver is a Compactor that moves the blobs of sparse, several at once.
// It minds a Reclaim only, unless it is lazy, too.
type packingDriver struct {
	hookedDriver
	lazy bool

	mu     sync.Mutex
	copied func(ref driver.Ref) driver.Ref // what it says that a copy is
	sparse map[driver.Ref]bool
	moves  int
	stays  int       // blobs that are to stay
	shares []float64 // of calls
}

// whenCopied makes the driver say that f(copy) is the copy.
func (d *packingDriver) whenCopied(f func(ref driver.Ref) driver.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.copied = f
}

func newPackingDriver() *packingDriver {
	return &packingDriver{hookedDriver: hookedDriver{keepDriver: keepDriver{memory.New()}}, sparse: make(map[driver.Ref]bool)}
}

// isPacked reports whether no blob is sparse.
func (d *packingDriver) isPacked() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sparse) == 0
}

// scatter makes all blobs there are sparse.
func (d *packingDriver) scatter(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for blob, err := range d.inner.List(context.Background(), "") {
		require.NoError(t, err)
		d.sparse[blob.Ref] = true
	}
}

func (d *packingDriver) Compact(ctx context.Context, dead float64, moved func(ctx context.Context, from, to driver.Ref) error) error {
	d.mu.Lock()
	d.shares = append(d.shares, dead)
	var list []driver.Ref
	if d.lazy || dead < 0.5 {
		list = slices.Collect(maps.Keys(d.sparse))
	}
	d.mu.Unlock()
	errs := make([]error, len(list))
	var group errgroup.Group
	for i, from := range list {
		group.Go(func() error {
			errs[i] = d.move(ctx, from, moved)
			return nil
		})
	}
	_ = group.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	return nil
}

func (d *packingDriver) move(ctx context.Context, from driver.Ref, moved func(ctx context.Context, from, to driver.Ref) error) error {
	body, err := d.inner.Open(ctx, from, 0, -1)
	if errors.Is(err, container.ErrNotFound) {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.sparse, from)
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	to, err := d.inner.Put(ctx, "copy", body, driver.PutOptions{Size: -1})
	if err != nil {
		return err
	}
	d.mu.Lock()
	copied := d.copied
	d.mu.Unlock()
	if copied != nil {
		to = copied(to)
	}
	if err := moved(ctx, from, to); err != nil {
		if errors.Is(err, driver.ErrStay) {
			d.mu.Lock()
			d.stays++
			d.mu.Unlock()
		}
		return errors.Join(err, d.inner.Delete(ctx, to))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sparse, from)
	d.moves++
	return nil
}

func refs(t *testing.T, d driver.Driver) (list []driver.Ref) {
	t.Helper()
	for blob, err := range d.List(context.Background(), "") {
		require.NoError(t, err)
		list = append(list, blob.Ref)
	}
	return list
}

func TestBlobsThatMoveAreReadWhereTheyAre(t *testing.T) {
	t.Parallel()
	d := newPackingDriver()
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	bodies := map[string]string{"empty": "", "small": "x", "large": string(randomBytes(5, 500_000))}
	for key, body := range bodies {
		r.put(t, key, body)
	}
	before := refs(t, d)
	d.scatter(t)
	require.Equal(t, engine.ReclaimReport{Moved: 3}, r.reclaim(t))
	after := refs(t, d)
	require.Len(t, after, 3)
	require.NotSubset(t, before, after)
	for key, body := range bodies {
		sameBytes(t, []byte(body), []byte(r.get(t, key)))
	}
	require.Zero(t, r.reclaim(t))
	require.NoError(t, r.Delete(t.Context(), "c", "small", engine.DeleteOptions{}))
	r.reclaim(t)
	require.Equal(t, 2, countBlobs(t, d))
}

func TestAPlaceThatBytesHaveLeftIsKeptForWhoReadsThere(t *testing.T) {
	t.Parallel()
	d := newPackingDriver()
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	body := string(randomBytes(6, 200_000))
	r.put(t, "k", body)
	before := firstBlob(t, d)
	d.scatter(t)
	old, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, int64(1), r.reclaim(t).Moved)
	require.Zero(t, r.reclaim(t), "the sweep leaves it alone as well")
	require.Len(t, refs(t, d), 2)

	young, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
	require.NoError(t, err)
	got, err := io.ReadAll(old)
	require.NoError(t, err)
	sameBytes(t, []byte(body), got)
	require.NoError(t, old.Close())
	r.reclaim(t)
	require.Len(t, refs(t, d), 1, "nobody reads there, though somebody reads the content")
	require.NotContains(t, refs(t, d), before)

	require.NoError(t, r.Delete(t.Context(), "c", "k", engine.DeleteOptions{}))
	require.Equal(t, int64(1), r.reclaim(t).Pinned)
	got, err = io.ReadAll(young)
	require.NoError(t, err)
	sameBytes(t, []byte(body), got)
	require.NoError(t, young.Close())
	r.reclaim(t)
	require.Empty(t, refs(t, d))
}

func TestBlobsThatNoRowNamesStay(t *testing.T) {
	t.Parallel()
	d := newPackingDriver()
	other := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	other.put(t, "k", "another catalog's")
	_, err := d.inner.Put(t.Context(), "x", strings.NewReader("nobody's"), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	d.scatter(t)
	before := refs(t, d)
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	require.Equal(t, engine.ReclaimReport{Foreign: 2}, r.reclaim(t))
	require.Equal(t, before, refs(t, d))
	require.Equal(t, 2, d.stays)

	// A put whose blob is stored and whose row is not.
	r.put(t, "k", "old")
	d.put = func(ctx context.Context, name string, src io.Reader, opts driver.PutOptions) (driver.Ref, error) {
		ref, err := d.inner.Put(ctx, name, src, opts)
		d.scatter(t)
		assert.Equal(t, engine.ReclaimReport{Foreign: 2, Moved: 1}, r.reclaim(t))
		assert.Equal(t, 6, d.stays, "in each of two rounds; what is being put may be moved soon")
		assert.Contains(t, refs(t, d), ref)
		return ref, err
	}
	r.put(t, "k2", "new")
	d.put = nil
	require.Equal(t, "old", r.get(t, "k"))
	require.Equal(t, "new", r.get(t, "k2"))
	require.Len(t, refs(t, d), 4)
}

func TestACopyThatIsNotExactIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(b []byte) []byte{
		"a changed byte":     func(b []byte) []byte { b[10] ^= 1; return b },
		"a changed trailer":  func(b []byte) []byte { b[len(b)-15] ^= 1; return b },
		"a byte less":        func(b []byte) []byte { return b[1:] },
		"a byte more":        func(b []byte) []byte { return append([]byte{0}, b...) },
		"a ref without end":  nil,
		"nothing by the ref": nil,
	} {
		d := newPackingDriver()
		r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
		r.put(t, "k", strings.Repeat("body", 10_000))
		before := firstBlob(t, d)
		d.scatter(t)
		d.whenCopied(func(ref driver.Ref) driver.Ref {
			_ = d.inner.Delete(t.Context(), ref)
			switch name {
			case "a ref without end":
				return driver.Ref(strings.Repeat("x", driver.MaxWrappedRefLength+1))
			case "nothing by the ref":
				return ref
			}
			body, err := d.inner.Open(t.Context(), before, 0, -1)
			assert.NoError(t, err)
			b, err := io.ReadAll(body)
			assert.NoError(t, err)
			ref, err = d.inner.Put(t.Context(), "copy", bytes.NewReader(damage(b)), driver.PutOptions{Size: -1})
			assert.NoError(t, err)
			return ref
		})
		report, err := r.Reclaim(t.Context())
		require.Error(t, err, name)
		require.Zero(t, report.Moved, name)
		require.Equal(t, []driver.Ref{before}, refs(t, d), name)
		require.Equal(t, strings.Repeat("body", 10_000), r.get(t, "k"), name)
	}
}

func TestNeitherCopyGoesWhileNobodyKnowsWhichIsNamed(t *testing.T) {
	t.Parallel()
	for _, committed := range []bool{false, true} {
		store, d := &faultyStore{keepOpen: keepOpen{mustMemory(t)}}, newPackingDriver()
		r := newRigOver(t, store, d).withContainer(t)
		r.put(t, "k", "body")
		d.scatter(t)
		d.whenCopied(func(ref driver.Ref) driver.Ref {
			store.fault.Store(&fault{err: catalog.ErrUnknownOutcome, committed: committed})
			return ref
		})
		report, _ := r.Reclaim(t.Context())
		require.Zero(t, report.Moved)
		store.fault.Store(nil)
		require.True(t, d.isPacked())
		d.whenCopied(nil)
		d.scatter(t)
		require.Zero(t, r.reclaim(t), "nor is it moved again")
		require.Len(t, refs(t, d), 2)
		require.Equal(t, "body", r.get(t, "k"))
		require.NoError(t, r.Close(t.Context()))

		next := newRigOver(t, store, d)
		next.reclaim(t) // or the background was faster
		require.Len(t, refs(t, d), 1)
		require.Equal(t, "body", next.get(t, "k"))
	}
}

func TestAReclaimPacksTighterThanTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newPackingDriver()
		r := newRigOver(t, mustMemoryOwned(t), d)
		synctest.Wait()
		require.Equal(t, []float64{0.5}, d.shares)
		r.reclaim(t)
		require.Equal(t, []float64{0.5, 0.04}, d.shares)
	})
}

func TestTheBackgroundIsPacedUntilSomebodyWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newPackingDriver()
		d.lazy = true
		r := newRigOver(t, mustMemoryOwned(t), d, engine.WithBackgroundRate(1000)).withContainer(t)
		r.put(t, "k", strings.Repeat("x", 50_000))
		synctest.Wait()
		d.scatter(t)
		r.put(t, "k2", "")
		r.put(t, "k2", "") // wakes the background up
		synctest.Wait()
		require.Len(t, refs(t, d), 3, "a copy waits for its turn")
		time.Sleep(99 * time.Second)
		synctest.Wait()
		require.False(t, d.isPacked())
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.True(t, d.isPacked())

		d.scatter(t)
		r.put(t, "k2", "")
		synctest.Wait()
		require.False(t, d.isPacked())
		start := time.Now()
		r.reclaim(t)
		require.True(t, d.isPacked())
		require.LessOrEqual(t, time.Since(start), 200*time.Millisecond)
	})
}

func TestABackgroundRateIsPositive(t *testing.T) {
	t.Parallel()
	for _, rate := range []int64{0, -1} {
		_, err := engine.New(t.Context(), engine.WithBackgroundRate(rate))
		require.ErrorIs(t, err, container.ErrInvalid)
		require.ErrorContains(t, err, "background rate")
	}
}

// Everything at once, and every read is exact.
func TestReadersAndWritersDoNotNoticeMoves(t *testing.T) {
	t.Parallel()
	d := newPackingDriver()
	d.lazy = true
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	const keys, rounds = 8, 60
	body := func(key, round int) string { return strings.Repeat(fmt.Sprintf("%d/%d ", key, round), 3000) }
	var written [keys]atomic.Int64
	for key := range keys {
		r.put(t, fmt.Sprint(key), body(key, 0))
	}
	var writers, others errgroup.Group
	var done atomic.Bool
	for key := range keys {
		writers.Go(func() error {
			for round := 1; round <= rounds; round++ {
				_, err := r.Put(t.Context(), "c", fmt.Sprint(key), strings.NewReader(body(key, round)), engine.PutOptions{})
				if err != nil {
					return err
				}
				written[key].Store(int64(round))
			}
			return nil
		})
		others.Go(func() error {
			for !done.Load() {
				least := int(written[key].Load())
				got, err := r.read(t.Context(), fmt.Sprint(key))
				if err != nil {
					return err
				}
				exact := false
				for round := least; round <= rounds && !exact; round++ {
					exact = got == body(key, round)
				}
				if !exact {
					return fmt.Errorf("key %d: %d strange bytes", key, len(got))
				}
			}
			return nil
		})
	}
	others.Go(func() error {
		for last := false; !last; {
			last = done.Load()
			d.scatter(t)
			if _, err := r.Reclaim(t.Context()); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, writers.Wait())
	done.Store(true)
	require.NoError(t, others.Wait())
	require.Positive(t, d.moves)
	r.reclaim(t)
	require.Len(t, refs(t, d), keys)
}
