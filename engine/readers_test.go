package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func TestPinsAreToldApartByMoves(t *testing.T) {
	t.Parallel()
	r := newReaders()
	id := catalog.ContentID{1}
	require.False(t, r.isPinned(id))
	require.Empty(t, r.leave(id))

	first := r.pin(id)
	require.Same(t, first, r.pin(id))
	byFirst := r.leave(id)
	second := r.pin(id)
	require.NotSame(t, first, second)
	bySecond := r.leave(id) // of another copy, say, that the first ones may be reading too
	require.True(t, r.isPinned(id))
	require.True(t, r.isHeld(byFirst))
	require.True(t, r.isHeld(bySecond))

	require.False(t, r.unpin(first), "there is another one")
	require.True(t, r.unpin(first), "somebody waits for it")
	require.False(t, r.isHeld(byFirst))
	require.True(t, r.isHeld(bySecond))
	require.True(t, r.isPinned(id))
	require.True(t, r.unpin(second))
	require.False(t, r.isHeld(bySecond))
	require.False(t, r.isPinned(id))
	require.Empty(t, r.pinned)

	require.False(t, r.unpin(r.pin(id)), "nobody asked")
}
