package local_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

func TestADriverLivesOnTheFileSystemItIsGiven(t *testing.T) {
	t.Parallel()
	disk := crashfs.New()
	d, err := local.Open(t.Context(), "/deep/blobs", local.Options{FS: disk})
	require.NoError(t, err)
	ref, err := d.Put(t.Context(), "name", strings.NewReader("text"), driver.PutOptions{Size: -1})
	require.NoError(t, err)

	d, err = local.Open(t.Context(), "/deep/blobs", local.Options{FS: disk.Crash(nil, crashfs.KeepNone)})
	require.NoError(t, err)
	r, err := d.Open(t.Context(), ref, 0, -1)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "text", string(b))
	require.NoError(t, r.Close())
	require.NoError(t, d.Close(t.Context()))
}
