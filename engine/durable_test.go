package engine_test

import (
	"bytes"
	"context"
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

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

func TestAContextThatHasEndedDoesNotSpoilClose(t *testing.T) {
	t.Parallel()
	store := keepOpen{mustMemory(t)}
	r := newRigOver(t, store, memory.New())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.Close(ctx), "nothing is to be waited for")
	requireClean(t, store)
}

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
