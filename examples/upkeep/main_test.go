package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

func TestUpkeep(t *testing.T) {
	t.Parallel()
	dir, copied := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "copy")
	require.NoError(t, withEngine(t.Context(), dir, func(eng *engine.Engine) error {
		if _, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{}); err != nil {
			return err
		}
		_, err := eng.Put(t.Context(), "c", "k", strings.NewReader(strings.Repeat("bytes", 100_000)), engine.PutOptions{})
		return err
	}))
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-dir", dir, "scrub"}, &out))
	require.Regexp(t, `^1 artifacts, \d+ bytes, 0 damaged\n$`, out.String())
	require.NoError(t, run(t.Context(), []string{"-dir", dir, "-to", copied, "backup"}, &out))

	// The original is damaged, and then loses its catalog.
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "blob", "*", "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[1000] ^= 1
	require.NoError(t, os.Remove(files[0])) // the backup shares the file
	require.NoError(t, os.WriteFile(files[0], b, 0o600))
	out.Reset()
	require.ErrorIs(t, run(t.Context(), []string{"-dir", dir, "scrub"}, &out), container.ErrCorrupt)
	require.Contains(t, out.String(), "damaged: c/k of tenant default")

	require.NoError(t, os.RemoveAll(filepath.Join(copied, "catalog")))
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-dir", copied, "rebuild"}, &out))
	require.Contains(t, out.String(), "restored: c/k of tenant default")
	out.Reset()
	require.NoError(t, run(t.Context(), []string{"-dir", copied, "scrub"}, &out))
	require.Regexp(t, `^1 artifacts, \d+ bytes, 0 damaged\n$`, out.String())
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, run(t.Context(), []string{"polish"}, nil), "accepted are scrub, backup and rebuild")
}
