package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// debianAWS is the client of Debian's package. PATH may have another one first.
const debianAWS = "/usr/bin/aws"

func TestAWSCLI(t *testing.T) {
	t.Parallel()
	t.Run("of Debian", func(t *testing.T) {
		t.Parallel()
		testAWSCLI(t, debianAWS)
	})
	t.Run("in PATH", func(t *testing.T) {
		t.Parallel()
		path, err := exec.LookPath("aws")
		if err != nil || sameFile(path, debianAWS) {
			t.Skip("PATH has no other aws")
		}
		testAWSCLI(t, path)
	})
}

func sameFile(a, b string) bool {
	x, err1 := os.Stat(a)
	y, err2 := os.Stat(b)
	return err1 == nil && err2 == nil && os.SameFile(x, y)
}

// newAWS returns the client, set to upload in one request whatever the size.
func newAWS(t *testing.T, program string, s *server) *client {
	c := findClient(t, program,
		"AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey, "AWS_DEFAULT_REGION="+region,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=", "AWS_MAX_ATTEMPTS=1")
	c.config(t, ".aws/config", "[default]\ns3 =\n  multipart_threshold = 4GB\n")
	c.always = []string{"--endpoint-url", s.endpoint}
	return c
}

func testAWSCLI(t *testing.T, program string) {
	s := startServer(t)
	c := newAWS(t, program, s)
	t.Log(c.run(t, "--version"))
	files, odd := sampleFiles(), oddTree()
	in, out := t.TempDir(), t.TempDir()
	files.write(t, in)

	c.run(t, "s3", "mb", "s3://bucket")
	assert.Contains(t, c.run(t, "s3", "ls"), " bucket\n")
	assert.Contains(t, c.refused(t, "s3", "mb", "s3://bucket"), "BucketAlreadyOwnedByYou")

	for name := range files {
		c.run(t, "s3", "cp", filepath.Join(in, name), "s3://bucket/files/"+name)
	}
	for name, content := range files {
		c.run(t, "s3", "cp", "s3://bucket/files/"+name, filepath.Join(out, name))
		assertSameFile(t, content, filepath.Join(out, name))
	}
	assert.Equal(t, []string{"files/empty", "files/large.bin", "files/small.txt"}, awsKeys(t, c, "files/"))
	assert.Equal(t, []string{"files/small.txt"}, awsKeys(t, c, "files/s"))
	assert.Contains(t, c.run(t, "s3", "ls", "s3://bucket/"), "PRE files/")
	assert.Contains(t, c.refused(t, "s3", "cp", "s3://bucket/none", out), "404")
	assert.Contains(t, c.refused(t, "s3", "rb", "s3://bucket"), "BucketNotEmpty")

	part := filepath.Join(t.TempDir(), "part")
	c.run(t, "s3api", "get-object", "--bucket", "bucket", "--key", "files/large.bin", "--range", "bytes=1000-1099", part)
	assertSameFile(t, files["large.bin"][1000:1100], part)

	// Both ways, and again with nothing to do, and with a file gone.
	up, down := t.TempDir(), t.TempDir()
	odd.write(t, up)
	c.run(t, "s3", "sync", up, "s3://bucket/sync")
	assert.Empty(t, c.run(t, "s3", "sync", up, "s3://bucket/sync"))
	c.run(t, "s3", "sync", "s3://bucket/sync", down)
	assertSameTree(t, odd, readTree(t, down))
	require.NoError(t, os.Remove(filepath.Join(up, "plain.txt")))
	assert.Contains(t, c.run(t, "s3", "sync", "--delete", up, "s3://bucket/sync"), "plain.txt")
	c.run(t, "s3", "sync", "--delete", "s3://bucket/sync", down)
	delete(odd, "plain.txt")
	assertSameTree(t, odd, readTree(t, down))

	c.run(t, "s3", "rm", "s3://bucket/files/small.txt")
	assert.Equal(t, []string{"files/empty", "files/large.bin"}, awsKeys(t, c, "files/"))
	c.run(t, "s3", "rm", "--recursive", "s3://bucket/")
	assert.Empty(t, awsKeys(t, c, ""))
	c.run(t, "s3", "rb", "s3://bucket")
	assert.NotContains(t, c.run(t, "s3", "ls"), "bucket")
}

// awsKeys lists in pages of two.
func awsKeys(t *testing.T, c *client, prefix string) []string {
	t.Helper()
	out := c.run(t, "s3api", "list-objects-v2", "--bucket", "bucket", "--prefix", prefix,
		"--page-size", "2", "--query", "Contents[].Key", "--output", "json")
	var keys []string
	if out != "" {
		require.NoError(t, json.Unmarshal([]byte(out), &keys), out)
	}
	return keys
}
