package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

func TestEveryBadOptionIsReported(t *testing.T) {
	t.Parallel()
	_, err := engine.New(t.Context(),
		engine.WithDriver("", memory.New()), engine.WithDriver("a", nil),
		engine.WithSink(nil), engine.WithResolver(nil), engine.WithLogger(nil), engine.WithClock(nil),
	)
	require.ErrorIs(t, err, container.ErrInvalid)
	for _, name := range []string{"WithCatalog", "WithDriver", "WithSink", "WithResolver", "WithLogger", "WithClock"} {
		assert.ErrorContains(t, err, name)
	}
}

func TestADriverOfAnotherPlaceIsRefused(t *testing.T) {
	t.Parallel()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	_, err = engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", memory.New()))
	require.NoError(t, err)
	_, err = engine.New(t.Context(), engine.WithCatalog(store), engine.WithDriver("main", memory.New()))
	require.ErrorIs(t, err, container.ErrInvalid)
}

func TestCloseWaitsForOpenReaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRigOver(t, keepOpen{mustMemory(t)}, memory.New()).withContainer(t)
		r.put(t, "k", "body")
		reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{})
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, r.Close(ctx), context.DeadlineExceeded)
		_, err = r.Stat(t.Context(), "c", "k", engine.StatOptions{})
		require.ErrorIs(t, err, container.ErrClosed)

		closed := make(chan error)
		go func() { closed <- r.Close(t.Context()) }()
		synctest.Wait()
		b := make([]byte, 4)
		_, err = reader.Read(b)
		require.NoError(t, err)
		require.Equal(t, "body", string(b))
		require.NoError(t, reader.Close())
		require.NoError(t, <-closed)
		require.NoError(t, r.Close(t.Context()), "closing again does nothing")
	})
}

func TestAPutUnderACancelledContextStopsReading(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	src := readerFunc(func(p []byte) (int, error) {
		cancel(errors.New("enough"))
		return copy(p, "some bytes"), nil
	})
	_, err := r.Put(ctx, "c", "k", src, engine.PutOptions{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Stat(t.Context(), "c", "k", engine.StatOptions{})
	require.ErrorIs(t, err, container.ErrArtifactNotFound)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAnErrorSaysWhatWasAskedOfWhat(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Put(t.Context(), "absent", "k", strings.NewReader(""), engine.PutOptions{})
	require.EqualError(t, err, `put_artifact "absent" "k": container not found`)
}
