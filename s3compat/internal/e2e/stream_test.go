package e2e

import (
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What cannot be read twice the SDK uploads over TLS, as it is; over plain HTTP
// only if told to leave the payload unsigned.
func TestSDKUploadsStreams(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	plain, secure := newSDK(s.endpoint), newSDK(startTLS(t, s), trusting)
	mustCreate(t, plain, "bucket")
	body := strings.Repeat("0123456789abcdef", 1<<16)
	stream := func() *s3.PutObjectInput {
		return &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k"), Body: io.MultiReader(strings.NewReader(body))}
	}
	unsigned := s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	for _, test := range []struct {
		name   string
		client *s3.Client
		length *int64
		opts   []func(*s3.Options)
	}{
		{"over TLS with a length", secure, aws.Int64(int64(len(body))), nil},
		{"over TLS without a length", secure, nil, nil},
		{"over HTTP with a length", plain, aws.Int64(int64(len(body))), []func(*s3.Options){unsigned, whenRequired}},
		{"over HTTP without a length", plain, nil, []func(*s3.Options){unsigned, whenRequired}},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := stream()
			in.ContentLength = test.length
			_, err := test.client.PutObject(t.Context(), in, test.opts...)
			require.NoError(t, err)
			assert.Equal(t, etag(body), etag(mustGet(t, plain, "bucket", "k")))
			_, err = plain.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: in.Bucket, Key: in.Key})
			require.NoError(t, err)
		})
	}
}

func whenRequired(o *s3.Options) {
	o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
}
