package sigv4

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

func TestASignedRequestVerifiesForEveryKey(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{})
	for _, key := range []string{
		"k", "a//b", "/a", "a/./b", "a/../b", "a%2Fb", "a+b", "a%b", "a;b", "a?b", "a b", "a&b=c", "é/日本",
		"a#b", "a*b", "a'b", "a(b)", "a~b", "a\"b", "a\\b", "\x01", strings.Repeat("k", 1024),
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			u := &url.URL{Scheme: "http", Host: "localhost:9000", Path: "/bucket/" + key}
			r, err := http.NewRequest(http.MethodPut, u.String(), nil)
			require.NoError(t, err)
			r.Header.Set("X-Amz-Meta-Name", "  a   b ")
			exampleSigner().Sign(r, sigv4test.Unsigned)
			_, err = verify(v, overWire(t, r))
			require.NoError(t, err)
		})
	}
}

// overWire returns the request as a server reads it.
func overWire(t *testing.T, r *http.Request) *http.Request {
	t.Helper()
	var text strings.Builder
	require.NoError(t, r.Write(&text))
	head, _, _ := strings.Cut(text.String(), "\r\n\r\n")
	return readRequest(t, strings.ReplaceAll(head, "\r\n", "\n")+"\n\n")
}

func TestWhatARouterDoesToTheURLDoesNotMatter(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/s3/bucket/a//b?list-type=2&prefix=a%2Fb+c", nil)
	exampleSigner().Sign(r, sigv4test.Unsigned)
	http.StripPrefix("/s3", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/bucket/a//b", r.URL.Path)
		_, err := verify(newVerifier(t, Config{}), r)
		assert.NoError(t, err)
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestTheBasePathIsPartOfWhatWasSigned(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://localhost/storage/bucket/k", nil)
	exampleSigner().Sign(r, sigv4test.Unsigned)
	r.RequestURI = "/bucket/k" // a proxy in front removed the prefix
	_, err := verify(newVerifier(t, Config{BasePath: "/storage"}), r)
	require.NoError(t, err)
	_, err = verify(newVerifier(t, Config{}), r)
	requireError(t, err, SignatureDoesNotMatch)
}

func TestTheDateHeaderServesWithoutXAmzDate(t *testing.T) {
	t.Parallel()
	for _, date := range []string{"Fri, 24 May 2013 00:00:00 GMT", "20130524T000000Z"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		r.Header.Set("Date", date)
		r.Header.Set("X-Amz-Content-Sha256", sigv4test.Unsigned)
		exampleSigner().SignHeaders(r, sigv4test.Unsigned, []string{"date", "host", "x-amz-content-sha256"})
		_, err := verify(newVerifier(t, Config{}), r)
		require.NoError(t, err, date)
	}
}

func TestTheAuthorizationHeaderMayBeWrittenInSeveralWays(t *testing.T) {
	t.Parallel()
	for name, rewrite := range map[string]func(string) string{
		"without spaces":      func(s string) string { return strings.ReplaceAll(s, ", ", ",") },
		"with more spaces":    func(s string) string { return strings.ReplaceAll(s, ", ", "  ,  ") },
		"signature uppercase": func(s string) string { return s[:len(s)-64] + strings.ToUpper(s[len(s)-64:]) },
		"in another order": func(s string) string {
			part := strings.Split(strings.TrimPrefix(s, "AWS4-HMAC-SHA256 "), ", ")
			return "AWS4-HMAC-SHA256 " + part[2] + ", " + part[0] + ", " + part[1]
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedRequest()
			r.Header.Set("Authorization", rewrite(r.Header.Get("Authorization")))
			_, err := verify(newVerifier(t, Config{}), r)
			require.NoError(t, err)
		})
	}
}

func signedRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://localhost/bucket/key?x-id=GetObject", nil)
	exampleSigner().Sign(r, sigv4test.Sum(""))
	return r
}

func TestParseSaysWhatTheRequestIs(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]Payload{
		sigv4test.Unsigned:              {Mode: UnsignedPayload},
		sigv4test.Sum("x"):              {Mode: HashedPayload, SHA256: sigv4test.Sum("x")},
		sigv4test.SignedChunks:          {Mode: SignedChunks},
		sigv4test.SignedChunksTrailer:   {Mode: SignedChunksTrailer},
		sigv4test.UnsignedChunksTrailer: {Mode: UnsignedChunksTrailer},
	} {
		r := httptest.NewRequest(http.MethodPut, "http://localhost/bucket/key", nil)
		exampleSigner().Sign(r, value)
		req, err := parse(newVerifier(t, Config{}), r)
		require.NoError(t, err)
		require.Equal(t, exampleKey, req.AccessKey)
		require.Equal(t, exampleTime, req.Time)
		require.Equal(t, want, req.Payload)
		require.Equal(t, strings.HasPrefix(value, "STREAMING"), req.Payload.Mode.Streaming())
		require.Equal(t, strings.HasSuffix(value, "TRAILER"), req.Payload.Mode.Trailer())
		require.Equal(t, strings.Contains(value, "HMAC"), req.Payload.Mode.Signed())
	}
}

func TestARequestMayBeFifteenMinutesOff(t *testing.T) {
	t.Parallel()
	for off, ok := range map[time.Duration]bool{
		-15 * time.Minute:             true,
		15 * time.Minute:              true,
		-15*time.Minute - time.Second: false,
		15*time.Minute + time.Second:  false,
	} {
		now := exampleTime.Add(off)
		v := newVerifier(t, Config{Now: func() time.Time { return now }})
		_, err := verify(v, signedRequest())
		if ok {
			require.NoError(t, err, off)
			continue
		}
		e := requireError(t, err, RequestTimeTooSkewed)
		require.Equal(t, "The difference between the request time and the current time is too large.", e.Message)
		require.Equal(t, "20130524T000000Z", e.RequestTime)
		require.Equal(t, now, e.ServerTime)
		require.Equal(t, 15*time.Minute, e.MaxSkew)
	}
}

func TestAMismatchIsExplainedWithoutTheSecret(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{})
	req, err := parse(v, signedRequest())
	require.NoError(t, err)
	_, err = v.Verify(req, "another secret", true)
	e := requireError(t, err, SignatureDoesNotMatch)
	require.ErrorIs(t, err, container.ErrDenied)
	canonical := "GET\n/bucket/key\nx-id=GetObject\nhost:localhost\nx-amz-content-sha256:" + sigv4test.Sum("") +
		"\nx-amz-date:20130524T000000Z\n\nhost;x-amz-content-sha256;x-amz-date\n" + sigv4test.Sum("")
	require.Equal(t, canonical, e.CanonicalRequest)
	require.Equal(t, "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n"+sigv4test.Sum(canonical), e.StringToSign)
	require.Equal(t, exampleKey, e.AccessKey)
	require.Len(t, e.SignatureProvided, 64)
	require.NotContains(t, err.Error(), "x-amz-date")
}

func TestAnUnknownKeyIsRefusedWhateverItIsSignedWith(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{})
	signer := exampleSigner()
	for _, secret := range []string{exampleSecret, "", string(v.decoy[:])} {
		signer.Secret = secret
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		signer.Sign(r, sigv4test.Unsigned)
		req, err := parse(v, r)
		require.NoError(t, err)
		_, err = v.Verify(req, exampleSecret, false)
		e := requireError(t, err, InvalidAccessKeyID)
		require.Equal(t, exampleKey, e.AccessKey)
	}
}

func TestTheDecoyVerifiesNothing(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{})
	req, err := parse(v, signedRequest())
	require.NoError(t, err)
	for _, key := range [][32]byte{v.decoy, {}} {
		sum := mac(key[:], req.stringToSign)
		req.signature = hex.EncodeToString(sum[:])
		_, err = v.Verify(req, exampleSecret, true)
		requireError(t, err, SignatureDoesNotMatch)
	}
}

func TestFailuresDoTheSameWorkAndLeaveNothingBehind(t *testing.T) {
	v := newVerifier(t, Config{})
	req, err := parse(v, signedRequest())
	require.NoError(t, err)
	work := func(secret string, known bool) float64 {
		return testing.AllocsPerRun(20, func() { _, err = v.Verify(req, secret, known) })
	}
	unknown := work("", false)
	wrong := work("another secret of the same length as it", true)
	// What the two errors allocate differs by the decoy's copy; the HMACs of one
	// signature are three allocations at least.
	require.InDelta(t, unknown, wrong, 2)
	require.Empty(t, v.keys.keys)
}

func TestAChangedSecretEndsWhatWasSignedWithTheOldOne(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{})
	req, err := parse(v, signedRequest())
	require.NoError(t, err)
	for range 2 { // derived, then from the cache
		_, err = v.Verify(req, exampleSecret, true)
		require.NoError(t, err)
	}
	require.Len(t, v.keys.keys, 1)
	_, err = v.Verify(req, "new secret", true)
	requireError(t, err, SignatureDoesNotMatch)
}

func TestTheKeyCacheIsBounded(t *testing.T) {
	t.Parallel()
	var c keyCache
	for i := range 3 * maxKeys {
		c.put(keyID{accessKey: strings.Repeat("k", i)}, [32]byte{1})
		require.LessOrEqual(t, len(c.keys), maxKeys)
	}
	_, ok := c.get(keyID{accessKey: strings.Repeat("k", 3*maxKeys-1)})
	require.True(t, ok)
}

func TestARegionIsRequired(t *testing.T) {
	t.Parallel()
	for _, region := range []string{"", "a/b"} {
		_, err := NewVerifier(Config{Region: region})
		require.ErrorIs(t, err, container.ErrInvalid)
	}
}
