package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newRclone returns the client, set to upload in one request whatever the size.
func newRclone(t *testing.T, s *server) *client {
	c := findClient(t, "rclone")
	c.config(t, "rclone.conf", fmt.Sprintf(`[v]
type = s3
provider = Other
access_key_id = %s
secret_access_key = %s
region = %s
endpoint = %s
upload_cutoff = 4Gi
`, accessKey, secretKey, region, s.endpoint))
	c.always = []string{"--config", filepath.Join(c.home, "rclone.conf"), "--retries", "1", "--low-level-retries", "1"}
	return c
}

func TestRclone(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := newRclone(t, s)
	t.Log(c.run(t, "version"))
	files, odd := sampleFiles(), oddTree()
	in, out := t.TempDir(), t.TempDir()
	files.write(t, in)

	c.run(t, "mkdir", "v:bucket")
	c.run(t, "mkdir", "v:bucket") // one's own is as good as made
	assert.Equal(t, []string{"bucket/"}, lines(c.run(t, "lsf", "v:")))

	for name := range files {
		c.run(t, "copyto", filepath.Join(in, name), "v:bucket/files/"+name)
	}
	for name, content := range files {
		c.run(t, "copyto", "v:bucket/files/"+name, filepath.Join(out, name))
		assertSameFile(t, content, filepath.Join(out, name))
	}
	c.run(t, "check", "--download", in, "v:bucket/files")
	c.run(t, "check", in, "v:bucket/files") // by MD5
	assert.Equal(t, []string{"empty", "large.bin", "small.txt"}, lines(c.run(t, "lsf", "v:bucket/files")))
	assert.Equal(t, []string{"files/"}, lines(c.run(t, "lsf", "v:bucket")))
	assert.Equal(t, files["large.bin"][1000:1100], c.run(t, "cat", "--offset", "1000", "--count", "100", "v:bucket/files/large.bin"))
	assert.Contains(t, c.refused(t, "cat", "v:none/none"), "not found")
	assert.Contains(t, c.refused(t, "rmdir", "v:bucket"), "BucketNotEmpty")

	// Both ways, and again with nothing to do, and with a file gone.
	up, down := t.TempDir(), t.TempDir()
	odd.write(t, up)
	c.run(t, "sync", up, "v:bucket/sync")
	_, stderr, err := c.try(t, "sync", "-v", up, "v:bucket/sync")
	require.NoError(t, err)
	assert.NotContains(t, stderr, "Copied")
	c.run(t, "sync", "v:bucket/sync", down)
	assertSameTree(t, odd, readTree(t, down))
	require.NoError(t, os.Remove(filepath.Join(up, "plain.txt")))
	c.run(t, "sync", up, "v:bucket/sync")
	c.run(t, "sync", "v:bucket/sync", down)
	delete(odd, "plain.txt")
	assertSameTree(t, odd, readTree(t, down))

	c.run(t, "deletefile", "v:bucket/files/small.txt")
	assert.Equal(t, []string{"empty", "large.bin"}, lines(c.run(t, "lsf", "v:bucket/files")))
	c.run(t, "delete", "v:bucket")
	assert.Empty(t, c.run(t, "lsf", "-R", "v:bucket"))
	c.run(t, "rmdir", "v:bucket")
	assert.Empty(t, c.run(t, "lsf", "v:"))
}

// lines splits what a client printed.
func lines(text string) []string {
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
