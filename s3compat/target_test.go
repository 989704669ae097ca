package s3compat_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// net/http reads these request lines as addresses of /bucket/secret or of
// nothing, and a reader that looks for "://" as addresses of /bucket/public.
func TestNoRequestLineHasTwoReadings(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/secret", "secret").want(t, 200, "")
	s.do(t, "PUT", "/bucket/public", "public").want(t, 200, "")
	s.events.Reset()
	host := strings.TrimPrefix(s.url, "http://")
	for _, line := range []string{
		"GET http:/bucket/secret?x://y/bucket/public",
		"PUT http:/bucket/secret?x://y/bucket/public",
		"DELETE z:/bucket/secret?://y/bucket/public",
		"GET a:b://y/bucket/public",
		"GET http:/bucket/secret?x://" + host + "/bucket/public",
		"GET http:///bucket/public",
		"GET ftp://" + host + "/bucket/public",
	} {
		method, _, _ := strings.Cut(line, " ")
		r := s.request(t, method, "/bucket/public", "")
		s.signer.Sign(r, sigv4test.Unsigned)
		got := rawSigned(t, s, r, line, "stolen", []string{"Content-Length: 6", "Connection: close"})
		assert.Contains(t, got, " 400 ", line)
		assert.Contains(t, got, "<Code>InvalidURI</Code>", line)
		s.wantEvent(t, event.Unknown, event.Invalid)
	}
	assert.Equal(t, "secret", s.do(t, "GET", "/bucket/secret", "").body)
	assert.Equal(t, "public", s.do(t, "GET", "/bucket/public", "").body)
	r := s.request(t, "GET", "/bucket/public", "")
	s.signer.Sign(r, sigv4test.Unsigned)
	got := rawSigned(t, s, r, "GET http://"+host+"/bucket/public", "", []string{"Connection: close"})
	assert.Contains(t, got, "\r\n\r\npublic", "the absolute form of the host's own address")
}

// rewritten returns a mount whose middleware changes the address.
func rewritten(change func(*url.URL)) func(http.Handler) (http.Handler, string) {
	return func(s3 http.Handler) (http.Handler, string) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r.URL)
			s3.ServeHTTP(w, r)
		}), ""
	}
}

func TestAPathThatWasChangedOnItsWayIsRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, rewritten(func(u *url.URL) { u.Path, u.RawPath = path.Clean(u.Path), "" })).withBucket(t)
	s.do(t, "PUT", "/bucket/a/b", "old").want(t, 200, "")
	for _, path := range []string{"/bucket/a//b", "/bucket/./a/b", "/bucket/x/../a/b", "//bucket/a/b", "/x/../bucket/a/b", "/bucket/a/b/"} {
		s.do(t, "PUT", path, "new").want(t, 400, "InvalidURI")
		assert.Equal(t, "old", s.do(t, "GET", "/bucket/a/b", "").body, path)
	}
	s = serve(t, rewritten(func(u *url.URL) { u.Path = strings.ToLower(u.Path) })).withBucket(t)
	s.do(t, "PUT", "/bucket/K", "x").want(t, 400, "InvalidURI")
	s.do(t, "GET", "/bucket/k", "").want(t, 404, "NoSuchKey")
}

func TestTheQueryIsTheOneThatWasSigned(t *testing.T) {
	t.Parallel()
	s := serve(t, rewritten(func(u *url.URL) { u.RawQuery = "" })).withBucket(t)
	s.do(t, "PUT", "/bucket/a", "x").want(t, 200, "")
	s.do(t, "PUT", "/bucket/a?tagging", "new").want(t, 501, "NotImplemented")
	assert.Equal(t, "x", s.do(t, "GET", "/bucket/a", "").body)
	assert.Empty(t, s.list(t, "/bucket?prefix=b").keys())
}

func TestARefusalIsNotLongerThanWhatIsRefused(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	stranger := s.client
	stranger.signer.Secret = "guess"
	for name, c := range map[string]struct{ method, path, header, code string }{
		"headers": {"GET", "/bucket/k", "X-Amz-Meta-A: " + strings.Repeat("v", 500_000), "RequestHeaderSectionTooLarge"},
		"method":  {strings.Repeat("M", 500_000), "/bucket/k", "A: b", "RequestHeaderSectionTooLarge"},
		"query":   {"GET", "/bucket/k?a=" + strings.Repeat("~", 500_000), "A: b", "InvalidURI"},
		"path":    {"GET", "/bucket/" + strings.Repeat("~", 500_000), "A: b", "InvalidURI"},
	} {
		res := stranger.do(t, c.method, c.path, "", c.header)
		res.want(t, 400, c.code)
		assert.Less(t, len(res.body), 10_000, name)
	}
	r := s.request(t, "GET", "/bucket/k", "")
	r.Host = strings.Repeat("h", 100_000)
	stranger.signer.Sign(r, sigv4test.Unsigned)
	send(t, r).want(t, 400, "RequestHeaderSectionTooLarge")
}

func TestALongListingFitsItsAddress(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	long := strings.Repeat("%C3%A9", 512) // 1024 bytes
	s.list(t, "/bucket?list-type=2&encoding-type=url&prefix="+long+"&delimiter=%2F&start-after="+long)
	require.Empty(t, s.list(t, "/bucket?prefix="+long+"&delimiter="+long+"&marker="+long).keys())
}

func TestAStripPrefixBelowTheSignedPathIsNoChange(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s3 http.Handler) (http.Handler, string) {
		return s3compat.Mount("/a%20b/c", s3, nil), "/a%20b/c"
	}).withBucket(t)
	s.assertRoundTrip(t, "/bucket/", "k//k")
}
