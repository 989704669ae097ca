package sigv4

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// testdata/clients holds requests as clients sent them, recorded from the
// wire: boto3, the AWS SDKs for Go (v2) and JavaScript (v3), minio-go, and
// curl --aws-sigv4. They put and list keys that are awkward to encode.
func TestRequestsThatClientsSentVerify(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/clients/*.http")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 16)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(name)
			require.NoError(t, err)
			defer f.Close()
			r, err := http.ReadRequest(bufio.NewReader(f))
			require.NoError(t, err)
			signed, err := parseTimestamp(r.Header)
			require.NoError(t, err)
			v := newVerifier(t, Config{Now: func() time.Time { return signed.time }})
			req, err := parse(v, r)
			require.NoError(t, err)
			_, err = v.Verify(req, exampleSecret, true)
			require.NoError(t, err)
			if req.Payload.Mode == HashedPayload {
				_, err = io.ReadAll(NewHashReader(r.Body, req.Payload.SHA256, r.ContentLength))
				require.NoError(t, err)
			}
		})
	}
}
