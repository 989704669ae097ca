package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

// bodyOf returns a body that tells whose it is; every third is large.
func bodyOf(key string) string {
	n := 1 + len(key)%7
	if strings.HasSuffix(key, "0") {
		n *= 20_000
	}
	return strings.Repeat(key+"|", n)
}

func putText(ctx context.Context, eng *engine.Engine, key, text string) error {
	_, err := eng.Put(ctx, "c", key, strings.NewReader(text), engine.PutOptions{})
	return err
}

func getText(t *testing.T, eng *engine.Engine, key string) string {
	t.Helper()
	r, err := eng.Get(t.Context(), "c", key, engine.GetOptions{})
	require.NoError(t, err, key)
	b, err := io.ReadAll(r)
	require.NoError(t, err, key)
	require.NoError(t, r.Close())
	return string(b)
}

// keep puts what every copy must have.
func keep(t *testing.T, eng *engine.Engine) (keys []string) {
	t.Helper()
	_, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	for n := range 60 {
		key := fmt.Sprintf("kept-%d", n)
		require.NoError(t, putText(t.Context(), eng, key, bodyOf(key)))
		keys = append(keys, key)
	}
	return keys
}

func TestABackupHasAllThatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir, dst, restored := t.TempDir(), filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "restored")
	eng := open(t, dir)
	keys := keep(t, eng)

	// Others put, overwrite, delete and reclaim while the backup is made.
	ctx, stop := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for w := range 4 {
		others.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				key := fmt.Sprintf("changing-%d-%d", w, n%5)
				err := putText(ctx, eng, key, bodyOf(key))
				if err == nil && n%3 == 0 {
					err = eng.Delete(ctx, "c", key, engine.DeleteOptions{})
				}
				if err == nil && n%7 == 0 {
					_, err = eng.Reclaim(ctx)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	require.NoError(t, embedded.Backup(t.Context(), eng, dst))
	stop()
	others.Wait()

	require.NoError(t, os.CopyFS(restored, os.DirFS(dst)))
	same := open(t, restored)
	for _, key := range keys {
		require.Equal(t, bodyOf(key), getText(t, same, key))
	}
	for entry, err := range same.List(t.Context(), "c", engine.ListOptions{Prefix: "changing-"}) {
		require.NoError(t, err)
		require.Equal(t, bodyOf(entry.Artifact.Key), getText(t, same, entry.Artifact.Key))
	}
	report, err := eng.Scrub(t.Context(), engine.ScrubOptions{})
	require.NoError(t, err)
	require.Zero(t, report.Damaged)
}

// The backup shares files with what it was made of. Neither may change them.
func TestABackupAndItsOriginalGoOnApart(t *testing.T) {
	t.Parallel()
	dir, dst := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	eng := open(t, dir)
	keys := keep(t, eng)
	require.NoError(t, embedded.Backup(t.Context(), eng, dst))
	copied := open(t, dst)
	for n, key := range keys {
		if n%2 == 0 {
			require.NoError(t, eng.Delete(t.Context(), "c", key, engine.DeleteOptions{}))
			require.NoError(t, putText(t.Context(), copied, key, "of the copy"))
		} else {
			require.NoError(t, copied.Delete(t.Context(), "c", key, engine.DeleteOptions{}))
			require.NoError(t, putText(t.Context(), eng, key, "of the original"))
		}
	}
	for _, e := range []*engine.Engine{eng, copied} {
		_, err := e.Reclaim(t.Context())
		require.NoError(t, err)
		report, err := e.Scrub(t.Context(), engine.ScrubOptions{})
		require.NoError(t, err)
		require.Zero(t, report.Damaged)
		require.EqualValues(t, len(keys)/2, report.Artifacts)
	}
	require.Equal(t, "of the copy", getText(t, copied, keys[0]))
	require.Equal(t, "of the original", getText(t, eng, keys[1]))
}

// A blob may be put after the catalog was copied and before the driver is. Its
// row is missing, and nobody but the operator knows whether that is a loss.
func TestARestoredBackupKeepsOrphansUntilItIsTold(t *testing.T) {
	t.Parallel()
	dir, dst := t.TempDir(), filepath.Join(t.TempDir(), "backup")
	eng := open(t, dir)
	keys := keep(t, eng)
	require.NoError(t, embedded.Backup(t.Context(), eng, dst))
	// As if the catalog had been copied before this was put.
	require.NoError(t, putText(t.Context(), eng, "late", "late"))
	require.NoError(t, eng.Close(t.Context()))
	require.NoError(t, os.RemoveAll(filepath.Join(dst, "blobs")))
	require.NoError(t, os.CopyFS(filepath.Join(dst, "blobs"), os.DirFS(filepath.Join(dir, "blobs"))))

	restored := open(t, dst)
	report, err := restored.Reclaim(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, report.Held)
	require.Zero(t, report.Orphans)
	require.NoError(t, restored.ReleaseOrphans(t.Context()))
	report, err = restored.Reclaim(t.Context())
	require.NoError(t, err)
	require.Zero(t, report.Held) // this pass, or one in the background, has freed it
	require.Equal(t, bodyOf(keys[0]), getText(t, restored, keys[0]))
	require.NoError(t, restored.Close(t.Context()))
	blobs, err := local.Open(t.Context(), filepath.Join(dst, "blobs"), local.Options{})
	require.NoError(t, err)
	left := 0
	for _, err := range blobs.List(t.Context(), "") {
		require.NoError(t, err)
		left++
	}
	require.Equal(t, len(keys), left)
	require.NoError(t, blobs.Close(t.Context()))
}

func TestABackupThatWasCutShortIsRefused(t *testing.T) {
	t.Parallel()
	dst := filepath.Join(t.TempDir(), "backup")
	eng := open(t, t.TempDir())
	keep(t, eng)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, embedded.Backup(ctx, eng, dst), context.Canceled)
	_, err := embedded.Open(t.Context(), dst)
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, "cut short")
	_, err = embedded.Rebuild(t.Context(), dst, catalog.RebuildOptions{})
	require.ErrorContains(t, err, "cut short")
	// Nor does anybody take it for empty.
	require.ErrorIs(t, embedded.Backup(t.Context(), eng, dst), container.ErrInvalid)
	require.NoError(t, os.RemoveAll(dst))
	require.NoError(t, embedded.Backup(t.Context(), eng, dst))
	open(t, dst)
}

func TestABackupGoesNowhereElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	eng := open(t, dir)
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "holiday.jpg"), nil, 0o600))
	for _, dst := range []string{"", full, dir} {
		require.ErrorIs(t, embedded.Backup(t.Context(), eng, dst), container.ErrInvalid, dst)
	}
	require.ErrorIs(t, eng.Backup(t.Context(), engine.BackupDirs{
		Catalog: filepath.Join(dir, "catalog", "copy"),
		Drivers: map[string]string{embedded.DriverName: filepath.Join(full, "blobs")},
	}), container.ErrInvalid)
	require.NoError(t, putContainer(t, eng), "the store goes on")
}

func putContainer(t *testing.T, eng *engine.Engine) error {
	_, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	return errors.Join(err, putText(t.Context(), eng, "k", "v"))
}
