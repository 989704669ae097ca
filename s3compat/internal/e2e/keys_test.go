package e2e

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/embedded"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
	"github.com/vaultaire/vaultaire/tenant"
)

// oddKeys are keys that something on the way to a server likes to change. All
// of them can be there side by side.
func oddKeys() []string {
	keys := []string{
		"a", "a/b", "a//b", "a/./b", "a/../b", "/a", "//a", "a/", "a//", "./a", ".", "...", ".../x", "a/b/../../c",
		"a%2Fb", "a%2fb", "%2Fa", "a+b", "a%b", "a%", "a%25b", "a%2Bb", "a;b", "a?b", "a?b=c&d", "a#b", "a&b", "a=b", "a:b", "a@b",
		" ", " a", "a ", "a b", "a  b", "a,b", "a*b", "a~b", "a'b", `a"b`, `a\b`, "a<b>c", "a|b", "a^b`c", "{a}[b](c)!$", "&amp;", "]]>",
		"ünï/cödé", "日本語", "🙂", "e\u0301", "\u00e9", "\u2028", "\ufeffa", "\ufffd", "\ufffe",
		"a\tb", "a\nb", "a\rb", "a\r\nb", "\x7f",
		strings.Repeat("k", 1024), strings.Repeat("ä", 512), strings.Repeat("d/", 512), strings.Repeat("+", 1024),
	}
	for c := 1; c < 0x20; c++ {
		keys = append(keys, "ctl-"+string(rune(c))+"-")
	}
	return keys
}

// mounts are the ways to put the handler into an application. All but the first
// have it below /s3.
func mounts() map[string]func(s3 http.Handler) http.Handler {
	return map[string]func(http.Handler) http.Handler{
		"root": func(s3 http.Handler) http.Handler { return s3 },
		"Mount beside ServeMux": func(s3 http.Handler) http.Handler {
			mux := http.NewServeMux()
			mux.HandleFunc("GET /{$}", page)
			return s3compat.Mount("/s3", s3, mux)
		},
		"StripPrefix": func(s3 http.Handler) http.Handler { return http.StripPrefix("/s3", s3) },
		"chi": func(s3 http.Handler) http.Handler {
			app := chi.NewRouter()
			app.Get("/", page)
			app.Mount("/s3", http.StripPrefix("/s3", s3))
			return app
		},
	}
}

func page(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the application") }

// serve starts the handler in this process and returns its endpoint.
func serve(t *testing.T, mount string) string {
	t.Helper()
	eng, err := embedded.Open(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, eng.Close(context.Background())) })
	handler, err := s3compat.New(eng, s3compat.WithCredentials(s3compat.StaticCredentials(s3compat.Credential{
		AccessKey: accessKey, SecretKey: secretKey, Tenant: "acme", Principal: tenant.Principal{ID: "app"}})))
	require.NoError(t, err)
	web := httptest.NewServer(mounts()[mount](handler))
	t.Cleanup(web.Close)
	if mount == "root" {
		return web.URL
	}
	return web.URL + "/s3"
}

func TestOddKeysRoundTrip(t *testing.T) {
	t.Parallel()
	for mount := range mounts() {
		t.Run(mount, func(t *testing.T) {
			t.Parallel()
			t.Run("raw", func(t *testing.T) {
				t.Parallel()
				testOddKeysRaw(t, serve(t, mount))
			})
			t.Run("SDK", func(t *testing.T) {
				t.Parallel()
				testOddKeysSDK(t, newSDK(serve(t, mount)))
			})
		})
	}
}

func testOddKeysRaw(t *testing.T, endpoint string) {
	c := rawClient{endpoint: endpoint}
	c.do(t, "PUT", "/bucket", "").want(t, 200)
	keys := oddKeys()
	for _, key := range keys {
		c.do(t, "PUT", path(key), "body of "+key).want(t, 200)
	}
	for _, key := range keys {
		assert.Equal(t, "body of "+key, c.do(t, "GET", path(key), "").want(t, 200).body, "%q", key)
		head := c.do(t, "HEAD", path(key), "").want(t, 200)
		assert.Equal(t, fmt.Sprint(len("body of "+key)), head.header.Get("Content-Length"), "%q", key)
	}
	sorted := slices.Sorted(slices.Values(keys))
	assert.Equal(t, sorted, c.list(t, "?list-type=2&encoding-type=url"))
	assert.Equal(t, sorted, c.list(t, "?list-type=2&encoding-type=url&max-keys=7"))
	assert.Equal(t, sorted, c.list(t, "?encoding-type=url&delimiter=%00none&max-keys=1000"))
	for _, key := range keys {
		assert.Contains(t, c.list(t, "?list-type=2&encoding-type=url&prefix="+escape(key)), key)
	}
	assert.Equal(t, 400, c.do(t, "PUT", path("../x"), "").status, "a key that climbs out")
	for i, key := range keys {
		c.do(t, "DELETE", path(key), "").want(t, 204)
		assert.Equal(t, 404, c.do(t, "HEAD", path(key), "").status, "%q", key)
		if i+1 < len(keys) {
			c.do(t, "HEAD", path(keys[i+1]), "").want(t, 200) // only the one named went
		}
	}
	assert.Empty(t, c.list(t, "?list-type=2&encoding-type=url"))
	c.do(t, "DELETE", "/bucket", "").want(t, 204)
}

func testOddKeysSDK(t *testing.T, c *s3.Client) {
	mustCreate(t, c, "bucket")
	bucket, keys := "bucket", oddKeys()
	for _, key := range keys {
		mustPut(t, c, bucket, key, "body of "+key)
	}
	for _, key := range keys {
		assert.Equal(t, "body of "+key, mustGet(t, c, bucket, key), "%q", key)
		_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		assert.NoError(t, err, "%q", key)
	}
	var listed []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket, EncodingType: types.EncodingTypeUrl})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, key := range keysOf(page.Contents) {
			plain, err := url.PathUnescape(key)
			require.NoError(t, err)
			listed = append(listed, plain)
		}
	}
	assert.Equal(t, slices.Sorted(slices.Values(keys)), listed)
	for _, key := range keys {
		_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key})
		require.NoError(t, err, "%q", key)
	}
	left, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	assert.Empty(t, left.Contents)
}

// Without encoding-type, a name that XML can hold is itself in the list.
func TestSDKListsOddKeysUnencoded(t *testing.T) {
	t.Parallel()
	c, bucket := newSDK(serve(t, "root")), "bucket"
	mustCreate(t, c, bucket)
	var keys []string
	for _, key := range oddKeys() {
		if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r", r) || r == 0xfffe }) {
			continue // Go's decoder refuses these even as references
		}
		keys = append(keys, key)
		mustPut(t, c, bucket, key, "x")
	}
	page, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	require.NoError(t, err)
	assert.Equal(t, slices.Sorted(slices.Values(keys)), keysOf(page.Contents))
}

// Names that XML 1.0 cannot hold are numeric references, in both directions.
func TestOddKeysAreDeletedInBulk(t *testing.T) {
	t.Parallel()
	c := rawClient{endpoint: serve(t, "root")}
	c.do(t, "PUT", "/bucket", "").want(t, 200)
	var document strings.Builder
	document.WriteString("<Delete>")
	for _, key := range oddKeys() {
		c.do(t, "PUT", path(key), "x").want(t, 200)
		document.WriteString("<Object><Key>" + references(key) + "</Key></Object>")
	}
	document.WriteString("</Delete>")
	listed := c.do(t, "GET", "/bucket", "").want(t, 200).body
	for c := rune(1); c < 0x20; c++ {
		assert.Regexp(t, fmt.Sprintf("<Key>ctl-&#(x0*%x|x0*%X|%d);-</Key>", c, c, c), listed)
	}
	answer := c.do(t, "POST", "/bucket?delete", document.String()).want(t, 200).body
	assert.NotContains(t, answer, "<Error>")
	assert.Equal(t, len(oddKeys()), strings.Count(answer, "<Deleted>"))
	assert.Empty(t, c.list(t, "?encoding-type=url"))
}

// references spells every character of s as a numeric reference.
func references(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, "&#%d;", r)
	}
	return b.String()
}

// The application's own pages stay what they were.
func TestApplicationsKeepTheirPages(t *testing.T) {
	t.Parallel()
	for _, mount := range []string{"Mount beside ServeMux", "chi"} {
		response, err := http.Get(strings.TrimSuffix(serve(t, mount), "/s3") + "/")
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		assert.Equal(t, "the application", string(body), mount)
	}
}

// A rawClient sends paths as they are given. The SDK might clean them.
type rawClient struct{ endpoint string }

type answer struct {
	status int
	header http.Header
	body   string
}

func (c rawClient) do(t *testing.T, method, path, body string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.endpoint+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		sum := md5.Sum([]byte(body))
		request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	signer().Sign(request, sigv4test.Sum(body))
	response, err := http.DefaultTransport.RoundTrip(request) // which follows no redirect
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(content)}
}

func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	return a
}

// list returns the keys of all pages, decoded.
func (c rawClient) list(t *testing.T, query string) []string {
	t.Helper()
	var keys []string
	for token := ""; ; {
		var page struct {
			NextContinuationToken string
			Contents              []struct{ Key string }
		}
		body := c.do(t, "GET", "/bucket"+query+token, "").want(t, 200).body
		require.NoError(t, xml.Unmarshal([]byte(body), &page), body)
		for _, o := range page.Contents {
			key, err := url.PathUnescape(o.Key)
			require.NoError(t, err)
			keys = append(keys, key)
		}
		if page.NextContinuationToken == "" {
			return keys
		}
		token = "&continuation-token=" + escape(page.NextContinuationToken)
	}
}

func signer() sigv4test.Signer {
	return sigv4test.Signer{AccessKey: accessKey, Secret: secretKey, Region: region, Time: time.Now()}
}

// path escapes everything but slashes, once.
func path(key string) string {
	segments := strings.Split(key, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	return "/bucket/" + strings.Join(segments, "/")
}

func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
