package catalog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

func TestWhatIsNotCurrentIsNotUndone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := openCatalog(t, openStore(t), time.Now)
	require.NoError(t, c.BeginEpochs(ctx, true))
	s := c.Scope("t", tenant.Principal{})
	_, err := s.CreateContainer(ctx, "c")
	require.NoError(t, err)
	one, err := put(ctx, c, s, "k", 1)
	require.NoError(t, err)
	two, err := put(ctx, c, s, "k", 2)
	require.NoError(t, err)
	list, err := c.Undoable(ctx, nil, 10)
	require.NoError(t, err)
	require.Len(t, list, 2, "the last one first")
	require.Equal(t, two.Content, list[0].Content)
	require.Equal(t, one.Content, list[1].Content)
	rest, err := c.Undoable(ctx, &list[0], 10)
	require.NoError(t, err)
	require.Equal(t, list[1:], rest)

	_, _, current, err := c.Introduced(ctx, list[1])
	require.NoError(t, err)
	require.False(t, current)
	require.NoError(t, c.Undo(ctx, list[1]))
	v, err := s.Stat(ctx, "c", "k")
	require.NoError(t, err)
	require.Equal(t, two.Content, v.Content)
	require.NoError(t, c.Undo(ctx, list[0]))
	require.NoError(t, c.Undo(ctx, list[0]), "once more does nothing")
	v, content, err := s.Get(ctx, "c", "k")
	require.NoError(t, err)
	require.Equal(t, one.Content, v.Content)
	require.EqualValues(t, 1, content.Refs)
	_, err = s.Delete(ctx, "c", "k", container.Condition{})
	require.NoError(t, err)
	require.NoError(t, c.Undo(ctx, list[1]))
	usage, err := s.Usage(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, catalog.Usage{}, usage)
}
