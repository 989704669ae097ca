package awschunked

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

// The recorded requests are described in package sigv4. What they upload is
// "hello", once or many times.
func TestBodiesThatClientsSentAreRead(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../sigv4/testdata/clients/*-put-*.http")
	require.NoError(t, err)
	read := 0
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			r, err := http.ReadRequest(bufio.NewReader(f))
			require.NoError(t, err)
			payload, seed := verified(t, r)
			if !payload.Mode.Streaming() {
				return
			}
			var chain *sigv4.Chain
			if payload.Mode.Signed() {
				chain = seed.Chain()
			}
			body, err := NewReader(r.Body, r.Header, payload.Mode, chain)
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.Equal(t, strings.Repeat("hello", len(data)/5), string(data))
			require.Equal(t, payload.Mode.Trailer(), body.Announced() != "")
			read++
		})
	}
	require.Equal(t, 6, read)
}
