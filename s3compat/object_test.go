package s3compat_test

import (
	"bytes"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

func md5Of(body string) []byte { sum := md5.Sum([]byte(body)); return sum[:] }

func crcOf(body string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body))))
}

func TestAnObjectIsReadBackAsItWasPut(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	put := s.do(t, "PUT", "/bucket/a/key", "hello",
		"Content-Type: text/plain", "Content-Language: de", "Content-Disposition: inline", "Cache-Control: no-cache",
		"Expires: Thu, 01 Dec 2033 16:00:00 GMT", "Content-Encoding: gzip",
		"X-Amz-Meta-Color: red", "X-Amz-Meta-Color: blue", "X-Amz-Meta-Name: J\xf6rg", "X-Amz-Storage-Class: STANDARD_IA", "X-Amz-Acl: private")
	put.want(t, 200, "")
	etag := `"` + hex.EncodeToString(md5Of("hello")) + `"`
	assert.Equal(t, etag, put.header.Get("ETag"))
	assert.NotEmpty(t, put.header.Get("X-Amz-Checksum-Crc64nvme"))
	s.wantEvent(t, event.PutArtifact, event.OK)

	for _, method := range []string{"GET", "HEAD"} {
		got := s.do(t, method, "/bucket/a/key", "")
		got.want(t, 200, "")
		for name, want := range map[string]string{
			"ETag": etag, "Content-Type": "text/plain", "Content-Language": "de", "Content-Disposition": "inline",
			"Cache-Control": "no-cache", "Expires": "Thu, 01 Dec 2033 16:00:00 GMT", "Content-Encoding": "gzip",
			"X-Amz-Meta-Color": "red,blue", "X-Amz-Meta-Name": "J\xf6rg", "X-Amz-Storage-Class": "STANDARD_IA",
			"Content-Length": "5", "Accept-Ranges": "bytes", "X-Amz-Checksum-Crc64nvme": "",
		} {
			assert.Equal(t, want, got.header.Get(name), name)
		}
		_, err := http.ParseTime(got.header.Get("Last-Modified"))
		assert.NoError(t, err)
		if method == "GET" {
			assert.Equal(t, "hello", got.body)
			e := s.wantEvent(t, event.GetArtifact, event.OK)
			assert.Equal(t, int64(5), e.Bytes)
			assert.Equal(t, event.Request{ID: got.header.Get("X-Amz-Request-Id"), RemoteAddr: e.Request.RemoteAddr, API: "GetObject"}, e.Request)
		} else {
			s.wantEvent(t, event.StatArtifact, event.OK)
		}
	}
}

func TestHeadersAreSpelledAsClientsLookForThem(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Meta-Some-Name: v").want(t, 200, "")
	raw := rawRequest(t, s, "GET", "/bucket/k", "", nil)
	for _, want := range []string{"\r\nETag: ", "\r\nx-amz-meta-some-name: v\r\n", "\r\nx-amz-request-id: ", "\r\nx-amz-id-2: "} {
		assert.Contains(t, raw, want)
	}
}

func TestAnObjectWithoutATypeIsBinary(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "<html>").want(t, 200, "")
	assert.Equal(t, "binary/octet-stream", s.do(t, "GET", "/bucket/k", "").header.Get("Content-Type"))
}

func TestGetReturnsTheRangeThatIsAskedFor(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "0123456789").want(t, 200, "")
	s.do(t, "PUT", "/bucket/empty", "").want(t, 200, "")
	for _, c := range []struct {
		header, body, contentRange string
		status                     int
	}{
		{"bytes=2-4", "234", "bytes 2-4/10", 206},
		{"bytes=7-", "789", "bytes 7-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=-30", "0123456789", "bytes 0-9/10", 206},
		{"bytes=0-", "0123456789", "bytes 0-9/10", 206},
		{"bytes=8-99999999999999999999999", "89", "bytes 8-9/10", 206},
		{"BYTES=1-1", "1", "bytes 1-1/10", 206},
		{"bytes=4-2", "0123456789", "", 200},
		{"bytes=0-1,3-4", "0123456789", "", 200},
		{"bytes=a-b", "0123456789", "", 200},
		{"bytes=", "0123456789", "", 200},
		{"bytes=-", "0123456789", "", 200},
		{"lines=1-2", "0123456789", "", 200},
	} {
		got := s.do(t, "GET", "/bucket/k", "", "Range: "+c.header, "X-Amz-Checksum-Mode: ENABLED")
		got.want(t, c.status, "")
		assert.Equal(t, c.body, got.body, c.header)
		assert.Equal(t, c.contentRange, got.header.Get("Content-Range"), c.header)
		assert.Equal(t, c.status == 200, got.header.Get("X-Amz-Checksum-Crc64nvme") != "", c.header)
		head := s.do(t, "HEAD", "/bucket/k", "", "Range: "+c.header)
		head.want(t, c.status, "")
		assert.Equal(t, c.contentRange, head.header.Get("Content-Range"), c.header)
	}
	for _, c := range []struct{ path, header, size string }{
		{"/bucket/k", "bytes=10-", "10"}, {"/bucket/k", "bytes=-0", "10"}, {"/bucket/k", "bytes=99999999999999999999-", "10"},
		{"/bucket/empty", "bytes=0-", "0"}, {"/bucket/empty", "bytes=-1", "0"},
	} {
		s.events.Reset()
		got := s.do(t, "GET", c.path, "", "Range: "+c.header)
		e := got.want(t, 416, "InvalidRange")
		assert.Equal(t, c.header, e.RangeRequested)
		assert.Equal(t, c.size, e.ActualObjectSize)
		assert.Equal(t, "bytes */"+c.size, got.header.Get("Content-Range"))
		s.wantEvent(t, event.GetArtifact, event.Invalid)
		s.do(t, "HEAD", c.path, "", "Range: "+c.header).want(t, 416, "")
		s.wantEvent(t, event.StatArtifact, event.Invalid)
	}
	assert.Equal(t, 200, s.do(t, "GET", "/bucket/k", "", "Range: bytes=0-1", `If-Range: "other"`).status)
}

func TestConditionsOfReads(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	etag := s.do(t, "PUT", "/bucket/k", "x", "Cache-Control: max-age=3").header.Get("ETag")
	bare := strings.Trim(etag, `"`)
	before, after := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat), time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for _, c := range []struct {
		headers   []string
		status    int
		condition string
	}{
		{[]string{"If-Match: " + etag}, 200, ""},
		{[]string{"If-Match: " + bare}, 200, ""},
		{[]string{"If-Match: *"}, 200, ""},
		{[]string{`If-Match: "other", ` + etag}, 200, ""},
		{[]string{`If-Match: "other"`}, 412, "If-Match"},
		{[]string{"If-None-Match: " + etag}, 304, ""},
		{[]string{"If-None-Match: W/" + etag}, 304, ""},
		{[]string{"If-None-Match: *"}, 304, ""},
		{[]string{`If-None-Match: "other"`}, 200, ""},
		{[]string{"If-Modified-Since: " + before}, 200, ""},
		{[]string{"If-Modified-Since: " + after}, 304, ""},
		{[]string{"If-Unmodified-Since: " + after}, 200, ""},
		{[]string{"If-Unmodified-Since: " + before}, 412, "If-Unmodified-Since"},
		{[]string{"If-Modified-Since: yesterday"}, 200, ""},
		{[]string{"If-Match: " + etag, "If-Unmodified-Since: " + before}, 200, ""},
		{[]string{"If-None-Match: " + etag, "If-Modified-Since: " + before}, 304, ""},
	} {
		s.events.Reset()
		got := s.do(t, "GET", "/bucket/k", "", c.headers...)
		require.Equal(t, c.status, got.status, "%v %s", c.headers, got.body)
		require.Len(t, s.events.Events(), 1, "%v", c.headers)
		switch c.status {
		case 412:
			assert.Equal(t, c.condition, got.want(t, 412, "PreconditionFailed").Condition)
		case 304:
			assert.Empty(t, got.body)
			assert.Equal(t, etag, got.header.Get("ETag"))
			assert.Equal(t, "max-age=3", got.header.Get("Cache-Control"))
			assert.NotEmpty(t, got.header.Get("Last-Modified"))
		}
		assert.Equal(t, c.status, s.do(t, "HEAD", "/bucket/k", "", c.headers...).status, "%v", c.headers)
	}
}

func TestConditionsOfWrites(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "1", "If-Match: *").want(t, 404, "NoSuchKey")
	etag := s.do(t, "PUT", "/bucket/k", "1", "If-None-Match: *").header.Get("ETag")
	require.NotEmpty(t, etag)
	s.events.Reset()
	e := s.do(t, "PUT", "/bucket/k", "2", "If-None-Match: *").want(t, 412, "PreconditionFailed")
	assert.Equal(t, "If-None-Match", e.Condition)
	s.wantEvent(t, event.PutArtifact, event.Conflict)
	e = s.do(t, "PUT", "/bucket/k", "2", `If-Match: "other"`).want(t, 412, "PreconditionFailed")
	assert.Equal(t, "If-Match", e.Condition)
	s.do(t, "PUT", "/bucket/k", "2", "If-Match: "+etag).want(t, 200, "")
	for _, h := range []string{`If-None-Match: "x"`, "If-Modified-Since: Thu, 01 Dec 2033 16:00:00 GMT", "If-Unmodified-Since: x", "If-Unmodified-Since: "} {
		name, _, _ := strings.Cut(h, ":")
		assert.Equal(t, strings.ToLower(name), s.do(t, "PUT", "/bucket/k", "3", h).want(t, 501, "NotImplemented").Header)
	}
	s.do(t, "PUT", "/bucket/k", "3", "Content-Range: bytes 0-0/2").want(t, 400, "InvalidArgument")
	assert.Equal(t, "2", s.do(t, "GET", "/bucket/k", "").body)

	current := s.do(t, "HEAD", "/bucket/k", "").header.Get("ETag")
	for _, h := range []string{"If-Match: ", "If-Match: ,", "If-Match: W/", "If-Match: " + current + "x", "If-None-Match: ", "If-None-Match: , "} {
		s.events.Reset()
		s.do(t, "PUT", "/bucket/k", "4", h).want(t, 400, "InvalidArgument")
		s.wantEvent(t, event.PutArtifact, event.Invalid)
		s.do(t, "DELETE", "/bucket/k", "", h).want(t, 400, "InvalidArgument")
	}
	s.do(t, "PUT", "/bucket/k", "4", "If-Match: W/"+current).want(t, 412, "PreconditionFailed")
	s.do(t, "PUT", "/bucket/k", "4", `If-Match: "*"`).want(t, 412, "PreconditionFailed")
	s.do(t, "PUT", "/bucket/k", "4", `If-None-Match: "*"`).want(t, 501, "NotImplemented")
	assert.Equal(t, "2", s.do(t, "GET", "/bucket/k", "").body)

	s.do(t, "DELETE", "/bucket/k", "", "If-Match: "+etag).want(t, 412, "PreconditionFailed")
	s.do(t, "DELETE", "/bucket/k", "", "If-None-Match: *").want(t, 501, "NotImplemented")
	s.do(t, "DELETE", "/bucket/k", "", "If-Match: *").want(t, 204, "")
	s.do(t, "DELETE", "/bucket/k", "", "If-Match: *").want(t, 404, "NoSuchKey")
}

func TestDeletingWhatIsNotThereSucceeds(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "DELETE", "/bucket/k", "").want(t, 204, "")
	s.do(t, "DELETE", "/absent/k", "").want(t, 404, "NoSuchBucket")
}

func TestWhatIsNotThereIsNamed(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	e := s.do(t, "GET", "/bucket/k%20k", "").want(t, 404, "NoSuchKey")
	assert.Equal(t, "k k", e.Key)
	assert.Equal(t, "The specified key does not exist.", e.Message)
	assert.Equal(t, "/bucket/k k", e.Resource)
	e = s.do(t, "GET", "/absent/k", "").want(t, 404, "NoSuchBucket")
	assert.Equal(t, "absent", e.BucketName)
	head := s.do(t, "HEAD", "/bucket/k", "")
	head.want(t, 404, "")
	assert.Empty(t, head.body)
	s.do(t, "PUT", "/absent/k", "x").want(t, 404, "NoSuchBucket")
}

func TestResponseHeadersCanBeOverridden(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "x", "Content-Type: text/plain").want(t, 200, "")
	got := s.do(t, "GET", "/bucket/k?response-content-type=image%2Fpng&response-content-language=fr&response-expires=never"+
		"&response-cache-control=no-store&response-content-disposition=attachment%3B%20filename%3D%22a%22&response-content-encoding=br", "")
	for name, want := range map[string]string{
		"Content-Type": "image/png", "Content-Language": "fr", "Expires": "never", "Cache-Control": "no-store",
		"Content-Disposition": `attachment; filename="a"`, "Content-Encoding": "br",
	} {
		assert.Equal(t, want, got.header.Get(name), name)
	}
}

func TestDigestsAreVerifiedBeforeAnythingIsStored(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "old").want(t, 200, "")
	good, other := base64.StdEncoding.EncodeToString(md5Of("hello")), base64.StdEncoding.EncodeToString(md5Of("other"))
	for _, c := range []struct {
		headers       []string
		code, message string
	}{
		{[]string{"Content-MD5: " + other}, "BadDigest", "The Content-MD5 you specified did not match what we received."},
		{[]string{"Content-MD5: AAAA"}, "InvalidDigest", "The Content-MD5 you specified was invalid."},
		{[]string{"Content-MD5: "}, "InvalidDigest", ""},
		{[]string{"X-Amz-Checksum-Crc32: " + crcOf("other")}, "BadDigest", "The CRC32 you specified did not match the calculated checksum."},
		{[]string{"X-Amz-Checksum-Crc32: AAA"}, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{[]string{"X-Amz-Checksum-Crc32: " + crcOf("hello"), "X-Amz-Checksum-Crc32c: AAAAAA=="}, "InvalidRequest",
			"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."},
		{[]string{"X-Amz-Checksum-Crc32: " + crcOf("hello"), "X-Amz-Sdk-Checksum-Algorithm: SHA1"}, "InvalidRequest",
			"Value for x-amz-sdk-checksum-algorithm header is invalid."},
		{[]string{"X-Amz-Sdk-Checksum-Algorithm: SHA1"}, "InvalidRequest", ""},
		{[]string{"X-Amz-Checksum-Crc12: AAAA"}, "InvalidRequest", "The algorithm type you specified in x-amz-checksum- header is invalid."},
		{[]string{"X-Amz-Checksum-Sha512: AAAA"}, "NotImplemented", ""},
		{[]string{"X-Amz-Checksum-Type: FULL_OBJECT"}, "InvalidRequest", ""},
		{[]string{"X-Amz-Checksum-Crc32: " + crcOf("hello"), "X-Amz-Checksum-Type: COMPOSITE"}, "InvalidRequest", ""},
	} {
		s.events.Reset()
		status := 400
		if c.code == "NotImplemented" {
			status = 501
		}
		e := s.do(t, "PUT", "/bucket/k", "hello", c.headers...).want(t, status, c.code)
		if c.message != "" {
			assert.Equal(t, c.message, e.Message)
		}
		s.wantEvent(t, event.PutArtifact, event.Invalid)
		assert.Equal(t, "old", s.do(t, "GET", "/bucket/k", "").body, "%v", c.headers)
	}
	e := s.do(t, "PUT", "/bucket/k", "hello", "Content-MD5: "+other).want(t, 400, "BadDigest")
	assert.Equal(t, good, e.CalculatedDigest)
	assert.Equal(t, hex.EncodeToString(md5Of("other")), e.ExpectedDigest)

	put := s.do(t, "PUT", "/bucket/k", "hello", "Content-MD5: "+good, "X-Amz-Checksum-Crc32: "+crcOf("hello"),
		"X-Amz-Sdk-Checksum-Algorithm: CRC32", "X-Amz-Checksum-Type: FULL_OBJECT")
	put.want(t, 200, "")
	assert.Equal(t, crcOf("hello"), put.header.Get("X-Amz-Checksum-Crc32"))
	assert.Equal(t, "FULL_OBJECT", put.header.Get("X-Amz-Checksum-Type"))
	got := s.do(t, "GET", "/bucket/k", "", "X-Amz-Checksum-Mode: ENABLED")
	assert.Equal(t, crcOf("hello"), got.header.Get("X-Amz-Checksum-Crc32"))
	assert.Empty(t, got.header.Get("X-Amz-Checksum-Crc64nvme"))
}

func TestAWrongPayloadHashStoresNothing(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	r := s.request(t, "PUT", "/bucket/k", "hello")
	s.signer.Sign(r, sigv4test.Sum("other"))
	e := send(t, r).want(t, 400, "XAmzContentSHA256Mismatch")
	assert.Equal(t, sigv4test.Sum("hello"), e.S3ComputedContentSHA256)
	s.wantEvent(t, event.PutArtifact, event.Invalid)
	s.do(t, "GET", "/bucket/k", "").want(t, 404, "NoSuchKey")
}

func TestUnsignedAndChunkedPayloadsAreStoredWithoutTheirFraming(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	data := strings.Repeat("0123456789", 3000)
	for payload, trailer := range map[string][]string{
		sigv4test.Unsigned:              nil,
		sigv4test.SignedChunks:          nil,
		sigv4test.SignedChunksTrailer:   {"x-amz-checksum-crc32:" + crcOf(data)},
		sigv4test.UnsignedChunksTrailer: {"x-amz-checksum-crc32:" + crcOf(data)},
	} {
		got := s.putChunked(t, payload, data, data, trailer)
		got.want(t, 200, "")
		assert.Equal(t, `"`+hex.EncodeToString(md5Of(data))+`"`, got.header.Get("ETag"))
		if trailer != nil {
			assert.Equal(t, crcOf(data), got.header.Get("X-Amz-Checksum-Crc32"), payload)
		}
		read := s.do(t, "GET", "/bucket/k", "")
		assert.Equal(t, data, read.body, payload)
		if payload == sigv4test.Unsigned {
			assert.Empty(t, read.header.Get("Content-Encoding"))
		} else {
			assert.Equal(t, "gzip", read.header.Get("Content-Encoding"))
		}
	}
	bad := []string{"x-amz-checksum-crc32:" + crcOf("other")}
	s.putChunked(t, sigv4test.UnsignedChunksTrailer, data, "x", bad).want(t, 400, "IncompleteBody")
	s.putChunked(t, sigv4test.SignedChunksTrailer, data, data, bad).want(t, 400, "BadDigest")
	assert.Equal(t, data, s.do(t, "GET", "/bucket/k", "").body)
}

// putChunked puts sent, announcing the length of announced.
func (r *rig) putChunked(t *testing.T, payload, announced, sent string, trailer []string) response {
	t.Helper()
	req := r.request(t, "PUT", "/bucket/k", "")
	body := sent
	if payload != sigv4test.Unsigned {
		req.Header.Set("X-Amz-Decoded-Content-Length", itoa(len(announced)))
		req.Header.Set("Content-Encoding", "gzip, AWS-Chunked")
	}
	if trailer != nil {
		req.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
	}
	seed := r.signer.Sign(req, payload)
	switch payload {
	case sigv4test.Unsigned:
	case sigv4test.UnsignedChunksTrailer:
		body = r.signer.Chunks(sent, sigv4test.Chunks{Size: 8192, Trailer: trailer})
	default:
		body = r.signer.Chunks(sent, sigv4test.Chunks{Size: 8192, Seed: seed, Trailer: trailer})
	}
	reader := bytes.NewReader([]byte(body))
	req.Body, req.ContentLength = readCloser{reader}, int64(len(body))
	return send(t, req)
}

func TestAForgedChunkStoresNothing(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	req := s.request(t, "PUT", "/bucket/k", "", "X-Amz-Decoded-Content-Length: 5")
	seed := s.signer.Sign(req, sigv4test.SignedChunks)
	body := strings.Replace(s.signer.Chunks("hello", sigv4test.Chunks{Seed: seed}), "hello", "jello", 1)
	req.Body, req.ContentLength = readCloser{strings.NewReader(body)}, int64(len(body))
	send(t, req).want(t, 403, "SignatureDoesNotMatch")
	s.wantEvent(t, event.PutArtifact, event.Denied)
	s.do(t, "GET", "/bucket/k", "").want(t, 404, "NoSuchKey")
}

func TestFramingIsRefusedWhereThereIsNoObject(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	req := s.request(t, "PUT", "/another", "", "X-Amz-Decoded-Content-Length: 0")
	s.signer.Sign(req, sigv4test.UnsignedChunksTrailer)
	send(t, req).want(t, 400, "InvalidArgument")
	s.wantEvent(t, event.CreateContainer, event.Invalid)
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Trailer: x-amz-checksum-crc32").want(t, 400, "MalformedTrailerError")
}

func TestFramingIsNeverStoredAsData(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "old").want(t, 200, "")
	const chunked = "5\r\nhello\r\n0\r\n\r\n"
	headers := []string{"Content-Encoding: aws-chunked", "X-Amz-Decoded-Content-Length: 5"}
	s.do(t, "PUT", "/bucket/k", chunked, headers...).want(t, 400, "InvalidRequest")
	r := s.request(t, "PUT", "/bucket/k", chunked, headers...)
	s.signer.Sign(r, sigv4test.Unsigned)
	send(t, r).want(t, 400, "InvalidRequest")
	assert.Equal(t, "old", s.do(t, "GET", "/bucket/k", "").body)
}

func TestTheEncodingOfARequestIsNotTheObjects(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	for sent, kept := range map[string]string{"aws-chunked": "", "gzip, AWS-CHUNKED": "gzip", "aws-chunked,gzip": "gzip"} {
		s.do(t, "PUT", "/bucket/k", "hello", "Content-Encoding: "+sent).want(t, 200, "")
		a := s.do(t, "GET", "/bucket/k", "")
		a.want(t, 200, "")
		assert.Equal(t, kept, a.header.Get("Content-Encoding"), sent)
		assert.Equal(t, "hello", a.body)
	}
}

func TestAnObjectNeedsALength(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	raw := rawRequest(t, s, "PUT", "/bucket/k", "", nil)
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 411 "), raw)
	assert.Contains(t, raw, "<Code>MissingContentLength</Code>")
	s.wantEvent(t, event.PutArtifact, event.Invalid)
	raw = rawRequest(t, s, "PUT", "/bucket/k", "", []string{"Content-Length: 0"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 200 "), raw)
	raw = rawRequest(t, s, "PUT", "/bucket/k", "5\r\nhello\r\n0\r\n\r\n", []string{"Transfer-Encoding: chunked"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 200 "), raw)
	assert.Equal(t, "hello", s.do(t, "GET", "/bucket/k", "").body)
}

func TestABodyThatEndsEarlyStoresNothing(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	raw := rawRequest(t, s, "PUT", "/bucket/k", "hel", []string{"Content-Length: 5"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 400 "), raw)
	assert.Contains(t, raw, "<Code>IncompleteBody</Code>")
	s.wantEvent(t, event.PutArtifact, event.Invalid)
	s.do(t, "GET", "/bucket/k", "").want(t, 404, "NoSuchKey")
	// What follows the announced length is another request's, or nobody's.
	raw = rawRequest(t, s, "PUT", "/bucket/k", "hello and more", []string{"Content-Length: 5"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 200 "), raw)
	assert.Equal(t, "hello", s.do(t, "GET", "/bucket/k", "").body)
}

func TestARefusedUploadIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	for name, c := range map[string]struct {
		path    string
		headers []string
		code    string
	}{
		"too large":  {"/bucket/k", []string{"Content-Length: 5368709121"}, "EntityTooLarge"},
		"no bucket":  {"/absent/k", []string{"Content-Length: 5"}, "NoSuchBucket"},
		"bad header": {"/bucket/k", []string{"Content-Length: 5", "X-Amz-Storage-Class: NONE"}, "InvalidStorageClass"},
		"condition":  {"/bucket/k", []string{"Content-Length: 5", "If-Match: x"}, "NoSuchKey"},
	} {
		raw := rawRequest(t, s, "PUT", c.path, "", append(c.headers, "Expect: 100-continue"))
		assert.NotContains(t, raw, "100 Continue", name)
		assert.Contains(t, raw, "<Code>"+c.code+"</Code>", name)
	}
	raw := rawRequest(t, s, "PUT", "/bucket/k", "hello", []string{"Content-Length: 5", "Expect: 100-continue"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"), raw)
}

// Clients made of botocore hang on a connection where they awaited 100 Continue
// in vain and which goes on nevertheless.
func TestAnEmptyUploadIsAskedForToo(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	raw := rawRequest(t, s, "PUT", "/bucket/k", "", []string{"Content-Length: 0", "Expect: 100-continue"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 100 Continue\r\n"), raw)
	assert.Contains(t, raw, "\r\n\r\nHTTP/1.1 200 OK\r\n")
	assert.NotContains(t, raw, "Connection: close")
	raw = rawRequest(t, s, "PUT", "/absent/k", "", []string{"Content-Length: 0", "Expect: 100-continue"})
	assert.True(t, strings.HasPrefix(raw, "HTTP/1.1 404"), raw)
	assert.Contains(t, raw, "Connection: close")
}

func TestLimitsOfHeaders(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	e := s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Meta-A: "+strings.Repeat("v", 2048)).want(t, 400, "MetadataTooLarge")
	assert.Equal(t, "2049", e.Size)
	assert.Equal(t, "2048", e.MaxSizeAllowed)
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Meta-A: "+strings.Repeat("v", 2047)).want(t, 200, "")
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Meta-A: "+strings.Repeat("v", 8192)).want(t, 400, "RequestHeaderSectionTooLarge")
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Acl: public-read").want(t, 501, "NotImplemented")
	s.do(t, "PUT", "/bucket/k", "x", "X-Amz-Acl: everything").want(t, 400, "InvalidArgument")
	s.do(t, "PUT", "/bucket/"+strings.Repeat("k", 1024), "x").want(t, 200, "")
	e = s.do(t, "PUT", "/bucket/"+strings.Repeat("k", 1025), "x").want(t, 400, "KeyTooLongError")
	assert.Equal(t, "1025", e.Size)
	s.do(t, "PUT", "/bucket/%ff", "x").want(t, 400, "InvalidURI")
}

func TestWhatTheApplicationStoresIsShownAsFarAsHeadersCan(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	_, err := s.engine.Put(ctxOf(t, 0), "bucket", "k", strings.NewReader("x"), engine.PutOptions{
		Metadata: map[string]string{"Good": "v", "good": "lost", "not a header": "w"},
		Headers:  container.ContentHeaders{ContentType: "a/b"},
	})
	require.NoError(t, err)
	got := s.do(t, "GET", "/bucket/k", "")
	got.want(t, 200, "")
	assert.Equal(t, "v", got.header.Get("X-Amz-Meta-Good"))
	assert.Equal(t, "2", got.header.Get("X-Amz-Missing-Meta"))
	assert.Len(t, got.header[textproto.CanonicalMIMEHeaderKey("ETag")], 1)
}
