package engine_test

import (
	"context"
	"io"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
)

// copyBlob puts the bytes of a blob of from into to once more.
func copyBlob(t *testing.T, from, to driver.Driver, ref driver.Ref) driver.Ref {
	t.Helper()
	body, err := from.Open(t.Context(), ref, 0, -1)
	require.NoError(t, err)
	defer body.Close()
	copied, err := to.Put(t.Context(), "copy-of-"+string(ref), body, driver.PutOptions{Size: -1})
	require.NoError(t, err)
	return copied
}

func TestAStrayCopyOfABlobIsSwept(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 10, 4000, 4096, 5000, 300_000} {
		r := newRig(t).withContainer(t)
		body := string(randomBytes(7, size))
		r.put(t, "k", body)
		copyBlob(t, r.driver, r.driver, firstBlob(t, r.driver))
		report := r.reclaim(t)
		require.Equal(t, engine.ReclaimReport{Orphans: 1}, report)
		require.Equal(t, 1, r.blobs(t))
		sameBytes(t, []byte(body), []byte(r.get(t, "k")))
	}
}

func TestAStrayCopyIsKeptUnlessTheNamedOneIsThere(t *testing.T) {
	t.Parallel()
	d := &hookedDriver{keepDriver: keepDriver{memory.New()}}
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	r.put(t, "k", "body")
	first := firstBlob(t, d)
	copyBlob(t, d, d, first)
	for _, failure := range []error{container.ErrNotFound, container.ErrCorrupt, errFault} {
		d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
			if ref == first {
				return nil, failure
			}
			return d.inner.Open(ctx, ref, off, n)
		}
		report, err := r.Reclaim(t.Context())
		if failure == errFault {
			require.ErrorIs(t, err, errFault)
		} else {
			require.NoError(t, err)
			require.NotZero(t, report.Foreign)
		}
		require.Zero(t, report.Orphans)
		require.Equal(t, 2, countBlobs(t, d))
	}
	d.open = nil
	require.Equal(t, int64(1), r.reclaim(t).Orphans)
	require.Equal(t, first, firstBlob(t, d))
}

// A driver under a name that no row knows holds nothing but strangers: whoever
// gave it the wrong name loses nothing.
func TestBlobsOfADriverUnderAnotherNameAreKept(t *testing.T) {
	t.Parallel()
	store, inner := keepOpen{mustMemory(t)}, memory.New()
	r := newRigOver(t, store, keepDriver{inner}).withContainer(t)
	r.put(t, "k", "body")
	require.NoError(t, r.Close(t.Context()))
	other, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("new name", keepDriver{inner}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close(context.Background()) })
	report, err := other.Reclaim(t.Context())
	require.NoError(t, err)
	require.Equal(t, engine.ReclaimReport{Foreign: 1}, report)
}

func TestADriverIsKnownByOneName(t *testing.T) {
	t.Parallel()
	store, d := keepOpen{mustMemory(t)}, memory.New()
	newRigOver(t, store, d)
	_, err := engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("new name", d))
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `"main"`)
}

// A sizelessDriver does not know how large its blobs are.
type sizelessDriver struct{ keepDriver }

func (d sizelessDriver) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		for blob, err := range d.inner.List(ctx, after) {
			blob.Size = -1
			if !yield(blob, err) {
				return
			}
		}
	}
}

func TestOrphansAreFoundWithoutTheirSizes(t *testing.T) {
	t.Parallel()
	d := sizelessDriver{keepDriver{memory.New()}}
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	body := string(randomBytes(8, 300_000))
	r.put(t, "large", body)
	r.put(t, "small", "")
	copyBlob(t, d, d, firstBlob(t, d))
	require.Equal(t, engine.ReclaimReport{Orphans: 1}, r.reclaim(t))
	sameBytes(t, []byte(body), []byte(r.get(t, "large")))
}

func TestASweepOpensEachBlobOnce(t *testing.T) {
	t.Parallel()
	d := &hookedDriver{keepDriver: keepDriver{memory.New()}}
	r := newRigOver(t, mustMemoryOwned(t), d).withContainer(t)
	for _, key := range []string{"a", "b", "c"} {
		r.put(t, key, key)
	}
	var opened []driver.Ref
	d.open = func(ctx context.Context, ref driver.Ref, off, n int64) (io.ReadCloser, error) {
		opened = append(opened, ref)
		return d.inner.Open(ctx, ref, off, n)
	}
	r.reclaim(t)
	require.Len(t, opened, 3)
}
