package catalog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/tenant"
)

func openStore(t *testing.T) catalog.Store {
	t.Helper()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close(context.Background())) })
	return store
}

func openCatalog(t *testing.T, store catalog.Store, clock func() time.Time) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(t.Context(), store, clock)
	require.NoError(t, err)
	return c
}

func put(ctx context.Context, c *catalog.Catalog, s catalog.Scope, key string, size int64) (catalog.Version, error) {
	id := c.NewContentID()
	v, _, err := s.Put(ctx, "c", key, container.Condition{}, catalog.Version{Null: true, Content: id, Size: size},
		catalog.Content{Size: size, Replicas: []catalog.Replica{{Driver: "d", Ref: driver.Ref(id.String())}}})
	return v, err
}

func TestSequencesGrowEvenIfTheClockGoesBack(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	c := openCatalog(t, openStore(t), func() time.Time { return now })
	s := c.Scope("t", tenant.Principal{})
	_, err := s.CreateContainer(t.Context(), "c")
	require.NoError(t, err)
	var last uint64
	for _, at := range []int64{1000, 1001, 500, 400, 1001, 1002} {
		now = time.Unix(at, 0)
		v, err := put(t.Context(), c, s, "k", 1)
		require.NoError(t, err)
		require.Greater(t, v.Sequence, last)
		last = v.Sequence
	}
	require.Equal(t, uint64(1002e9), last)
}

// Usage is what a recount says, whatever was done at the same time.
func TestUsageEqualsARecount(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := openCatalog(t, openStore(t), time.Now)
	s := c.Scope("t", tenant.Principal{})
	_, err := s.CreateContainer(ctx, "c")
	require.NoError(t, err)
	var wg sync.WaitGroup
	for w := range 16 {
		rnd := rand.New(rand.NewPCG(1, uint64(w)))
		wg.Go(func() {
			for range 200 {
				key := fmt.Sprint("k", rnd.IntN(30))
				if rnd.IntN(3) == 0 {
					_, _ = s.Delete(ctx, "c", key, container.Condition{})
				} else if _, err := put(ctx, c, s, key, rnd.Int64N(1000)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	_, entries, more, err := s.List(ctx, "c", catalog.Query{Limit: 1000})
	require.NoError(t, err)
	require.False(t, more)
	var want catalog.Usage
	for _, e := range entries {
		want.Artifacts++
		want.Bytes += e.Artifact.Size
	}
	require.NotZero(t, want.Artifacts)
	got, err := s.Usage(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, want, got)

	for _, e := range entries {
		_, err := s.Delete(ctx, "c", e.Artifact.Key, container.Condition{})
		require.NoError(t, err)
	}
	got, err = s.Usage(ctx, "c")
	require.NoError(t, err)
	require.Zero(t, got)
}

func TestEveryContentIsNamedOrCondemned(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := openCatalog(t, openStore(t), time.Now)
	var named, replaced []catalog.ContentID
	for _, id := range []tenant.ID{"a", "b"} {
		s := c.Scope(id, tenant.Principal{})
		_, err := s.CreateContainer(ctx, "c")
		require.NoError(t, err)
		for i := range 3 {
			v, err := put(ctx, c, s, "k", int64(i))
			require.NoError(t, err)
			if i < 2 {
				replaced = append(replaced, v.Content)
			} else {
				named = append(named, v.Content)
			}
		}
	}
	var found []catalog.ContentID
	var after *catalog.Condemned
	for {
		page, err := c.Condemned(ctx, after, 1)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.Zero(t, page[0].Content.Refs)
		require.Equal(t, driver.Ref(page[0].ID.String()), page[0].Content.Replicas[0].Ref)
		found = append(found, page[0].ID)
		after = &page[0]
	}
	require.Equal(t, replaced, found)
	all, err := c.Condemned(ctx, nil, 100)
	require.NoError(t, err)
	require.NoError(t, c.Forget(ctx, all))
	for _, x := range all {
		_, has, err := c.Content(ctx, x.Tenant, x.ID)
		require.NoError(t, err)
		require.False(t, has)
	}
	for i, id := range []tenant.ID{"a", "b"} {
		_, has, err := c.Content(ctx, id, named[i])
		require.NoError(t, err)
		require.True(t, has)
		_, has, err = c.Content(ctx, id, named[1-i])
		require.NoError(t, err)
		require.False(t, has, "another tenant's content")
	}
}

func TestAnIncarnationThatEndedChangesNothingMore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := openStore(t)
	first := openCatalog(t, store, time.Now)
	require.NoError(t, first.End(ctx))
	_, err := first.Scope("t", tenant.Principal{}).CreateContainer(ctx, "c")
	require.ErrorIs(t, err, container.ErrClosed)

	second := openCatalog(t, store, time.Now)
	require.Equal(t, first.ID(), second.ID())
	_, err = second.Scope("t", tenant.Principal{}).CreateContainer(ctx, "c")
	require.NoError(t, err)
	third := openCatalog(t, store, time.Now) // without an end of the second
	_, err = second.Scope("t", tenant.Principal{}).CreateContainer(ctx, "d")
	require.ErrorIs(t, err, container.ErrClosed)
	unclean, err := third.Unclean(ctx)
	require.NoError(t, err)
	require.Equal(t, []catalog.Incarnation{second.NewContentID().Incarnation()}, unclean)
	require.NoError(t, third.MarkSwept(ctx, unclean))
	unclean, err = third.Unclean(ctx)
	require.NoError(t, err)
	require.Empty(t, unclean)
	require.True(t, third.KnowsIncarnation(first.NewContentID().Incarnation()))
	require.True(t, third.KnowsIncarnation(third.NewContentID().Incarnation()))
	require.False(t, third.KnowsIncarnation(first.NewContentID().Incarnation()+1))
	require.False(t, second.KnowsIncarnation(third.NewContentID().Incarnation()), "it came later")
}
