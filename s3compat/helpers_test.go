package s3compat_test

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/event/eventtest"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
	"github.com/vaultaire/vaultaire/tenant"
)

const region = "us-east-1"

var credentials = []s3compat.Credential{
	{AccessKey: "AKALICE", SecretKey: "alices-secret", Tenant: "acme", Principal: tenant.Principal{ID: "alice", DisplayName: "Alice A."}},
	{AccessKey: "AKBOB", SecretKey: "bobs-secret", Tenant: "acme", Principal: tenant.Principal{ID: "bob"}},
	{AccessKey: "AKROOT", SecretKey: "roots-secret", Tenant: "acme", Principal: tenant.Principal{ID: "root", Admin: true}},
	{AccessKey: "AKCAROL", SecretKey: "carols-secret", Tenant: "other", Principal: tenant.Principal{ID: "carol"}},
}

// A rig is a server over an engine in memory, and the client alice.
type rig struct {
	engine *engine.Engine
	events *eventtest.Recorder
	url    string
	client
}

// A client signs for one credential.
type client struct {
	base   string // URL that bucket and key follow
	host   string // "" for the server's own
	signer sigv4test.Signer
}

func newRig(t *testing.T, opts ...s3compat.Option) *rig {
	t.Helper()
	return serve(t, func(s3 http.Handler) (http.Handler, string) { return s3, "" }, opts...)
}

// serve starts a server whose handler mount makes of the S3 handler, and whose
// S3 is below the path that it returns.
func serve(t *testing.T, mount func(http.Handler) (http.Handler, string), opts ...s3compat.Option) *rig {
	t.Helper()
	return serveOver(t, memory.New(), mount, opts...)
}

// serveOver is serve with bytes in d.
func serveOver(t *testing.T, d driver.Driver, mount func(http.Handler) (http.Handler, string), opts ...s3compat.Option) *rig {
	t.Helper()
	store, err := pebblestore.OpenMemory(t.Context())
	require.NoError(t, err)
	return serveStore(t, store, d, mount, opts...)
}

// serveStore is serveOver with a catalog in store.
func serveStore(t *testing.T, store catalog.Store, d driver.Driver, mount func(http.Handler) (http.Handler, string), opts ...s3compat.Option) *rig {
	t.Helper()
	r := &rig{events: new(eventtest.Recorder)}
	var err error
	r.engine, err = engine.New(t.Context(),
		engine.WithCatalog(store), engine.WithDriver("memory", d), engine.WithSink(r.events))
	require.NoError(t, err)
	opts = append([]s3compat.Option{s3compat.WithCredentials(s3compat.StaticCredentials(credentials...))}, opts...)
	h, err := s3compat.New(r.engine, opts...)
	require.NoError(t, err)
	handler, prefix := mount(h)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		assert.NoError(t, r.engine.Close(context.Background()))
	})
	r.url = server.URL
	r.client = client{base: server.URL + prefix, signer: signer(0)}
	return r
}

func signer(i int) sigv4test.Signer {
	c := credentials[i]
	return sigv4test.Signer{AccessKey: c.AccessKey, Secret: c.SecretKey, Region: region, Time: time.Now()}
}

// as returns the client of another credential.
func (r *rig) as(i int) client {
	c := r.client
	c.signer = signer(i)
	return c
}

// withBucket makes the bucket "bucket" and forgets the event of it.
func (r *rig) withBucket(t *testing.T) *rig {
	t.Helper()
	r.do(t, "PUT", "/bucket", "").want(t, 200, "")
	r.events.Reset()
	return r
}

// A response is an answer, read.
type response struct {
	status int
	header http.Header
	body   string
}

// An apiError is the body of an error.
type apiError struct {
	XMLName                    xml.Name `xml:"Error"`
	Code, Message, Resource    string
	RequestID                  string `xml:"RequestId"`
	HostID                     string `xml:"HostId"`
	BucketName, Key            string
	ArgumentName               string
	ArgumentValue              string
	Header, Condition          string
	Method, ResourceType       string
	Region                     string
	AWSAccessKeyID             string `xml:"AWSAccessKeyId"`
	HeadersNotSigned           string
	StringToSign               string
	CalculatedDigest           string
	ExpectedDigest             string
	ProposedSize               string
	MaxSizeAllowed             string
	Size                       string
	RangeRequested             string
	ActualObjectSize           string
	ServerTime                 string
	MaxAllowedSkewMilliseconds string
	LocationConstraint         string
	S3ComputedContentSHA256    string
}

// request makes a request that is yet to be signed. headers are "Name: value".
func (c client) request(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.base+path, strings.NewReader(body))
	require.NoError(t, err)
	if body == "" {
		r.Body = http.NoBody
	}
	if c.host != "" {
		r.Host = c.host
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// do sends a signed request, with the hash of its body.
func (c client) do(t *testing.T, method, path, body string, headers ...string) response {
	t.Helper()
	r := c.request(t, method, path, body, headers...)
	c.signer.Sign(r, sigv4test.Sum(body))
	return send(t, r)
}

// send sends r as it is.
func send(t *testing.T, r *http.Request) response {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression, transport.DisableKeepAlives = true, true
	res, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return response{res.StatusCode, res.Header, string(body)}
}

// want asserts the status and, if code is not empty, the error.
func (r response) want(t *testing.T, status int, code string) apiError {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	require.NotEmpty(t, r.header.Get("X-Amz-Request-Id"))
	require.NotEmpty(t, r.header.Get("X-Amz-Id-2"))
	var e apiError
	if code == "" {
		return e
	}
	assert.Equal(t, "application/xml", r.header.Get("Content-Type"))
	require.NoError(t, xml.Unmarshal([]byte(r.body), &e), r.body)
	require.Equal(t, code, e.Code, r.body)
	assert.Equal(t, r.header.Get("X-Amz-Request-Id"), e.RequestID)
	assert.Equal(t, r.header.Get("X-Amz-Id-2"), e.HostID)
	assert.NotEmpty(t, e.Message)
	return e
}

// A listing is the body of ListObjects in either version.
type listing struct {
	Name, Prefix, Marker, NextMarker string
	StartAfter, ContinuationToken    string
	NextContinuationToken            string
	Delimiter, EncodingType          string
	KeyCount, MaxKeys                int
	IsTruncated                      bool
	Contents                         []struct {
		Key, LastModified, ETag, StorageClass string
		Size                                  int64
		Owner                                 *struct{ ID, DisplayName string }
	}
	CommonPrefixes []struct{ Prefix string }
}

func (l listing) keys() []string {
	keys := []string{}
	for _, c := range l.Contents {
		keys = append(keys, c.Key)
	}
	return keys
}

func (l listing) prefixes() []string {
	prefixes := []string{}
	for _, p := range l.CommonPrefixes {
		prefixes = append(prefixes, p.Prefix)
	}
	return prefixes
}

func (c client) list(t *testing.T, path string) (l listing) {
	t.Helper()
	res := c.do(t, "GET", path, "")
	res.want(t, 200, "")
	require.NoError(t, xml.Unmarshal([]byte(res.body), &l), res.body)
	return l
}

// wantEvent asserts that exactly one event was recorded since the last reset,
// and forgets it.
func (r *rig) wantEvent(t *testing.T, op event.Op, outcome event.Outcome) event.Event {
	t.Helper()
	e := r.events.Only(t, op, outcome)
	r.events.Reset()
	return e
}
