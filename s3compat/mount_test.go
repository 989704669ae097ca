package s3compat_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat"
)

// weirdKeys are escaped as a client sends them.
var weirdKeys = []string{
	"a", "a/b", "a//b", "/a", "a/./b", "a/../b", "a%2Fb", "a+b", "a%25b", "a%3Bb", "a;b", "a%3Fb", ".../x", "a/", "//",
	"%01", "a%20b", "%C3%A9", "%E4%B8%96", "a%00b", "a%5Cb", "~", "a%252Fb", "a=b&c", "*", "%F0%9F%98%80",
}

func TestKeysSurviveEveryWayToMountTheHandler(t *testing.T) {
	t.Parallel()
	app := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }
	for name, mount := range map[string]func(http.Handler) (http.Handler, string){
		"root": func(s3 http.Handler) (http.Handler, string) { return s3, "" },
		"StripPrefix": func(s3 http.Handler) (http.Handler, string) {
			return http.StripPrefix("/s3", s3), "/s3"
		},
		"Mount beside ServeMux": func(s3 http.Handler) (http.Handler, string) {
			mux := http.NewServeMux()
			mux.HandleFunc("/", app)
			return s3compat.Mount("/some/where/", s3, mux), "/some/where"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, mount).withBucket(t)
			for _, key := range weirdKeys {
				s.assertRoundTrip(t, "/bucket/", key)
			}
		})
	}
	t.Run("virtual host", func(t *testing.T) {
		t.Parallel()
		s := newRig(t, s3compat.WithVirtualHosts("s3.example.com", "example.com")).withBucket(t)
		s.host = "bucket.s3.example.com:9000"
		for _, key := range weirdKeys {
			s.assertRoundTrip(t, "/", key)
		}
		assert.Len(t, s.list(t, "/").Contents, 0)
		s.do(t, "HEAD", "/", "").want(t, 200, "")
		s.host = "S3.Example.Com"
		s.do(t, "HEAD", "/bucket", "").want(t, 200, "")
		s.host = "absent.s3.example.com"
		s.do(t, "GET", "/", "").want(t, 404, "NoSuchBucket")
	})
}

// assertRoundTrip puts, reads, lists and deletes an object.
func (r *rig) assertRoundTrip(t *testing.T, bucket, key string) {
	t.Helper()
	path := bucket + key
	r.do(t, "PUT", path, "body of "+key).want(t, 200, "")
	got := r.do(t, "GET", path, "")
	require.Equal(t, "body of "+key, got.body, key)
	l := r.list(t, strings.TrimSuffix(bucket, "/")+"/?encoding-type=url")
	require.Len(t, l.Contents, 1, key)
	decoded, err := url.PathUnescape(l.Contents[0].Key)
	require.NoError(t, err)
	want, err := url.PathUnescape(key)
	require.NoError(t, err)
	assert.Equal(t, want, decoded)
	r.do(t, "DELETE", path, "").want(t, 204, "")
	gone := r.do(t, "GET", path, "")
	assert.Equal(t, 404, gone.status)
	assert.Contains(t, gone.body, "<Code>NoSuchKey</Code>") // no XML to encoding/xml if the key is none
}

func TestKeysThatClimbOutAreRefused(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	for _, key := range []string{"..", "../x", "a/../../b", "%2E%2E", "..%2Fx", "/../x"} {
		s.do(t, "PUT", "/bucket/"+key, "x").want(t, 400, "InvalidURI")
		s.wantEvent(t, event.PutArtifact, event.Invalid)
	}
}

func TestABasePathIsPartOfWhatIsSigned(t *testing.T) {
	t.Parallel()
	// A proxy removes /storage before the request reaches us.
	s := serve(t, func(s3 http.Handler) (http.Handler, string) {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.RequestURI = strings.TrimPrefix(r.RequestURI, "/storage")
			http.StripPrefix("/storage", s3).ServeHTTP(w, r)
		}), "/storage"
	}, s3compat.WithBasePath("/storage")).withBucket(t)
	s.assertRoundTrip(t, "/bucket/", "a//b")
}

func TestMountGivesTheApplicationTheRest(t *testing.T) {
	t.Parallel()
	type seen struct{ path, raw string }
	var got *seen
	s3 := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = &seen{r.URL.Path, r.URL.RawPath} })
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	for _, c := range []struct {
		prefix, path string
		want         *seen
	}{
		{"/s3", "/s3", &seen{"", ""}},
		{"/s3", "/s3/", &seen{"/", "/"}},
		{"s3/", "/s3/b//k%2Fl", &seen{"/b//k/l", "/b//k%2Fl"}},
		{"/s3", "/s3x/b", nil},
		{"/s3", "/%733/b", nil},
		{"/s3", "/other", nil},
		{"/s3", "//s3/b", nil},
		{"", "/b/k", &seen{"/b/k", ""}},
	} {
		got = nil
		w := httptest.NewRecorder()
		s3compat.Mount(c.prefix, s3, app).ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
		assert.Equal(t, c.want, got, c.path)
		assert.Equal(t, c.want == nil, w.Code == http.StatusTeapot, c.path)
	}
	w := httptest.NewRecorder()
	s3compat.Mount("/s3", s3, nil).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	assert.Equal(t, http.StatusNotFound, w.Code)
}

// The mount itself is the service, with and without a slash behind it.
func TestAMountIsTheService(t *testing.T) {
	t.Parallel()
	s := serve(t, func(s3 http.Handler) (http.Handler, string) { return s3compat.Mount("/s3", s3, nil), "/s3" })
	s.do(t, "GET", "", "").want(t, 200, "")
	s.do(t, "GET", "/", "").want(t, 200, "")
}
