package engine_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

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
