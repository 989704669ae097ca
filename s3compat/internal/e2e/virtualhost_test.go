package e2e

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	s := startServer(t, "-domain", "s3.example.test")
	address := strings.TrimPrefix(s.endpoint, "http://")
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	var hosts []string
	c := newSDK("http://s3.example.test:"+port, func(o *s3.Options) {
		o.UsePathStyle = false
		o.HTTPClient = &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, // each request asks for its host
			DialContext: func(ctx context.Context, network, host string) (net.Conn, error) {
				hosts = append(hosts, host)
				var d net.Dialer
				return d.DialContext(ctx, network, address)
			},
		}}
	})
	mustCreate(t, c, "my-bucket")
	for _, key := range []string{"k", "my-bucket/k", "/k", "a//b", "-/metrics"} {
		mustPut(t, c, "my-bucket", key, key)
		assert.Equal(t, key, mustGet(t, c, "my-bucket", key))
		assert.Equal(t, key, mustGet(t, newSDK(s.endpoint), "my-bucket", key), "path style")
	}
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("my-bucket"), Prefix: aws.String("my")})
	require.NoError(t, err)
	assert.Equal(t, []string{"my-bucket/k"}, keysOf(list.Contents))
	buckets, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	require.NoError(t, err)
	assert.Len(t, buckets.Buckets, 1)
	assert.True(t, slices.Contains(hosts, "my-bucket.s3.example.test:"+port), hosts)
	assert.True(t, slices.Contains(hosts, "s3.example.test:"+port), hosts)
}
