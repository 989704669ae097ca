package catalog_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// maxWrites is a store that holds transactions to their limit.
type maxWrites struct {
	catalog.Store
	most int
}

type countedTxn struct {
	catalog.Txn
	writes *int
}

func (t countedTxn) Set(key, value []byte) {
	*t.writes++
	t.Txn.Set(key, value)
}

func (s *maxWrites) Update(ctx context.Context, fn func(context.Context, catalog.Txn) error) error {
	return s.Store.Update(ctx, func(ctx context.Context, t catalog.Txn) error {
		n := 0
		err := fn(ctx, countedTxn{t, &n})
		s.most = max(s.most, n)
		return err
	})
}

func TestAnyNumberOfIncarnationsIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := &maxWrites{Store: openStore(t)}
	c := openCatalog(t, store, time.Now)
	all := []catalog.Incarnation{c.NewContentID().Incarnation()}
	for i := range catalog.Incarnation(2100) {
		all = append(all, i+1)
	}
	for page := range slices.Chunk(all[1:], 1000) {
		require.NoError(t, catalog.AddIncarnations(ctx, store.Store, page))
	}
	require.NoError(t, catalog.Hold(ctx, store))
	require.Equal(t, catalog.MaxStoreWrites, store.most)
	require.False(t, c.IsHeld(all[0]), "it was open already")

	c = openCatalog(t, store, time.Now)
	for _, i := range all {
		require.True(t, c.IsHeld(i))
	}
	require.False(t, c.IsHeld(c.NewContentID().Incarnation()))
	unclean, err := c.Unclean(ctx)
	require.NoError(t, err)
	require.Empty(t, unclean, "nobody looks for orphans that are held")
	store.most = 0
	require.NoError(t, c.Release(ctx))
	require.Equal(t, catalog.MaxStoreWrites, store.most)
	for _, i := range all {
		require.False(t, c.IsHeld(i))
	}
	unclean, err = c.Unclean(ctx)
	require.NoError(t, err)
	require.ElementsMatch(t, all, unclean, "also those that had ended cleanly: their orphans may be of later changes")

	later := openCatalog(t, store, time.Now)
	require.False(t, later.IsHeld(all[0]))
	require.ErrorIs(t, c.Release(ctx), container.ErrClosed)
}
