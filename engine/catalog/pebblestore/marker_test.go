package pebblestore_test

import (
	"path"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

// A file system may keep the removal of a marker and lose the marker that was
// made before it, or keep a marker and lose its manifest.
func TestAMarkerMovesOnlyWhenWhatItStandsForIsDurable(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	changed, markers := false, 0
	disk := newHookedFS(vfs.NewMem(), func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		isMarker := strings.HasPrefix(path.Base(op.Path), "marker.") && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpRemove)
		switch {
		case op.Path == "/store" && isSync(op):
			changed = false
		case isMarker:
			markers++
			assert.False(t, changed, "operation %d on %s before the directory was synced", op.Kind, op.Path)
			changed = true
		case isManifest(op) && op.Kind == errorfs.OpCreate:
			changed = true
		}
		return nil
	})
	for range 2 {
		s, err := pebblestore.Open(t.Context(), "/store", pebblestore.Options{FS: disk})
		require.NoError(t, err)
		require.NoError(t, s.Close(t.Context()))
	}
	assert.Greater(t, markers, 3)
}
