package awschunked

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

const (
	cutOff      = "The request body terminated unexpectedly"
	wrongLength = "You did not provide the number of bytes specified by the Content-Length HTTP header"
	badTrailer  = "The request contained trailing data that was not well-formed or did not conform to our published schema."
	smallChunk  = "Only the last chunk is allowed to have a size less than 8192 bytes"
)

func requireError(t testing.TB, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, e.Message)
	return e
}

// unsigned reads body as unsigned chunks of which the length is announced, and
// a CRC32C too if checksum.
func unsigned(body, length string, checksum bool) error {
	h := http.Header{}
	h.Set("X-Amz-Decoded-Content-Length", length)
	if checksum {
		h.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	}
	u := upload{mode: sigv4.UnsignedChunksTrailer, header: h, body: body}
	_, err := u.read()
	return err
}

func TestEveryMalformedChunkHasItsError(t *testing.T) {
	t.Parallel()
	full := strings.Repeat("a", 8192)
	for name, tc := range map[string]struct {
		body   string
		length string
		want   Error
	}{
		"nothing":                        {"", "1", Error{Kind: IncompleteBody, Message: cutOff}},
		"nothing for nothing":            {"", "0", Error{Kind: IncompleteBody, Message: cutOff}},
		"no size":                        {"\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a size that is no number":       {"g\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a negative size":                {"-3\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a size with a prefix":           {"0x3\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a size with a space":            {" 3\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a size that overflows":          {"10000000000000003\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a size that overflows the sign": {"8000000000000003\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"the largest size":               {"7fffffffffffffff\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: wrongLength}},
		"a bare line feed":               {"3\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"an extension":                   {"3;a=b\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"an endless header":              {strings.Repeat("0", 5000) + "3\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"a header of more than 1 KiB":    {strings.Repeat("0", 1022) + "3\r\nabc\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"data that ends early":           {"3\r\nab", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"data without its end":           {"3\r\nabc", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"data longer than its chunk":     {"3\r\nabcd\r\n0\r\n\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"no last chunk":                  {"3\r\nabc\r\n", "3", Error{Kind: IncompleteBody, Message: cutOff}},
		"fewer bytes than announced":     {"3\r\nabc\r\n0\r\n\r\n", "4", Error{Kind: IncompleteBody, Message: wrongLength}},
		"more bytes than announced":      {"3\r\nabc\r\n0\r\n\r\n", "2", Error{Kind: IncompleteBody, Message: wrongLength}},
		"bytes where none were":          {"3\r\nabc\r\n0\r\n\r\n", "0", Error{Kind: IncompleteBody, Message: wrongLength}},
		"a small chunk before another": {"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "6", Error{Kind: InvalidChunkSizeError, Message: smallChunk,
			Chunk: 2, BadChunkSize: 5}},
		"a small chunk later on": {"2000\r\n" + full + "\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "8198", Error{Kind: InvalidChunkSizeError,
			Message: smallChunk, Chunk: 3, BadChunkSize: 5}},
		"a chunk after the last one": {"0\r\n3\r\nabc\r\n0\r\n\r\n", "0", Error{Kind: MalformedTrailerError, Message: badTrailer}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := unsigned(tc.body, tc.length, false)
			require.Equal(t, tc.want, *requireError(t, err, tc.want.Kind))
		})
	}
}

func TestAChunkHeaderOfOneKiBIsRead(t *testing.T) {
	t.Parallel()
	require.NoError(t, unsigned(strings.Repeat("0", 1021)+"3\r\nabc\r\n0\r\n\r\n", "3", false))
	require.NoError(t, unsigned("A\r\n0123456789\r\n00\r\n\r\n", "10", false))
}

func TestEveryMalformedTrailerHasItsError(t *testing.T) {
	t.Parallel()
	crc := crcLine("abc")
	const name, value = "x-amz-checksum-crc32c", ":Nks/tw=="
	require.Equal(t, crc, name+value)
	for what, trailer := range map[string]string{
		"missing":                "\r\n",
		"missing altogether":     "",
		"of another algorithm":   line("x-amz-checksum-crc32", castagnoli(), "abc") + "\r\n\r\n",
		"with one more":          crc + "\r\nx-amz-meta-a:b\r\n\r\n",
		"twice":                  crc + "\r\n" + crc + "\r\n\r\n",
		"without a colon":        name + "\r\n\r\n",
		"without a name":         value + "\r\n\r\n",
		"without a value":        name + ":\r\n\r\n",
		"cut off":                crc,
		"with data behind":       crc + "\r\n\r\nmore",
		"with a line behind":     crc + "\r\n\r\nx-more:1\r\n",
		"signed":                 crc + "\r\nx-amz-trailer-signature:" + strings.Repeat("0", 64) + "\r\n\r\n",
		"too long":               crc + "\r\n" + strings.Repeat("\r\n", maxTrailer/2) + "\r\n",
		"too long, in one value": name + ":" + strings.Repeat("A", maxTrailer) + "\r\n\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			err := unsigned("3\r\nabc\r\n0\r\n"+trailer, "3", true)
			require.Equal(t, badTrailer, requireError(t, err, MalformedTrailerError).Message)
			require.ErrorIs(t, err, container.ErrInvalid)
		})
	}
	t.Run("in base64 of two spellings", func(t *testing.T) {
		t.Parallel()
		requireError(t, unsigned("3\r\nabc\r\n0\r\n"+name+":Nks/tx==\r\n\r\n", "3", true), InvalidRequest)
	})
	t.Run("of data that is too short", func(t *testing.T) {
		t.Parallel()
		e := requireError(t, unsigned("3\r\nabc\r\n0\r\n"+crcLine("abcd")+"\r\n\r\n", "4", true), IncompleteBody)
		require.Equal(t, wrongLength, e.Message)
	})
	t.Run("undeclared", func(t *testing.T) {
		t.Parallel()
		requireError(t, unsigned("3\r\nabc\r\n0\r\n"+crc+"\r\n\r\n", "3", false), MalformedTrailerError)
	})
	t.Run("right", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, unsigned("3\r\nabc\r\n0\r\n"+crc+"\r\n\r\n", "3", true))
	})
}

func TestEverySignatureIsVerified(t *testing.T) {
	t.Parallel()
	data := pattern(20_000) // chunks of 8192, 8192, 3616 and 0 bytes
	flip := func(text string, nth int) func(*upload) {
		return func(u *upload) {
			at := 0
			for range nth {
				at += strings.Index(u.body[at:], text) + len(text)
			}
			digit := "0"
			if u.body[at] == '0' {
				digit = "1"
			}
			u.body = u.body[:at] + digit + u.body[at+1:]
		}
	}
	for name, edit := range map[string]func(*upload){
		"first chunk":     flip("chunk-signature=", 1),
		"second chunk":    flip("chunk-signature=", 2),
		"last data chunk": flip("chunk-signature=", 3),
		"last chunk":      flip("chunk-signature=", 4),
		"trailer":         flip("x-amz-trailer-signature:", 1),
		"trailer, short":  func(u *upload) { u.body = strings.Replace(u.body, "trailer-signature:", "trailer-signature:0", 1) },
		"data":            flip("100,", 1),
		"data at the end": func(u *upload) { i := strings.Index(u.body, "\r\n0;"); u.body = u.body[:i-1] + "?" + u.body[i:] },
		"checksum":        flip("crc32c:", 1),
		"not hexadecimal": func(u *upload) {
			u.body = strings.Replace(u.body, "chunk-signature=", "chunk-signature=x", 1)
			i := strings.Index(u.body, "\r\n")
			u.body = u.body[:i-1] + u.body[i:]
		},
		"another's chunks": func(u *upload) {
			r, _ := http.NewRequest(http.MethodPut, "http://localhost/bucket/other", nil)
			r.RequestURI = "/bucket/other"
			signer.Sign(r, payloads[u.mode])
			r.Host = "localhost"
			u.seed = seedOf(t, r)
		},
		"chunks exchanged": func(u *upload) {
			first, second := strings.Index(u.body, "2000;"), strings.LastIndex(u.body, "2000;")
			end := second + second - first
			u.body = u.body[:first] + u.body[second:end] + u.body[first:second] + u.body[end:]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpload(t, sigv4.SignedChunksTrailer, data, 8192, crcLine(data))
			_, err := u.read()
			require.NoError(t, err)
			edit(u)
			_, err = u.read()
			var e *sigv4.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, sigv4.SignatureDoesNotMatch, e.Kind)
			require.ErrorIs(t, err, container.ErrDenied)
			require.NotEmpty(t, e.StringToSign)
		})
	}
}

func TestSignedChunksMustCarrySignaturesAndNothingElse(t *testing.T) {
	t.Parallel()
	data := pattern(100)
	for name, edit := range map[string]struct{ old, new string }{
		"no signature":            {";chunk-signature=", ""},
		"another extension":       {";chunk-signature=", ";chunk-extension="},
		"a short signature":       {"chunk-signature=", "chunk-signature"},
		"an extension before":     {";chunk-signature=", ";a=b;chunk-signature="},
		"data after the end":      {"\r\n\r\n", "\r\n\r\n!"},
		"no end":                  {"\r\n\r\n", "\r\n"},
		"a trailer without right": {"\r\n\r\n", "\r\n" + crcLine(data) + "\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newUpload(t, sigv4.SignedChunks, data, 0)
			u.body = strings.Replace(u.body, edit.old, edit.new, 1)
			_, err := u.read()
			require.Equal(t, cutOff, requireError(t, err, IncompleteBody).Message)
			require.ErrorIs(t, err, container.ErrLength)
		})
	}
	u := newUpload(t, sigv4.SignedChunksTrailer, data, 0, crcLine(data))
	u.body = u.body[:strings.Index(u.body, "x-amz-trailer-signature")] + "\r\n"
	_, err := u.read()
	requireError(t, err, MalformedTrailerError)

	u = newUpload(t, sigv4.SignedChunksTrailer, data, 0, crcLine(data))
	u.body = strings.TrimSuffix(u.body, "\r\n") + "x-amz-meta-more:1\r\n\r\n"
	_, err = u.read()
	requireError(t, err, MalformedTrailerError)

	u = newUpload(t, sigv4.SignedChunksTrailer, data, 0, crcLine(data))
	at := strings.Index(u.body, "x-amz-checksum")
	checksum, signature, _ := strings.Cut(u.body[at:], "\r\n")
	u.body = u.body[:at] + strings.TrimSuffix(signature, "\r\n") + checksum + "\r\n\r\n"
	_, err = u.read()
	requireError(t, err, MalformedTrailerError)
}

func TestWrongHeadersAreRefusedBeforeTheBodyIsRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		mode   sigv4.PayloadMode
		header http.Header
		want   Error
	}{
		"no decoded length": {sigv4.UnsignedChunksTrailer, http.Header{}, Error{Kind: MissingContentLength, Message: "You must provide the Content-Length HTTP header."}},
		"a decoded length that is no number": {sigv4.UnsignedChunksTrailer, lengths("x"), Error{Kind: InvalidArgument,
			Message: "The value of x-amz-decoded-content-length must be one non-negative integer.", ArgumentName: "x-amz-decoded-content-length", ArgumentValue: "x"}},
		"a negative decoded length": {sigv4.UnsignedChunksTrailer, lengths("-1"), Error{Kind: InvalidArgument,
			Message: "The value of x-amz-decoded-content-length must be one non-negative integer.", ArgumentName: "x-amz-decoded-content-length", ArgumentValue: "-1"}},
		"a decoded length that overflows": {sigv4.UnsignedChunksTrailer, lengths("9223372036854775808"), Error{Kind: InvalidArgument,
			Message: "The value of x-amz-decoded-content-length must be one non-negative integer.", ArgumentName: "x-amz-decoded-content-length", ArgumentValue: "9223372036854775808"}},
		"two decoded lengths": {sigv4.UnsignedChunksTrailer, lengths("1", "1"), Error{Kind: InvalidArgument,
			Message: "The value of x-amz-decoded-content-length must be one non-negative integer.", ArgumentName: "x-amz-decoded-content-length", ArgumentValue: "1"}},
		"an unknown checksum":            {sigv4.UnsignedChunksTrailer, trailers("x-amz-checksum-md4"), Error{Kind: InvalidRequest, Message: "The value specified in the x-amz-trailer header is not supported"}},
		"no checksum":                    {sigv4.UnsignedChunksTrailer, trailers("crc32"), Error{Kind: InvalidRequest, Message: "The value specified in the x-amz-trailer header is not supported"}},
		"two checksums":                  {sigv4.UnsignedChunksTrailer, trailers("x-amz-checksum-crc32", "x-amz-checksum-crc32c"), Error{Kind: InvalidRequest, Message: "The value specified in the x-amz-trailer header is not supported"}},
		"a trailer in a framing without": {sigv4.SignedChunks, trailers("x-amz-checksum-crc32"), Error{Kind: MalformedTrailerError, Message: badTrailer}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := upload{mode: tc.mode, header: tc.header, seed: newUpload(t, sigv4.SignedChunks, "", 0).seed}
			_, err := u.reader(failing{})
			require.Equal(t, tc.want, *requireError(t, err, tc.want.Kind))
		})
	}
	_, err := NewReader(failing{}, lengths("1"), sigv4.SignedChunks, nil)
	require.Error(t, err)
	_, err = NewReader(failing{}, lengths("1"), sigv4.HashedPayload, nil)
	require.Error(t, err)
}

func lengths(values ...string) http.Header {
	return http.Header{"X-Amz-Decoded-Content-Length": values}
}

func trailers(values ...string) http.Header {
	return http.Header{"X-Amz-Decoded-Content-Length": {"1"}, "X-Amz-Trailer": values}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("read") }
