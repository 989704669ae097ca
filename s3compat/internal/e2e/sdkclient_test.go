package e2e

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSDK returns Amazon's client with everything as it is by default, but for
// what has to be told to reach us, and for retries, which would hide errors.
func newSDK(endpoint string, change ...func(*s3.Options)) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint:     aws.String(endpoint),
		Region:           region,
		Credentials:      credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		UsePathStyle:     true,
		RetryMaxAttempts: 1,
	}, change...)
}

// trusting makes the client accept any certificate.
func trusting(o *s3.Options) {
	o.HTTPClient = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own certificate
	}}
}

// A recorder notes how the payloads of uploads were signed.
type recorder struct {
	http.RoundTripper
	mu    sync.Mutex
	modes map[string]bool
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPut {
		r.mu.Lock()
		r.modes[request.Header.Get("X-Amz-Content-Sha256")] = true
		r.mu.Unlock()
	}
	return r.RoundTripper.RoundTrip(request)
}

// startTLS puts TLS before a server and returns its endpoint. The SDK uploads
// with a trailer only over TLS. Bytes pass as they are, in both directions.
func startTLS(t *testing.T, s *server) string {
	t.Helper()
	certificates := httptest.NewTLSServer(nil)
	config := &tls.Config{Certificates: certificates.TLS.Certificates}
	certificates.Close()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(t, err)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(conn, strings.TrimPrefix(s.endpoint, "http://"))
		}
	}()
	t.Cleanup(func() { listener.Close() }) // the connections end with the server
	return "https://" + listener.Addr().String()
}

func forward(client net.Conn, address string) {
	defer client.Close()
	upstream, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(upstream, client)
		upstream.Close()
	})
	_, _ = io.Copy(client, upstream)
	client.Close()
	both.Wait()
}

// assertCode asserts the code and status of an error of the API.
func assertCode(t *testing.T, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if assert.ErrorAs(t, err, &api) {
		assert.Equal(t, code, api.ErrorCode(), err)
	}
	assertStatus(t, err, status)
}

func assertStatus(t *testing.T, err error, status int) {
	t.Helper()
	var response *smithyhttp.ResponseError
	if assert.ErrorAs(t, err, &response) {
		assert.Equal(t, status, response.HTTPStatusCode(), err)
	}
}

func mustCreate(t *testing.T, c *s3.Client, bucket string) {
	t.Helper()
	_, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket})
	require.NoError(t, err)
}

func mustPut(t *testing.T, c *s3.Client, bucket, key, body string) *s3.PutObjectOutput {
	t.Helper()
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body)})
	require.NoError(t, err)
	return out
}

func mustGet(t *testing.T, c *s3.Client, bucket, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	require.NoError(t, err)
	defer out.Body.Close()
	body, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	return string(body)
}
