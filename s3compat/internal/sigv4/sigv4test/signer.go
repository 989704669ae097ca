// Package sigv4test signs requests as an S3 client does, for tests. It shares
// no code with the verifier: what both agree on, two authors have read in the
// documentation.
package sigv4test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The values of x-amz-content-sha256 that are not the sum of a body.
const (
	Unsigned              = "UNSIGNED-PAYLOAD"
	SignedChunks          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	SignedChunksTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	UnsignedChunksTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

const isoFormat = "20060102T150405Z"

// A Signer signs for one access key in one region at one time.
type Signer struct {
	AccessKey string
	Secret    string
	Region    string
	Time      time.Time
}

// Sum returns the SHA-256 of a body as x-amz-content-sha256 has it.
func Sum(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

// Sign adds x-amz-date, x-amz-content-sha256 and Authorization to r, signing
// host, every x-amz-* header, and the headers named by also. payload is the
// value of x-amz-content-sha256. It returns the signature.
func (s Signer) Sign(r *http.Request, payload string, also ...string) string {
	r.Header.Set("X-Amz-Date", s.iso())
	r.Header.Set("X-Amz-Content-Sha256", payload)
	names := append([]string{"host"}, also...)
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return s.SignHeaders(r, payload, names)
}

// SignHeaders adds Authorization alone, over exactly the named headers in the
// given order. It returns the signature.
func (s Signer) SignHeaders(r *http.Request, payload string, names []string) string {
	host := r.Host
	if host == "" {
		host = r.URL.Host
	}
	var headers strings.Builder
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch {
		case name == "host":
			value = host
		case name == "content-length" && value == "":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, collapse(value))
	}
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	signed := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method, reencode(path), query(r.URL.RawQuery), headers.String(), signed, payload}, "\n")
	signature := s.Signature("AWS4-HMAC-SHA256\n" + s.iso() + "\n" + s.scope() + "\n" + Sum(canonical))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s",
		s.AccessKey, s.scope(), signed, signature))
	return signature
}

// Signature signs a string to sign.
func (s Signer) Signature(text string) string {
	key := "AWS4" + s.Secret
	for _, part := range []string{s.iso()[:8], s.Region, "s3", "aws4_request", text} {
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(part))
		key = string(h.Sum(nil))
	}
	return hex.EncodeToString([]byte(key))
}

func (s Signer) iso() string { return s.Time.UTC().Format(isoFormat) }

func (s Signer) scope() string {
	return s.iso()[:8] + "/" + s.Region + "/s3/aws4_request"
}

func collapse(value string) string {
	value = strings.TrimSpace(value)
	for strings.Contains(value, "  ") {
		value = strings.ReplaceAll(value, "  ", " ")
	}
	return value
}

// reencode encodes an escaped path as AWS does, from what net/url leaves as it
// is.
func reencode(escaped string) string {
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return escaped
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = escape(segment)
	}
	return strings.Join(segments, "/")
}

func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func query(raw string) string {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return raw
	}
	for _, v := range values {
		slices.Sort(v)
	}
	return strings.ReplaceAll(values.Encode(), "+", "%20")
}
