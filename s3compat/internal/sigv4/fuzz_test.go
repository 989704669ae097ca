package sigv4

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// FuzzParse looks for input that panics, that verifies without having been
// signed, or that is refused with an error of another type.
func FuzzParse(f *testing.F) {
	valid := signedRequest().Header
	f.Add("GET", "/bucket/key?x-id=GetObject", "localhost", valid.Get("Authorization"), valid.Get("X-Amz-Date"), valid.Get("X-Amz-Content-Sha256"), "")
	f.Add("PUT", "http://h/%C3%A9/%2F?a=+&b", "h", "AWS4-HMAC-SHA256 Credential=k/20130524/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=0", "20130524T000000Z", "UNSIGNED-PAYLOAD", "x")
	f.Add("GET", "/?X-Amz-Signature=1", "", "", "", "", "")
	f.Add("GET", "*?%", "h", "AWS a:b", "20130524T000000.5Z", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "a  b")
	f.Add("GET", "?", "h", "AWS4-HMAC-SHA256 ,,,", "", strings.Repeat("g", 64), " ")
	v := newVerifier(f, Config{})
	f.Fuzz(func(t *testing.T, method, uri, host, authorization, date, payload, meta string) {
		r := &http.Request{Method: method, RequestURI: uri, Host: host, Header: http.Header{}}
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Amz-Date": date, "X-Amz-Content-Sha256": payload, "X-Amz-Meta-M": meta,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		var typed *Error
		req, err := parse(v, r)
		if err != nil {
			if !errors.As(err, &typed) || typed.Kind == "" || typed.Message == "" {
				t.Fatalf("not a typed error: %v", err)
			}
			return
		}
		if _, err := v.Verify(req, "a secret that nobody signs with", true); !errors.As(err, &typed) || typed.Kind != SignatureDoesNotMatch {
			t.Fatalf("verified without a secret: %v", err)
		}
	})
}
