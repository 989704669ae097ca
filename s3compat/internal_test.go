package s3compat

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat/internal/awschunked"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

var methods = []string{"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", ""}

// Every combination of method, level, sub-resource and copy header is either
// one row of the table or refused; what is not implemented is never served.
func TestTheRouterDecidesEveryCombination(t *testing.T) {
	t.Parallel()
	r := newRouter()
	subs := []string{""}
	for sub := range r.subs {
		if sub != "" {
			subs = append(subs, sub)
		}
	}
	for _, method := range methods {
		for l := serviceLevel; l <= objectLevel; l++ {
			for _, sub := range subs {
				for _, copySource := range []string{"", "/b/k"} {
					q := routable{method, l, url.Values{"x-id": {"1"}, "unknown": {"1"}}, http.Header{}}
					if sub != "" {
						q.query.Set(sub, "")
					}
					if copySource != "" {
						q.header.Set("X-Amz-Copy-Source", copySource)
					}
					checkRoute(t, r, q, sub, copySource)
				}
			}
		}
	}
}

func checkRoute(t *testing.T, r *router, q routable, sub, copySource string) {
	t.Helper()
	name := fmt.Sprintf("%s level %d ?%s copy %q", q.method, q.level, sub, copySource)
	op, err := r.route(q)
	i := slices.IndexFunc(routes, func(row route) bool {
		return row.method == q.method && row.level == q.level && row.sub == sub && row.also == "" &&
			(row.header == "" || copySource != "")
	})
	if i < 0 {
		var e *apiError
		require.ErrorAs(t, err, &e, name)
		assert.Contains(t, []errorCode{codeMethodNotAllowed, codeInvalidArgument, codeInvalidRequest}, e.code, name)
		assert.Equal(t, event.Unknown, op.op, name)
		assert.Nil(t, op.serve, name)
		return
	}
	row := routes[i]
	assert.Equal(t, row.name, op.name, name)
	switch {
	case row.serve == nil:
		assert.Equal(t, codeNotImplemented, codeOf(err), name)
	case copySource != "":
		assert.Equal(t, codeInvalidArgument, codeOf(err), name)
	default:
		assert.NoError(t, err, name)
	}
}

func codeOf(err error) errorCode {
	var e *apiError
	if errors.As(err, &e) {
		return e.code
	}
	return ""
}

func TestRefusedCombinationsSayWhy(t *testing.T) {
	t.Parallel()
	r := newRouter()
	for _, c := range []struct {
		method string
		level  level
		query  string
		code   errorCode
		text   string
	}{
		{"PUT", objectLevel, "partNumber=1", codeInvalidArgument, "This operation does not accept a query-string."},
		{"PUT", objectLevel, "versionId=1", codeInvalidArgument, "This operation does not accept a version-id."},
		{"PUT", objectLevel, "uploadId=1", codeMethodNotAllowed, ""},
		{"PUT", objectLevel, "uploadId=1&partNumber=1", codeNotImplemented, ""},
		{"POST", objectLevel, "", codeMethodNotAllowed, ""},
		{"POST", objectLevel, "delete", codeMethodNotAllowed, ""},
		{"POST", serviceLevel, "", codeMethodNotAllowed, ""},
		{"GET", objectLevel, "uploads", codeInvalidRequest, "Key is not expected for the GET method ?uploads subresource"},
		{"GET", objectLevel, "versions", codeInvalidRequest, "There is no such thing as the ?versions sub-resource for a key"},
		{"GET", bucketLevel, "uploadId=1", codeInvalidRequest, "A key must be specified"},
		{"GET", bucketLevel, "acl&policy", codeInvalidArgument, "Conflicting query string parameters: acl, policy"},
		{"GET", objectLevel, "acl&versionId=1", codeNotImplemented, ""},
		{"DELETE", objectLevel, "tagging&versionId=1", codeNotImplemented, ""},
		{"PUT", objectLevel, "tagging", codeNotImplemented, ""},
		{"PUT", objectLevel, "tagging=", codeNotImplemented, ""},
		{"GET", objectLevel, "Tagging", "", ""}, // S3's names are case-sensitive: this is unknown
		{"PUT", objectLevel, "x-id=PutObject&uploads2=1", "", ""},
		{"PUT", objectLevel, "x-id=PutObject&uploads2", "", ""},
		{"DELETE", bucketLevel, "unheard-of=", "", ""},
		{"GET", serviceLevel, "acl", codeInvalidRequest, "A bucket must be specified"},
		{"PUT", serviceLevel, "tagging", codeInvalidRequest, "A bucket must be specified"},
		{"GET", bucketLevel, "prefix=a&prefix=b", codeInvalidArgument, "The parameter is given more than once."},
		{"GET", bucketLevel, "acl&acl", codeInvalidArgument, "The parameter is given more than once."},
		{"GET", objectLevel, "response-expires=a&response-expires=a", codeInvalidArgument, ""},
		{"GET", bucketLevel, "mine=a&mine=b", "", ""},
		{"PUT", objectLevel, "x-amz-server-side-encryption=AES256", codeNotImplemented, ""},
		{"PUT", objectLevel, "X-Amz-Tagging=a%3Db", codeNotImplemented, ""},
		{"PUT", bucketLevel, "x-amz-acl=public-read", codeNotImplemented, ""},
	} {
		query, err := url.ParseQuery(c.query)
		require.NoError(t, err)
		_, err = r.route(routable{c.method, c.level, query, http.Header{}})
		assert.Equal(t, c.code, codeOf(err), "%s %d ?%s", c.method, c.level, c.query)
		if c.text != "" {
			var e *apiError
			require.ErrorAs(t, err, &e)
			assert.Equal(t, c.text, e.row().message)
		}
	}
	for _, name := range parameters {
		_, err := r.route(routable{"GET", bucketLevel, url.Values{name: {"", "x"}}, http.Header{}})
		assert.Equal(t, codeInvalidArgument, codeOf(err), name)
	}
	_, err := r.route(routable{"POST", objectLevel, url.Values{}, http.Header{}})
	var e *apiError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, "DELETE, GET, HEAD, OPTIONS, PUT", e.header.Get("Allow"))
	assert.Equal(t, []detail{{"Method", "POST"}, {"ResourceType", "OBJECT"}}, e.details)
}

func TestHeadersThatChangeTheMeaningAreNeverIgnored(t *testing.T) {
	t.Parallel()
	r := newRouter()
	for _, name := range []string{
		"x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
		"x-amz-server-side-encryption-customer-key", "x-amz-write-offset-bytes", "x-amz-tagging",
		"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold",
		"x-amz-website-redirect-location", "x-amz-grant-full-control", "x-amz-rename-source",
		"x-amz-if-match-size", "x-amz-if-match-last-modified-time", "x-amz-bucket-object-lock-enabled",
		"x-amz-object-if-match", "x-amz-bucket-namespace",
	} {
		for _, row := range routes {
			if row.serve == nil {
				continue
			}
			q := routable{row.method, row.level, url.Values{}, http.Header{}}
			q.header.Set(name, "x")
			if row.sub != "" {
				q.query.Set(row.sub, "2")
			}
			_, err := r.route(q)
			var e *apiError
			require.ErrorAs(t, err, &e, "%s of %s", name, row.name)
			assert.Equal(t, codeNotImplemented, e.code)
			assert.Equal(t, []detail{{"Header", name}}, e.details)
		}
	}
	q := routable{"PUT", objectLevel, url.Values{}, http.Header{"X-Amz-Copy-Source": {"/b/k"}}}
	op, err := r.route(q)
	assert.Equal(t, "CopyObject", op.name)
	assert.Equal(t, codeNotImplemented, codeOf(err))
}

func TestTheTableHoldsEveryCodeThatIsAnswered(t *testing.T) {
	t.Parallel()
	for code, row := range errorTable {
		assert.NotEmpty(t, row.message, code)
		assert.GreaterOrEqual(t, row.status, 400, code)
		assert.Equal(t, row.kind == nil, row.status >= 500 && row.status != 501 && code != codeSlowDown, code)
		e := newError(code)
		assert.Contains(t, e.Error(), row.message)
		if row.kind != nil {
			assert.ErrorIs(t, e, row.kind)
			assert.NotEqual(t, event.Failed, event.OutcomeOf(e), code)
		}
	}
	for _, s := range sentinels {
		assert.Contains(t, errorTable, s.code)
	}
	for _, kind := range []sigv4.Kind{
		sigv4.AccessDenied, sigv4.AuthorizationHeaderMalformed, sigv4.InvalidAccessKeyID, sigv4.InvalidArgument,
		sigv4.InvalidRequest, sigv4.InvalidURI, sigv4.NotImplemented, sigv4.RequestTimeTooSkewed,
		sigv4.SignatureDoesNotMatch, sigv4.XAmzContentSHA256Mismatch,
	} {
		assert.Contains(t, errorTable, errorCode(kind))
	}
	for _, kind := range []awschunked.Kind{
		awschunked.BadDigest, awschunked.IncompleteBody, awschunked.InvalidArgument, awschunked.InvalidChunkSizeError,
		awschunked.InvalidRequest, awschunked.MalformedTrailerError, awschunked.MissingContentLength,
	} {
		assert.Contains(t, errorTable, errorCode(kind))
	}
}

func TestErrorsOfTheEngineHaveCodes(t *testing.T) {
	t.Parallel()
	at := target{objectLevel, "bucket", "key"}
	for _, c := range []struct {
		err    error
		code   errorCode
		status int
	}{
		{container.ErrContainerNotFound, codeNoSuchBucket, 404},
		{container.ErrArtifactNotFound, codeNoSuchKey, 404},
		{container.ErrDenied, codeAccessDenied, 403},
		{container.ErrExists, codeBucketAlreadyExists, 409},
		{container.ErrNotEmpty, codeBucketNotEmpty, 409},
		{container.ErrPrecondition, codePreconditionFailed, 412},
		{container.ErrQuota, codeQuotaExceeded, 403},
		{container.ErrThrottled, codeSlowDown, 503},
		{container.ErrNoSpace, codeServiceUnavailable, 503},
		{container.ErrClosed, codeServiceUnavailable, 503},
		{container.ErrCorrupt, codeInternalError, 500},
		{fmt.Errorf("%w: %w", container.ErrCorrupt, container.ErrNotFound), codeInternalError, 500},
		{container.ErrTooLarge, codeEntityTooLarge, 400},
		{container.ErrLength, codeIncompleteBody, 400},
		{errors.ErrUnsupported, codeNotImplemented, 501},
		{errors.New("anything else"), codeInternalError, 500},
	} {
		e := asAPIError(&container.Error{Op: "x", Err: c.err}, at)
		assert.Equal(t, c.code, e.code, "%v", c.err)
		assert.Equal(t, c.status, e.row().status)
	}
	assert.Equal(t, []detail{{"BucketName", "bucket"}}, asAPIError(container.ErrContainerNotFound, at).details)
	assert.Equal(t, []detail{{"Key", "key"}}, asAPIError(container.ErrArtifactNotFound, at).details)
	inner := newError(codeInvalidDigest)
	assert.Same(t, inner, asAPIError(&container.Error{Op: "x", Err: fmt.Errorf("%w: %w", container.ErrSource, inner)}, at))
}

func TestTokensOfContinuationTellMistakes(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", "a/b", "\x00\xff", strings.Repeat("k", 1024)} {
		got, ok := parseToken(newToken(name))
		assert.True(t, ok)
		assert.Equal(t, name, got)
	}
	token := newToken("abc")
	for _, bad := range []string{"", "A", "====", token[:len(token)-1], token + "AA", "AAAAAAAA", "!" + token[1:]} {
		_, ok := parseToken(bad)
		assert.False(t, ok, bad)
	}
}

func TestEntityTagsAreSplit(t *testing.T) {
	t.Parallel()
	for list, want := range map[string][]string{
		"*": {"*"}, `"a"`: {"a"}, "a": {"a"}, `W/"a"`: {"W/a"}, `"a", b , "c,d",W/"e"`: {"a", "b", "c,d", "W/e"},
		`""`: {""}, `"*"`: {`"*"`}, ",, a ,": {"a"},
	} {
		tags, err := readTags(http.Header{"If-Match": {list}}, "If-Match")
		require.NoError(t, err, list)
		assert.Equal(t, want, tags, list)
	}
	for _, list := range []string{"", " ", ",", " , ", "W/", "W/,", "W/a", `"a`, `a"`, `"a"b`, `"a" "b"`, `W/"`, strings.Repeat("a,", 101)} {
		_, err := readTags(http.Header{"If-Match": {list}}, "If-Match")
		assert.Equal(t, codeInvalidArgument, codeOf(err), list)
	}
	tags, err := readTags(http.Header{}, "If-Match")
	require.NoError(t, err)
	assert.Nil(t, tags)
	c, err := readCondition(http.Header{"If-None-Match": {`W/"a","b"`}})
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, c.IfNoneMatch)
}

func TestHostsNameBuckets(t *testing.T) {
	t.Parallel()
	domains := []string{"example.com", "s3.example.com"}
	for host, want := range map[string]string{
		"s3.example.com": "", "example.com:80": "", "b.s3.example.com": "b", "a.b.S3.example.com:9000": "a.b",
		"b.example.com": "b", "other.org": "", "xs3.example.com": "xs3", "": "", "b.s3.example.com.": "b",
	} {
		assert.Equal(t, want, hostBucket(host, domains), host)
	}
}
