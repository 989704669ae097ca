package embedded_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
)

// sizeOf returns how many bytes the files in a folder have.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		size += info.Size()
		return err
	}))
	return size
}

func TestTheSpaceOfSmallArtifactsComesBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	eng := open(t, dir)
	_, err := eng.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	const n, size = 300, 100 << 10
	body := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2) }
	for i := range n {
		_, err := eng.Put(t.Context(), "c", fmt.Sprint(i), bytes.NewReader(body(i)), engine.PutOptions{Size: size})
		require.NoError(t, err)
	}
	var kept []int
	for i := range n {
		if i%10 == 0 {
			kept = append(kept, i)
			continue
		}
		require.NoError(t, eng.Delete(t.Context(), "c", fmt.Sprint(i), engine.DeleteOptions{}))
	}
	_, err = eng.Reclaim(t.Context())
	require.NoError(t, err)
	eng = reopen(t, eng, dir)
	for _, i := range kept {
		r, err := eng.Get(t.Context(), "c", fmt.Sprint(i), engine.GetOptions{})
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, bytes.Equal(body(i), b))
	}
	_, err = eng.Reclaim(t.Context()) // the last segment is sealed by now
	require.NoError(t, err)
	const ahead = 6 << 20 // more than is written before it is used
	require.Less(t, sizeOf(t, filepath.Join(dir, "blobs")), int64(len(kept)*size+ahead), "of 30 MB that there were")
}

func reopen(t *testing.T, eng *engine.Engine, dir string) *engine.Engine {
	t.Helper()
	require.NoError(t, eng.Close(t.Context()))
	return open(t, dir)
}
