package e2e

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// TestServersStreamOneGiBInLittleMemory uploads and downloads an object eight
// times as large as the memory that the server may take.
func TestServersStreamOneGiBInLittleMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak of a process's memory is read from Linux's /proc")
	}
	if testing.Short() {
		t.Skip("writes and reads 1 GiB")
	}
	const size, limit = 1 << 30, 128 << 20
	s := startServerEnv(t, []string{"GOMEMLIMIT=100MiB"},
		"-dir", t.TempDir(), "-access-key", accessKey, "-secret-key", secretKey)
	rawClient{s.endpoint}.do(t, "PUT", "/bucket", "").want(t, 200)

	source := newGenerator(size)
	put, err := http.NewRequestWithContext(t.Context(), "PUT", s.endpoint+"/bucket/large", source)
	require.NoError(t, err)
	put.ContentLength = size
	signer().Sign(put, sigv4test.Unsigned)
	response, err := http.DefaultTransport.RoundTrip(put)
	require.NoError(t, err)
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, 200, response.StatusCode, string(answer))
	afterPut := peakMemory(t, s)

	get, err := http.NewRequestWithContext(t.Context(), "GET", s.endpoint+"/bucket/large", nil)
	require.NoError(t, err)
	signer().Sign(get, sigv4test.Unsigned)
	response, err = http.DefaultTransport.RoundTrip(get)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, 200, response.StatusCode)
	received := sha256.New()
	n, err := io.Copy(received, response.Body)
	require.NoError(t, err)
	require.Equal(t, int64(size), n)
	assert.Equal(t, hex.EncodeToString(source.sum.Sum(nil)), hex.EncodeToString(received.Sum(nil)))

	afterGet := peakMemory(t, s)
	t.Logf("peak RSS: %d MiB after PUT, %d MiB after GET, of at most %d MiB", afterPut>>20, afterGet>>20, limit>>20)
	assert.Less(t, afterGet, int64(limit))
}

// peakMemory returns the most memory that the server ever had resident, in
// bytes.
func peakMemory(t *testing.T, s *server) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(t, found)
	var kib int64
	_, err = fmt.Sscan(rest, &kib)
	require.NoError(t, err)
	return kib << 10
}

// A generator yields bytes of which no two blocks are alike, and hashes them.
type generator struct {
	block []byte
	rest  []byte // of block, yet to be read
	count uint64
	left  int64
	sum   hash.Hash
}

func newGenerator(size int64) *generator {
	g := &generator{block: make([]byte, 64<<10), left: size, sum: sha256.New()}
	random := rand.NewChaCha8([32]byte{2})
	_, _ = random.Read(g.block)
	return g
}

func (g *generator) Read(p []byte) (int, error) {
	if g.left == 0 {
		return 0, io.EOF
	}
	if len(g.rest) == 0 {
		g.count++
		binary.LittleEndian.PutUint64(g.block, g.count)
		g.rest = g.block
	}
	n := copy(p[:min(int64(len(p)), g.left)], g.rest)
	g.sum.Write(p[:n])
	g.rest, g.left = g.rest[n:], g.left-int64(n)
	return n, nil
}
