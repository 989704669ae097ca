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

// newS3cmd returns the client, set to path style and to upload in one request
// whatever the size.
func newS3cmd(t *testing.T, s *server) *client {
	c := findClient(t, "s3cmd")
	host := strings.TrimPrefix(s.endpoint, "http://")
	c.config(t, ".s3cfg", fmt.Sprintf(`[default]
access_key = %s
secret_key = %s
bucket_location = %s
host_base = %s
host_bucket = %s
use_https = False
signature_v2 = False
enable_multipart = False
check_ssl_certificate = False
max_retries = 1
`, accessKey, secretKey, region, host, host))
	return c
}

func TestS3cmd(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := newS3cmd(t, s)
	t.Log(c.run(t, "--version"))
	files, odd := sampleFiles(), oddTree()
	in, out := t.TempDir(), t.TempDir()
	files.write(t, in)

	c.run(t, "mb", "s3://bucket")
	assert.Contains(t, c.run(t, "ls"), "s3://bucket\n")
	assert.Contains(t, c.refused(t, "mb", "s3://bucket"), "BucketAlreadyOwnedByYou")
	assert.Contains(t, c.run(t, "info", "s3://bucket"), region)

	for name := range files {
		c.run(t, "put", filepath.Join(in, name), "s3://bucket/files/"+name)
	}
	for name, content := range files {
		c.run(t, "get", "s3://bucket/files/"+name, filepath.Join(out, name))
		assertSameFile(t, content, filepath.Join(out, name))
	}
	assert.Equal(t, []string{"files/empty", "files/large.bin", "files/small.txt"}, s3cmdKeys(t, c, "files/"))
	assert.Equal(t, []string{"files/small.txt"}, s3cmdKeys(t, c, "files/s"))
	assert.Contains(t, c.run(t, "ls", "s3://bucket/"), "DIR  s3://bucket/files/")
	assert.Contains(t, c.refused(t, "get", "s3://bucket/none", filepath.Join(out, "none")), "does not exist")
	assert.Contains(t, c.refused(t, "rb", "s3://bucket"), "BucketNotEmpty")
	assert.Contains(t, c.run(t, "info", "s3://bucket/files/small.txt"), "b1946ac92492d2347c6235b4d2611184")

	// Both ways, and again with nothing to do, and with a file gone.
	up, down := t.TempDir(), t.TempDir()
	odd.write(t, up)
	c.run(t, "sync", up+"/", "s3://bucket/sync/")
	assert.NotContains(t, c.run(t, "sync", up+"/", "s3://bucket/sync/"), "upload:")
	c.run(t, "sync", "s3://bucket/sync/", down+"/")
	assertSameTree(t, odd, readTree(t, down))
	require.NoError(t, os.Remove(filepath.Join(up, "plain.txt")))
	assert.Contains(t, c.run(t, "sync", "--delete-removed", up+"/", "s3://bucket/sync/"), "plain.txt")
	c.run(t, "sync", "--delete-removed", "s3://bucket/sync/", down+"/")
	delete(odd, "plain.txt")
	assertSameTree(t, odd, readTree(t, down))

	c.run(t, "del", "s3://bucket/files/small.txt")
	assert.Equal(t, []string{"files/empty", "files/large.bin"}, s3cmdKeys(t, c, "files/"))
	c.run(t, "del", "--recursive", "--force", "s3://bucket/")
	assert.Empty(t, s3cmdKeys(t, c, ""))
	c.run(t, "rb", "s3://bucket")
	assert.Empty(t, c.run(t, "ls"))
}

func s3cmdKeys(t *testing.T, c *client, prefix string) []string {
	t.Helper()
	var keys []string
	for line := range strings.Lines(c.run(t, "ls", "--recursive", "s3://bucket/"+prefix)) {
		_, key, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "s3://bucket/")
		require.True(t, ok, line)
		keys = append(keys, key)
	}
	return keys
}
