package sigv4

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestThePathIsDecodedOnceAndEncodedStrictly(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ uri, base, want string }{
		{uri: "/", want: "/"},
		{uri: "/b/a//b", want: "/b/a//b"},
		{uri: "//a", want: "//a"},
		{uri: "/b//a", want: "/b//a"},
		{uri: "/b/a/./b", want: "/b/a/./b"},
		{uri: "/b/a/../b", want: "/b/a/../b"},
		{uri: "/b/a%2Fb", want: "/b/a/b"},
		{uri: "/b/a%252Fb", want: "/b/a%252Fb"},
		{uri: "/b/a+b", want: "/b/a%2Bb"},
		{uri: "/b/a%2bb", want: "/b/a%2Bb"},
		{uri: "/b/a%25b", want: "/b/a%25b"},
		{uri: "/b/a;b", want: "/b/a%3Bb"},
		{uri: "/b/a%3Fb", want: "/b/a%3Fb"},
		{uri: "/b/a%3fb?x=/y", want: "/b/a%3Fb"},
		{uri: "/b/a%20b", want: "/b/a%20b"},
		{uri: "/b/%C3%A9/\u00e9", want: "/b/%C3%A9/%C3%A9"},
		{uri: "/b/%61%7E~-._", want: "/b/a~~-._"},
		{uri: "/b/!*'()$&,:=@#", want: "/b/%21%2A%27%28%29%24%26%2C%3A%3D%40%23"},
		{uri: "/b/k", base: "/storage v1", want: "/storage%20v1/b/k"},
		{uri: "http://host:9000/b/k?x", want: "/b/k"},
		{uri: "http://host:9000", want: "/"},
		{uri: "https://host:9000?x=/a", want: "/"},
	} {
		t.Run(tc.uri, func(t *testing.T) {
			t.Parallel()
			target, err := ParseTarget(&http.Request{RequestURI: tc.uri, Host: "host:9000"})
			require.NoError(t, err)
			require.Equal(t, tc.want, target.canonicalPath(tc.base))
		})
	}
}

func TestTheQueryIsSortedByEncodedNameThenValue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ query, want string }{
		{"", ""},
		{"acl", "acl="},
		{"prefix=", "prefix="},
		{"b=2&a=1", "a=1&b=2"},
		{"a=2&a=1&a", "a=&a=1&a=2"},
		{"a=1&a=1", "a=1&a=1"},
		{"&&a=1&", "a=1"},
		{"a-b=1&a=2", "a=2&a-b=1"}, // the joined pairs would sort the other way
		{"a1=1&a=2", "a=2&a1=1"},
		{"B=1&a=2&%41=3", "A=3&B=1&a=2"},
		{"prefix=a+b", "prefix=a%20b"},
		{"prefix=a%2Bb", "prefix=a%2Bb"},
		{"prefix=a%20b", "prefix=a%20b"},
		{"prefix=a/b", "prefix=a%2Fb"},
		{"prefix=a=b", "prefix=a%3Db"},
		{"prefix=a;b", "prefix=a%3Bb"},
		{"prefix=a?b", "prefix=a%3Fb"},
		{"prefix=%c3%a9~%7e", "prefix=%C3%A9~~"},
		{"=1", "=1"},
	} {
		t.Run(tc.query, func(t *testing.T) {
			t.Parallel()
			target, err := ParseTarget(&http.Request{RequestURI: "/?" + tc.query})
			require.NoError(t, err)
			require.Equal(t, tc.want, target.canonicalQuery())
		})
	}
}

func TestTheTargetIsWhatIsSigned(t *testing.T) {
	t.Parallel()
	got, err := ParseTarget(&http.Request{RequestURI: "/b/%61+/%2F?a=1&&b&c=x;y=z&a=2+3%2B&%64="})
	require.NoError(t, err)
	require.Equal(t, Target{Path: "/b/a+//", Query: url.Values{"a": {"1", "2 3+"}, "b": {""}, "c": {"x;y=z"}, "d": {""}}}, got)
}

func TestHeadersAreFoundWhereNetHTTPKeepsThem(t *testing.T) {
	t.Parallel()
	r := readRequest(t, `PUT /b/k HTTP/1.1
Host: Bucket.Example.COM:9000
Content-Length: 3
X-Amz-Meta-A:   a   b	 c
X-Amz-Meta-B: 1
X-Amz-Meta-B:  2  3
Accept-Encoding: identity

`)
	values := canonicalHeaders(t, r, "accept-encoding", "content-length", "expect", "host", "x-amz-meta-a", "x-amz-meta-b", "x-none")
	require.Equal(t, `accept-encoding:identity
content-length:3
expect:100-continue
host:Bucket.Example.COM:9000
x-amz-meta-a:a b	 c
x-amz-meta-b:1,2 3
x-none:
`, values)

	r = readRequest(t, `PUT /b/k HTTP/1.1
Host: h
Transfer-Encoding: chunked

0

`)
	require.Equal(t, "content-length:\ntransfer-encoding:chunked\n", canonicalHeaders(t, r, "content-length", "transfer-encoding"))
	r = &http.Request{Host: "h", ContentLength: 7, Header: http.Header{}}
	require.Equal(t, "content-length:7\n", canonicalHeaders(t, r, "content-length"))
}

func canonicalHeaders(t *testing.T, r *http.Request, names ...string) string {
	t.Helper()
	canonical := canonicalRequest(r, "/", "", names, "UNSIGNED-PAYLOAD")
	canonical, ok := strings.CutPrefix(canonical, r.Method+"\n/\n\n")
	require.True(t, ok)
	canonical, ok = strings.CutSuffix(canonical, "\n"+strings.Join(names, ";")+"\nUNSIGNED-PAYLOAD")
	require.True(t, ok)
	return canonical
}
