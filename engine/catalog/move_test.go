package catalog_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

func TestOnlyTheCopyThatIsNamedMoves(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := openStore(t)
	c := openCatalog(t, store, time.Now)
	s := c.Scope("t", tenant.Principal{})
	_, err := s.CreateContainer(ctx, "c")
	require.NoError(t, err)
	id := c.NewContentID()
	_, _, err = s.Put(ctx, "c", "k", container.Condition{}, catalog.Version{Content: id}, catalog.Content{
		Replicas: []catalog.Replica{{Driver: "a", Ref: "1"}, {Driver: "b", Ref: "1"}},
	})
	require.NoError(t, err)
	move := func(id catalog.ContentID, of tenant.ID, driver string, from, to driver.Ref) bool {
		t.Helper()
		moved, err := c.MoveReplica(ctx, of, id, driver, from, to)
		require.NoError(t, err)
		return moved
	}
	replicas := func() []catalog.Replica {
		t.Helper()
		content, ok, err := c.Content(ctx, "t", id)
		require.NoError(t, err)
		require.True(t, ok)
		return content.Replicas
	}
	require.False(t, move(c.NewContentID(), "t", "a", "1", "2"), "no such content")
	require.False(t, move(id, "another tenant", "a", "1", "2"))
	require.False(t, move(id, "t", "c", "1", "2"), "no copy on this driver")
	require.False(t, move(id, "t", "a", "3", "2"), "another copy")
	require.False(t, move(id, "t", "a", "1", "1"), "nowhere")
	require.True(t, move(id, "t", "b", "1", "2"))
	require.Equal(t, []catalog.Replica{{Driver: "a", Ref: "1"}, {Driver: "b", Ref: "2"}}, replicas())
	require.False(t, move(id, "t", "b", "1", "3"), "it has moved already")

	_, err = s.Delete(ctx, "c", "k", container.Condition{})
	require.NoError(t, err)
	require.False(t, move(id, "t", "b", "2", "3"), "it is condemned, and who frees it has seen where it is")

	openCatalog(t, store, time.Now)
	_, err = c.MoveReplica(ctx, "t", id, "b", "2", "3")
	require.ErrorIs(t, err, container.ErrClosed)
}
