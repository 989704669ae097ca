package awschunked

import (
	"bufio"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// signer has the credentials and the time of the examples in Amazon's
// documentation.
var signer = sigv4test.Signer{
	AccessKey: "AKIAIOSFODNN7EXAMPLE",
	Secret:    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	Region:    "us-east-1",
	Time:      time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC),
}

// verified verifies a request at the time it was signed.
func verified(t testing.TB, r *http.Request) (sigv4.Payload, *sigv4.Seed) {
	t.Helper()
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	require.NoError(t, err)
	v, err := sigv4.NewVerifier(sigv4.Config{Region: signer.Region, Now: func() time.Time { return signed }})
	require.NoError(t, err)
	target, err := sigv4.ParseTarget(r)
	require.NoError(t, err)
	req, err := v.Parse(r, target)
	require.NoError(t, err)
	seed, err := v.Verify(req, signer.Secret, true)
	require.NoError(t, err)
	return req.Payload, seed
}

func seedOf(t testing.TB, r *http.Request) *sigv4.Seed {
	t.Helper()
	_, seed := verified(t, r)
	return seed
}

// An upload is a signed request and its body, to be changed before it is read.
type upload struct {
	mode   sigv4.PayloadMode
	header http.Header
	seed   *sigv4.Seed
	body   string
}

var payloads = map[sigv4.PayloadMode]string{
	sigv4.SignedChunks:          sigv4test.SignedChunks,
	sigv4.SignedChunksTrailer:   sigv4test.SignedChunksTrailer,
	sigv4.UnsignedChunksTrailer: sigv4test.UnsignedChunksTrailer,
}

// newUpload frames data. The mode's trailer is the lines given; the header
// x-amz-trailer announces the name of the first one.
func newUpload(t testing.TB, mode sigv4.PayloadMode, data string, size int, trailer ...string) *upload {
	t.Helper()
	r, err := http.NewRequest(http.MethodPut, "http://localhost/bucket/key", nil)
	require.NoError(t, err)
	r.Host = "localhost"
	r.RequestURI = "/bucket/key"
	u := &upload{mode: mode, header: r.Header}
	u.setLength(len(data))
	if len(trailer) > 0 {
		name, _, _ := strings.Cut(trailer[0], ":")
		r.Header.Set("X-Amz-Trailer", name)
	}
	chunks := sigv4test.Chunks{Size: size, Seed: signer.Sign(r, payloads[mode]), Trailer: trailer, EndTrailer: mode.Trailer()}
	u.seed = seedOf(t, r)
	if !mode.Signed() {
		chunks.Seed = ""
	}
	u.body = signer.Chunks(data, chunks)
	return u
}

func (u *upload) setLength(n int) {
	u.header.Set("X-Amz-Decoded-Content-Length", itoa(n))
}

func (u *upload) reader(src io.Reader) (*Reader, error) {
	var chain *sigv4.Chain
	if u.mode.Signed() {
		chain = u.seed.Chain()
	}
	return NewReader(src, u.header, u.mode, chain)
}

func (u *upload) read() (string, error) {
	r, err := u.reader(strings.NewReader(u.body))
	if err != nil {
		return "", err
	}
	got, err := io.ReadAll(r)
	return string(got), err
}

func line(name string, h hash.Hash, data string) string {
	h.Write([]byte(data))
	return name + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

func readRequest(t testing.TB, text string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n"))))
	require.NoError(t, err)
	return r
}
