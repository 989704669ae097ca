package awschunked

import (
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/minio/crc64nvme"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

func itoa(n int) string { return strconv.Itoa(n) }

func castagnoli() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) }

// crcLine is the trailer that most tests bring.
func crcLine(data string) string { return line("x-amz-checksum-crc32c", castagnoli(), data) }

// pattern returns n bytes without a short period.
func pattern(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

const exampleHeaders = `PUT /examplebucket/chunkObject.txt HTTP/1.1
Host: s3.amazonaws.com
x-amz-date: 20130524T000000Z
x-amz-storage-class: REDUCED_REDUNDANCY
Content-Encoding: aws-chunked
x-amz-decoded-content-length: 66560
Content-Length: 66824
Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,`

// The example of "Signature Calculations for the Authorization Header:
// Transferring Payload in Multiple Chunks (Chunked Upload)".
func TestTheChunkedUploadInTheDocumentationIsRead(t *testing.T) {
	t.Parallel()
	request := readRequest(t, exampleHeaders+`SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD

`)
	body := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) +
		"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1024) +
		"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	require.EqualValues(t, request.ContentLength, len(body))
	r, err := NewReader(strings.NewReader(body), request.Header, sigv4.SignedChunks, seedOf(t, request).Chain())
	require.NoError(t, err)
	require.EqualValues(t, 66560, r.Size())
	require.NoError(t, iotest.TestReader(r, []byte(strings.Repeat("a", 66560))))
}

// The example of "Signature calculations for trailing headers (chunked
// uploads)".
func TestTheTrailerInTheDocumentationIsRead(t *testing.T) {
	t.Parallel()
	request := readRequest(t, exampleHeaders+`SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e
x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER
x-amz-trailer: x-amz-checksum-crc32c

`)
	body := "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", 65536) +
		"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1024) +
		"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	r, err := NewReader(strings.NewReader(body), request.Header, sigv4.SignedChunksTrailer, seedOf(t, request).Chain())
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("a", 66560), string(data))
}

func TestEveryFramingIsReadHoweverItArrives(t *testing.T) {
	t.Parallel()
	for _, mode := range []sigv4.PayloadMode{sigv4.SignedChunks, sigv4.SignedChunksTrailer, sigv4.UnsignedChunksTrailer} {
		for _, n := range []int{0, 1, 8191, 8192, 8193, 20_000, 100_000} {
			for _, size := range []int{0, 8192, 10_001} {
				t.Run(fmt.Sprint(payloads[mode], n, size), func(t *testing.T) {
					t.Parallel()
					data := pattern(n)
					var trailer []string
					if mode.Trailer() {
						trailer = []string{crcLine(data)}
					}
					u := newUpload(t, mode, data, size, trailer...)
					for _, arrive := range []func(io.Reader) io.Reader{
						iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader, func(r io.Reader) io.Reader { return r },
					} {
						r, err := u.reader(arrive(strings.NewReader(u.body)))
						require.NoError(t, err)
						require.NoError(t, iotest.TestReader(r, []byte(data)))
						require.Equal(t, mode.Trailer(), r.Announced() != "")
					}
				})
			}
		}
	}
}

func TestEveryChecksumIsVerified(t *testing.T) {
	t.Parallel()
	data := pattern(30_000)
	for algorithm, h := range map[container.Algorithm]func() hash.Hash{
		container.CRC32:     func() hash.Hash { return crc32.NewIEEE() },
		container.CRC32C:    castagnoli,
		container.CRC64NVME: func() hash.Hash { return crc64nvme.New() },
		container.SHA1:      sha1.New,
		container.SHA256:    sha256.New,
	} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			name := "x-amz-checksum-" + strings.ToLower(string(algorithm))
			u := newUpload(t, sigv4.UnsignedChunksTrailer, data, 0, line(name, h(), data))
			r, err := u.reader(strings.NewReader(u.body))
			require.NoError(t, err)
			require.Equal(t, algorithm, r.Announced())
			_, err = io.ReadAll(r)
			require.NoError(t, err)

			u = newUpload(t, sigv4.UnsignedChunksTrailer, data, 0, line(name, h(), data+"x"))
			_, err = u.read()
			e := requireError(t, err, BadDigest)
			require.Equal(t, "The "+string(algorithm)+" you specified did not match the calculated checksum.", e.Message)
			require.ErrorIs(t, err, container.ErrDigest)

			for _, value := range []string{"AAAA", "?", "AAAAAA=", strings.Repeat("A", 400)} {
				u = newUpload(t, sigv4.UnsignedChunksTrailer, data, 0, name+":"+value)
				_, err = u.read()
				e := requireError(t, err, InvalidRequest)
				require.Equal(t, "Value for "+name+" trailing header is invalid.", e.Message)
			}
		})
	}
}

func TestClientsMayEndTheLinesOfATrailerInTheirWays(t *testing.T) {
	t.Parallel()
	data := pattern(100)
	for _, mode := range []sigv4.PayloadMode{sigv4.SignedChunksTrailer, sigv4.UnsignedChunksTrailer} {
		good := newUpload(t, mode, data, 0, crcLine(data))
		at := strings.Index(good.body, "x-amz-checksum")
		body, trailer := good.body[:at], good.body[at:]
		for name, trailer := range map[string]string{
			"as documented":             trailer,
			"without the empty line":    strings.TrimSuffix(trailer, "\r\n"),
			"bare line feeds":           strings.ReplaceAll(trailer, "\r\n", "\n"),
			"an empty line before":      "\r\n" + trailer,
			"an empty line after each":  strings.ReplaceAll(trailer, "\r\n", "\n\r\n"),
			"white space":               strings.ReplaceAll(strings.ReplaceAll(trailer, ":", " :  "), "\r", " \r"),
			"a name in another case":    strings.Replace(trailer, "x-amz-checksum", "X-Amz-Checksum", 1),
			"the signature upper cased": strings.Replace(trailer, "x-amz-trailer-signature", "X-AMZ-Trailer-Signature", 1),
		} {
			u := *good
			u.body = body + trailer
			if name == "white space" {
				u.body = strings.ReplaceAll(u.body, " \r\n \r\n", " \r\n\r\n")
			}
			got, err := u.read()
			require.NoError(t, err, name)
			require.Equal(t, data, got)
		}
	}
}

func TestATrailerMayBeAbsentIfNoneIsAnnounced(t *testing.T) {
	t.Parallel()
	for _, mode := range []sigv4.PayloadMode{sigv4.SignedChunksTrailer, sigv4.UnsignedChunksTrailer} {
		u := newUpload(t, mode, pattern(100), 0)
		got, err := u.read()
		require.NoError(t, err)
		require.Equal(t, pattern(100), got)
	}
}

func TestAConsumerThatOnlyCountsDoesNotGetTheLastBytes(t *testing.T) {
	t.Parallel()
	data := pattern(20_000)
	u := newUpload(t, sigv4.SignedChunksTrailer, data, 8192, crcLine(data+"x"))
	r, err := u.reader(strings.NewReader(u.body))
	require.NoError(t, err)
	n, err := io.ReadFull(r, make([]byte, len(data)))
	requireError(t, err, BadDigest)
	require.Less(t, n, len(data))
	_, again := r.Read(make([]byte, 1))
	require.Equal(t, err, again)
}

func TestAFailureOfTheSourcePasses(t *testing.T) {
	t.Parallel()
	failure := errors.New("connection lost")
	data := pattern(20_000)
	for _, mode := range []sigv4.PayloadMode{sigv4.SignedChunks, sigv4.SignedChunksTrailer} {
		var trailer []string
		if mode.Trailer() {
			trailer = []string{crcLine(data)}
		}
		u := newUpload(t, mode, data, 8192, trailer...)
		for at := range len(u.body) {
			if at%97 != 0 && at < len(u.body)-200 {
				continue
			}
			r, err := u.reader(io.MultiReader(strings.NewReader(u.body[:at]), iotest.ErrReader(failure)))
			require.NoError(t, err)
			_, err = io.ReadAll(r)
			require.ErrorIs(t, err, failure, at)
		}
	}
}

func TestAChunkDoesNotAllocate(t *testing.T) {
	data := pattern(8192 * 40)
	u := newUpload(t, sigv4.SignedChunks, data, 8192)
	src := strings.NewReader(u.body)
	r, err := u.reader(src)
	require.NoError(t, err)
	p := make([]byte, 8192)
	read := func() {
		_, err := io.ReadFull(r, p)
		require.NoError(t, err)
	}
	read() // the chain grows its buffer once
	read()
	require.Zero(t, testing.AllocsPerRun(30, func() {
		if _, err := r.Read(p); err != nil {
			t.Error(err)
		}
	}))
}

func BenchmarkReader(b *testing.B) {
	data := pattern(4 << 20)
	for _, mode := range []sigv4.PayloadMode{sigv4.SignedChunks, sigv4.UnsignedChunksTrailer} {
		b.Run(payloads[mode], func(b *testing.B) {
			var trailer []string
			if mode.Trailer() {
				trailer = []string{crcLine(data)}
			}
			u := newUpload(b, mode, data, 64<<10, trailer...)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			p := make([]byte, 256<<10)
			for b.Loop() {
				r, err := u.reader(strings.NewReader(u.body))
				require.NoError(b, err)
				for err == nil {
					_, err = r.Read(p)
				}
				require.Equal(b, io.EOF, err)
			}
		})
	}
}
