package engine_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

func TestOrphansThatAreHeldStayUntilTheyAreReleased(t *testing.T) {
	t.Parallel()
	store, inner := keepOpen{mustMemory(t)}, memory.New()
	d := &faultyDriver{keepDriver: keepDriver{inner}}
	r := newRigOver(t, store, d).withContainer(t)
	r.put(t, "k", "body")
	copyBlob(t, inner, inner, firstBlob(t, inner))
	d.afterPut = func(driver.Ref) error { return errFault }
	_, err := r.Put(t.Context(), "c", "lost", strings.NewReader("lost"), engine.PutOptions{})
	require.ErrorIs(t, err, errFault)
	d.heal()
	require.NoError(t, r.Close(t.Context()))
	require.Equal(t, 3, countBlobs(t, inner))

	require.NoError(t, catalog.Hold(t.Context(), store))
	for range 2 {
		r = newRigOver(t, store, d)
		require.Equal(t, engine.ReclaimReport{Held: 2}, r.reclaim(t))
		r.put(t, "young", "of a run that is not held")
		require.NoError(t, r.Delete(t.Context(), "c", "young", engine.DeleteOptions{}))
		r.reclaim(t)
		require.Equal(t, 3, countBlobs(t, inner))
		require.NoError(t, r.Close(t.Context()))
	}

	r = newRigOver(t, store, d)
	require.NoError(t, r.ReleaseOrphans(t.Context()))
	r.events.Only(t, event.ReleaseOrphans, event.OK)
	require.NoError(t, r.Close(t.Context()))
	r = newRigOver(t, store, d)
	r.reclaim(t) // or the background was faster
	require.Equal(t, 1, countBlobs(t, inner))
	require.Equal(t, "body", r.get(t, "k"))
}

func TestAReleaseIsMindedByTheNextReclaim(t *testing.T) {
	t.Parallel()
	store, inner := keepOpen{mustMemory(t)}, memory.New()
	r := newRigOver(t, store, keepDriver{inner}).withContainer(t)
	r.put(t, "k", "body")
	copyBlob(t, inner, inner, firstBlob(t, inner))
	require.NoError(t, r.Close(t.Context()))
	require.NoError(t, catalog.Hold(t.Context(), store))
	r = newRigOver(t, store, keepDriver{inner})
	require.Equal(t, engine.ReclaimReport{Held: 1}, r.reclaim(t))
	require.NoError(t, r.ReleaseOrphans(t.Context()))
	r.reclaim(t) // or the background was faster
	require.Equal(t, 1, countBlobs(t, inner))
	require.Equal(t, "body", r.get(t, "k"))
}
