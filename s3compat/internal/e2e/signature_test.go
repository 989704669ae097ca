package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
)

func TestRequestsThatAreSignedWrongAreRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	good := newSDK(s.endpoint)
	mustCreate(t, good, "bucket")
	mustPut(t, good, "bucket", "k", "v")
	for _, test := range []struct {
		name   string
		change func(*s3.Options)
		code   string
		status int
	}{
		{"wrong secret", withKeys(accessKey, "wrong"), "SignatureDoesNotMatch", 403},
		{"unknown key", withKeys("UNKNOWN", secretKey), "InvalidAccessKeyId", 403},
		{"clock behind", withClock(-20 * time.Minute), "RequestTimeTooSkewed", 403},
		{"clock ahead", withClock(20 * time.Minute), "RequestTimeTooSkewed", 403},
		{"wrong region", func(o *s3.Options) { o.Region = "eu-central-1" }, "AuthorizationHeaderMalformed", 400},
		{"session token", func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, secretKey, "token")
		}, "InvalidToken", 400},
		{"no signature", func(o *s3.Options) { o.Credentials = aws.AnonymousCredentials{} }, "AccessDenied", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := newSDK(s.endpoint, test.change)
			_, err := bad.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k")})
			assertCode(t, err, test.code, test.status)
			_, err = bad.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String("bucket"), Key: aws.String("k"), Body: strings.NewReader("bad")})
			assertCode(t, err, test.code, test.status)
			_, err = bad.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k")})
			assertCode(t, err, test.code, test.status)
			assert.Equal(t, "v", mustGet(t, good, "bucket", "k"))
		})
	}
	t.Run("clock 10 minutes off is fine", func(t *testing.T) {
		assert.Equal(t, "v", mustGet(t, newSDK(s.endpoint, withClock(-10*time.Minute)), "bucket", "k"))
	})
}

func withKeys(access, secret string) func(*s3.Options) {
	return func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(access, secret, "") }
}

// withClock makes the client sign for another time.
func withClock(off time.Duration) func(*s3.Options) {
	return func(o *s3.Options) {
		o.HTTPSignerV4 = shiftedSigner{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }), off}
	}
}

type shiftedSigner struct {
	signer *v4.Signer
	off    time.Duration
}

func (s shiftedSigner) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request,
	payloadHash, service, region string, now time.Time, opts ...func(*v4.SignerOptions)) error {
	return s.signer.SignHTTP(ctx, credentials, r, payloadHash, service, region, now.Add(s.off), opts...)
}
