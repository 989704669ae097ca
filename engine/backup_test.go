package engine_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

func TestABackupNeedsPartsThatCanBeCopied(t *testing.T) {
	t.Parallel()
	f := newRig(t)
	err := f.Backup(t.Context(), engine.BackupDirs{})
	require.ErrorIs(t, err, container.ErrInvalid)
	err = f.Backup(t.Context(), engine.BackupDirs{Catalog: "/a", Drivers: map[string]string{"other": "/b"}})
	require.ErrorIs(t, err, container.ErrInvalid)
	err = f.Backup(t.Context(), engine.BackupDirs{Catalog: "/a", Drivers: map[string]string{"main": "/b"}})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, `driver "main" cannot be copied`)
}
