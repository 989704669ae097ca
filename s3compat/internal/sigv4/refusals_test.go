package sigv4

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

const (
	malformed  = "The authorization header is malformed; "
	threeParts = malformed + "the authorization header requires three components: Credential, SignedHeaders, and Signature."
	noDate     = "AWS authentication requires a valid Date or x-amz-date header"
	notSigned  = "There were headers present in the request which were not signed"
	names      = malformed + "the names in SignedHeaders must be in lower case, sorted and without duplicates."
	twoAuths   = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	badSum     = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value."
	noMatch    = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
	badURI     = "Couldn't parse the specified URI."
)

// An edit is one way to be wrong.
type edit func(*http.Request)

func rewritten(old, new string) edit {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
	}
}

func header(name string, values ...string) edit {
	return func(r *http.Request) {
		r.Header.Del(name)
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
}

func uri(uri string) edit { return func(r *http.Request) { r.RequestURI = uri } }

func TestEveryWayToBeWrongHasItsError(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", maxAuthorization)
	for name, tc := range map[string]struct {
		edit edit
		want Error
	}{
		"no authentication":    {header("Authorization"), Error{Kind: AccessDenied, Message: "Access Denied", Cause: ErrAnonymous}},
		"empty authentication": {header("Authorization", ""), Error{Kind: AccessDenied, Message: "Access Denied", Cause: ErrAnonymous}},
		"another scheme": {header("Authorization", "Bearer x"), Error{Kind: InvalidArgument, Message: "Unsupported Authorization Type",
			ArgumentName: "Authorization", ArgumentValue: "Bearer x"}},
		"the scheme in lower case": {header("Authorization", "aws4-hmac-sha256 x"), Error{Kind: InvalidArgument,
			Message: "Unsupported Authorization Type", ArgumentName: "Authorization", ArgumentValue: "aws4-hmac-sha256 x"}},
		"version 2":           {header("Authorization", "AWS k:s="), Error{Kind: InvalidRequest, Message: messageV2, Cause: ErrSignatureV2}},
		"version 4A":          {rewritten("HMAC-SHA256", "ECDSA-P256-SHA256"), Error{Kind: InvalidRequest, Message: messageV2}},
		"presigned version 2": {both(header("Authorization"), uri("/b/k?AWSAccessKeyId=k&Signature=s&Expires=1")), Error{Kind: InvalidRequest, Message: messageV2, Cause: ErrSignatureV2}},
		"presigned": {both(header("Authorization"), uri("/b/k?X-Amz-Signature=s")), Error{Kind: NotImplemented,
			Message: "A header you provided implies functionality that is not implemented", Cause: ErrPresigned}},
		"presigned in lower case": {both(header("Authorization"), uri("/b/k?x-amz-algorithm=AWS4-HMAC-SHA256")), Error{Kind: NotImplemented,
			Message: "A header you provided implies functionality that is not implemented", Cause: ErrPresigned}},
		"presigned, with its name escaped": {both(header("Authorization"), uri("/b/k?X%2DAmz-Credential=k")), Error{Kind: NotImplemented,
			Message: "A header you provided implies functionality that is not implemented", Cause: ErrPresigned}},
		"signed and presigned": {both(header("Authorization", "AWS4-HMAC-SHA256 a"), uri("/b/k?X-Amz-Algorithm=x")), Error{Kind: InvalidArgument,
			Message: twoAuths, Cause: ErrTwoMechanisms, ArgumentName: "Authorization", ArgumentValue: "AWS4-HMAC-SHA256 a"}},
		"signed and presigned version 2": {both(header("Authorization", "AWS4-HMAC-SHA256 a"), uri("/b/k?Signature=x")), Error{Kind: InvalidArgument,
			Message: twoAuths, Cause: ErrTwoMechanisms, ArgumentName: "Authorization", ArgumentValue: "AWS4-HMAC-SHA256 a"}},
		"signed twice": {header("Authorization", "AWS4-HMAC-SHA256 a", "AWS4-HMAC-SHA256 b"), Error{Kind: InvalidArgument,
			Message: twoAuths, Cause: ErrTwoMechanisms, ArgumentName: "Authorization", ArgumentValue: "AWS4-HMAC-SHA256 a"}},

		"nothing but the scheme": {header("Authorization", "AWS4-HMAC-SHA256"), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"no Credential":          {rewritten("Credential", "Cred"), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"no SignedHeaders":       {rewritten("SignedHeaders=host;x-amz-content-sha256;x-amz-date, ", ""), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"empty SignedHeaders":    {rewritten("host;x-amz-content-sha256;x-amz-date", ""), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"no Signature":           {rewritten("Signature=", ""), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"Signature twice":        {rewritten("Signature=", "Signature=x, Signature="), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"a fourth component":     {rewritten("Signature=", "X=1, Signature="), Error{Kind: AuthorizationHeaderMalformed, Message: threeParts}},
		"too long":               {rewritten("Credential=", "Credential="+long), Error{Kind: AuthorizationHeaderMalformed, Message: malformed + "it is longer than 8192 bytes."}},
		"four parts in Credential": {rewritten("/s3/", "/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`}},
		"six parts in Credential": {rewritten("/s3/", "/s3/s3/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`}},
		"no access key": {rewritten(exampleKey, ""), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + "a non-empty Access Key (AKID) must be provided in the credential."}},
		"a date of seven digits": {rewritten("/20130524/", "/2013052/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `incorrect date format "2013052". This date in the credential must be in the format "yyyyMMdd".`}},
		"a date of letters": {rewritten("/20130524/", "/2013052x/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `incorrect date format "2013052x". This date in the credential must be in the format "yyyyMMdd".`}},
		"the date of another day": {rewritten("/20130524/", "/20130523/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `Invalid credential date "20130523". This date is not the same as X-Amz-Date: "20130524".`}},
		"another region": {rewritten("/us-east-1/", "/eu-west-1/"), Error{Kind: AuthorizationHeaderMalformed, Region: "us-east-1",
			Message: malformed + `the region 'eu-west-1' is wrong; expecting 'us-east-1'`}},
		"another service": {rewritten("/s3/", "/ec2/"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `incorrect service "ec2". This endpoint belongs to "s3".`}},
		"another terminator": {rewritten("aws4_request", "aws4_reques"), Error{Kind: AuthorizationHeaderMalformed,
			Message: malformed + `incorrect terminal "aws4_reques". This endpoint uses "aws4_request".`}},
		"header names out of order":  {rewritten("host;x-amz-content-sha256", "x-amz-content-sha256;host"), Error{Kind: AuthorizationHeaderMalformed, Message: names}},
		"header names in upper case": {rewritten("=host;", "=Host;"), Error{Kind: AuthorizationHeaderMalformed, Message: names}},
		"a header name twice":        {rewritten("=host;", "=host;host;"), Error{Kind: AuthorizationHeaderMalformed, Message: names}},
		"an empty header name":       {rewritten("=host;", "=;host;"), Error{Kind: AuthorizationHeaderMalformed, Message: names}},
		"a header name with a space": {rewritten("=host;", "=ho st;"), Error{Kind: AuthorizationHeaderMalformed, Message: names}},

		"no date":                  {header("X-Amz-Date"), Error{Kind: AccessDenied, Message: noDate}},
		"a date in another format": {header("X-Amz-Date", "2013-05-24T00:00:00Z"), Error{Kind: AccessDenied, Message: noDate}},
		"a fraction of a second":   {header("X-Amz-Date", "20130524T000000.1Z"), Error{Kind: AccessDenied, Message: noDate}},
		"two dates":                {header("X-Amz-Date", "20130524T000000Z", "20130524T000000Z"), Error{Kind: AccessDenied, Message: noDate}},
		"a wrong Date":             {both(header("X-Amz-Date"), header("Date", "yesterday")), Error{Kind: AccessDenied, Message: noDate}},
		"no x-amz-content-sha256": {header("X-Amz-Content-Sha256"), Error{Kind: InvalidRequest,
			Message: "Missing required header for this request: x-amz-content-sha256"}},
		"a short x-amz-content-sha256": {header("X-Amz-Content-Sha256", "e3b0"), Error{Kind: InvalidArgument, Message: badSum,
			ArgumentName: "x-amz-content-sha256", ArgumentValue: "e3b0"}},
		"two x-amz-content-sha256": {header("X-Amz-Content-Sha256", sigv4test.Unsigned, sigv4test.Unsigned), Error{Kind: InvalidArgument, Message: badSum,
			ArgumentName: "x-amz-content-sha256", ArgumentValue: sigv4test.Unsigned}},
		"an x-amz-content-sha256 that is not hexadecimal": {header("X-Amz-Content-Sha256", strings.Repeat("x", 64)), Error{Kind: InvalidArgument, Message: badSum,
			ArgumentName: "x-amz-content-sha256", ArgumentValue: strings.Repeat("x", 64)}},
		"an unknown streaming payload": {header("X-Amz-Content-Sha256", "STREAMING-X"), Error{Kind: InvalidArgument, Message: badSum,
			ArgumentName: "x-amz-content-sha256", ArgumentValue: "STREAMING-X"}},
		"chunks signed with ECDSA": {header("X-Amz-Content-Sha256", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"), Error{Kind: NotImplemented,
			Message: "A header you provided implies functionality that is not implemented", Header: "x-amz-content-sha256"}},

		"host not signed": {rewritten("=host;", "="), Error{Kind: AccessDenied, Message: notSigned, HeadersNotSigned: []string{"host"}}},
		"x-amz headers not signed": {both(header("X-Amz-Meta-B", "1"), header("X-Amz-Acl", "private")), Error{Kind: AccessDenied, Message: notSigned,
			HeadersNotSigned: []string{"x-amz-acl", "x-amz-meta-b"}}},
		"an x-amz header in odd case": {func(r *http.Request) { r.Header["x-AMZ-acl"] = []string{"private"} }, Error{Kind: AccessDenied, Message: notSigned,
			HeadersNotSigned: []string{"x-amz-acl"}}},

		"an invalid escape in the path":    {uri("/b/%zz"), Error{Kind: InvalidURI, Message: badURI}},
		"a cut-off escape in the path":     {uri("/b/%2"), Error{Kind: InvalidURI, Message: badURI}},
		"an invalid escape in a parameter": {uri("/b/k?a=%"), Error{Kind: InvalidURI, Message: badURI}},
		"an invalid escape in a name":      {uri("/b/k?%g0=1"), Error{Kind: InvalidURI, Message: badURI}},
		"an address in asterisk form":      {uri("*"), Error{Kind: InvalidURI, Message: badURI}},
		"a scheme without a host":          {uri("http:/b/secret?x://localhost/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"another scheme without a host":    {uri("z:/b/secret?://localhost/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"an opaque address":                {uri("a:b://localhost/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"a scheme of files":                {uri("ftp://localhost/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"an empty host":                    {uri("http:///b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"the address of another host":      {uri("http://elsewhere/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"an address with a user":           {uri("http://me@localhost/b/k"), Error{Kind: InvalidURI, Message: badURI}},
		"an address that is too long":      {uri("/" + strings.Repeat("a", maxTarget)), Error{Kind: InvalidURI, Message: badURI}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := signedRequest()
			tc.edit(r)
			_, err := parse(newVerifier(t, Config{}), r)
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.want, *e)
			if tc.want.Cause != nil {
				require.ErrorIs(t, err, tc.want.Cause)
			}
		})
	}
}

func both(edits ...edit) edit {
	return func(r *http.Request) {
		for _, e := range edits {
			e(r)
		}
	}
}

func TestNothingThatIsSignedCanBeChanged(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]edit{
		"method":             func(r *http.Request) { r.Method = http.MethodDelete },
		"path":               uri("/bucket/other?x-id=GetObject"),
		"dot segments":       uri("/bucket/./key?x-id=GetObject"),
		"a doubled slash":    uri("/bucket//key?x-id=GetObject"),
		"query":              uri("/bucket/key?x-id=PutObject"),
		"a parameter more":   uri("/bucket/key?x-id=GetObject&acl"),
		"a parameter twice":  uri("/bucket/key?x-id=GetObject&x-id=GetObject"),
		"a parameter less":   uri("/bucket/key"),
		"host":               func(r *http.Request) { r.Host = "elsewhere" },
		"host in upper case": func(r *http.Request) { r.Host = "LOCALHOST" },
		"a header's value":   header("Range", "bytes=0-2"),
		"a header twice":     header("Range", "bytes=0-1", "bytes=0-1"),
		"no header":          header("Range"),
		"payload":            header("X-Amz-Content-Sha256", sigv4test.Unsigned),
		"time":               header("X-Amz-Date", "20130524T000001Z"),
		"signature":          rewritten("Signature=", "Signature=0"),
		"no hex digits": func(r *http.Request) {
			a := r.Header.Get("Authorization")
			r.Header.Set("Authorization", a[:len(a)-1]+"x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, "http://localhost/bucket/key?x-id=GetObject", nil)
			r.RequestURI = r.URL.RequestURI()
			r.Header.Set("Range", "bytes=0-1")
			exampleSigner().Sign(r, sigv4test.Sum(""), "range")
			edit(r)
			_, err := verify(newVerifier(t, Config{}), r)
			require.Equal(t, noMatch, requireError(t, err, SignatureDoesNotMatch).Message)
		})
	}
}

func TestErrorsMatchTheSentinelsOfTheirKind(t *testing.T) {
	t.Parallel()
	for kind, want := range map[Kind]error{
		AccessDenied:                 container.ErrDenied,
		InvalidAccessKeyID:           container.ErrDenied,
		SignatureDoesNotMatch:        container.ErrDenied,
		RequestTimeTooSkewed:         container.ErrDenied,
		AuthorizationHeaderMalformed: container.ErrInvalid,
		InvalidArgument:              container.ErrInvalid,
		InvalidRequest:               container.ErrInvalid,
		InvalidURI:                   container.ErrInvalid,
		NotImplemented:               errors.ErrUnsupported,
		XAmzContentSHA256Mismatch:    container.ErrDigest,
	} {
		require.ErrorIs(t, &Error{Kind: kind}, want)
	}
}
