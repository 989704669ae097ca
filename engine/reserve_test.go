package engine_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

func TestPutsLeaveTheReserveFree(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(1000)
	r := newRig(t, engine.WithReserve(100, func(context.Context) (int64, error) { return free.Load(), nil })).withContainer(t)
	put := func(key string, src io.Reader, size int64) error {
		_, err := r.Put(t.Context(), "c", key, src, engine.PutOptions{Size: size})
		return err
	}
	require.NoError(t, put("fits", strings.NewReader(strings.Repeat("x", 900)), 900))
	unread := readerFunc(func([]byte) (int, error) { t.Error("the source was read"); return 0, io.EOF })
	require.ErrorIs(t, put("too large", unread, 901), container.ErrNoSpace)

	free.Store(0)
	require.ErrorIs(t, put("any", strings.NewReader(""), 0), container.ErrNoSpace)
	require.Len(t, r.get(t, "fits"), 900)
	require.NoError(t, r.Delete(t.Context(), "c", "fits", engine.DeleteOptions{}), "what gives space back goes on")
}

func TestAnEndlessPutStopsAtTheReserve(t *testing.T) {
	t.Parallel()
	var free atomic.Int64
	free.Store(50 << 20)
	r := newRig(t, engine.WithReserve(4<<20, func(context.Context) (int64, error) { return free.Load(), nil })).withContainer(t)
	filling := readerFunc(func(p []byte) (int, error) {
		free.Add(-int64(len(p)))
		return len(p), nil
	})
	_, err := r.Put(t.Context(), "c", "k", filling, engine.PutOptions{})
	require.ErrorIs(t, err, container.ErrNoSpace)
	require.Greater(t, free.Load(), int64(2<<20), "most of the reserve is left")
}
