package s3compat_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
	"github.com/vaultaire/vaultaire/tenant"
)

func TestRequestsThatAreNotRightlySignedAreRefusedOnce(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	s.do(t, "PUT", "/bucket/k", "old").want(t, 200, "")
	for name, c := range map[string]struct {
		change func(*http.Request, *sigv4test.Signer)
		after  func(*http.Request)
		status int
		code   string
		check  func(*testing.T, apiError)
	}{
		"wrong secret": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.Secret = "guess" },
			status: 403, code: "SignatureDoesNotMatch",
			check: func(t *testing.T, e apiError) {
				assert.Equal(t, "AKALICE", e.AWSAccessKeyID)
				assert.Contains(t, e.StringToSign, "AWS4-HMAC-SHA256\n")
			},
		},
		"another's signature": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.Secret = "bobs-secret" },
			status: 403, code: "SignatureDoesNotMatch",
		},
		"unknown key": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.AccessKey = "AKNOBODY" },
			status: 403, code: "InvalidAccessKeyId",
			check: func(t *testing.T, e apiError) { assert.Equal(t, "AKNOBODY", e.AWSAccessKeyID) },
		},
		"slow clock": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.Time = s.Time.Add(-20 * time.Minute) },
			status: 403, code: "RequestTimeTooSkewed",
			check: func(t *testing.T, e apiError) {
				assert.NotEmpty(t, e.ServerTime)
				assert.Equal(t, "900000", e.MaxAllowedSkewMilliseconds)
			},
		},
		"fast clock": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.Time = s.Time.Add(20 * time.Minute) },
			status: 403, code: "RequestTimeTooSkewed",
		},
		"another region": {
			change: func(_ *http.Request, s *sigv4test.Signer) { s.Region = "eu-west-1" },
			status: 400, code: "AuthorizationHeaderMalformed",
			check: func(t *testing.T, e apiError) { assert.Equal(t, region, e.Region) },
		},
		"anonymous": {
			after:  func(r *http.Request) { r.Header.Del("Authorization") },
			status: 403, code: "AccessDenied",
		},
		"header added": {
			after:  func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "b") },
			status: 403, code: "AccessDenied",
			check: func(t *testing.T, e apiError) { assert.Equal(t, "x-amz-meta-a", e.HeadersNotSigned) },
		},
		"path changed": {
			after:  func(r *http.Request) { r.URL.Path = "/bucket/other" },
			status: 403, code: "SignatureDoesNotMatch",
		},
		"query changed": {
			after:  func(r *http.Request) { r.URL.RawQuery = "x-id=PutObject" },
			status: 403, code: "SignatureDoesNotMatch",
		},
		"version 2": {
			after:  func(r *http.Request) { r.Header.Set("Authorization", "AWS AKALICE:c2ln") },
			status: 400, code: "InvalidRequest",
			check: func(t *testing.T, e apiError) {
				assert.Equal(t, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.", e.Message)
			},
		},
		"presigned": {
			after: func(r *http.Request) {
				r.Header.Del("Authorization")
				r.URL.RawQuery = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=x"
			},
			status: 501, code: "NotImplemented",
		},
		"session token": {
			change: func(r *http.Request, _ *sigv4test.Signer) { r.Header.Set("X-Amz-Security-Token", "t") },
			status: 400, code: "InvalidToken",
		},
		"no payload hash": {
			after:  func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") },
			status: 400, code: "InvalidRequest",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s.events.Reset()
			r, signer := s.request(t, "PUT", "/bucket/k", "new"), s.signer
			if c.change != nil {
				c.change(r, &signer)
			}
			signer.Sign(r, sigv4test.Sum("new"))
			if c.after != nil {
				c.after(r)
			}
			e := send(t, r).want(t, c.status, c.code)
			if c.check != nil {
				c.check(t, e)
			}
			events := s.events.Events()
			require.Len(t, events, 1)
			assert.Equal(t, event.PutArtifact, events[0].Op)
			assert.Empty(t, events[0].Tenant, "nobody has proven to be of a tenant")
			assert.Equal(t, "PutObject", events[0].Request.API)
			assert.NotContains(t, fmt.Sprint(events[0].Err), "secret")
			assert.Equal(t, "old", s.do(t, "GET", "/bucket/k", "").body)
		})
	}
}

func TestAWrongSignatureIsToldBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	s := newRig(t).withBucket(t)
	stranger := s.client
	stranger.signer.Secret = "guess"
	for _, path := range []string{"/bucket/k", "/absent/k", "/bucket/k?tagging", "/bucket?nothing&acl&policy", "/a%2Fb", "/bucket/../../x"} {
		stranger.do(t, "GET", path, "").want(t, 403, "SignatureDoesNotMatch")
	}
}

type sourceFunc func(context.Context, string) (s3compat.Credential, error)

func (f sourceFunc) Lookup(ctx context.Context, key string) (s3compat.Credential, error) {
	return f(ctx, key)
}

func TestASourceThatFailsIsOurFailure(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]sourceFunc{
		"error": func(context.Context, string) (s3compat.Credential, error) {
			return s3compat.Credential{}, errors.New("database is away")
		},
		"panic": func(context.Context, string) (s3compat.Credential, error) { panic("boom") },
		"no principal": func(context.Context, string) (s3compat.Credential, error) {
			c := credentials[alice]
			c.Principal = tenant.Principal{}
			return c, nil
		},
	} {
		s := newRig(t, s3compat.WithCredentials(source))
		res := s.do(t, "GET", "/", "")
		e := res.want(t, 500, "InternalError")
		assert.Equal(t, "We encountered an internal error. Please try again.", e.Message, name)
		assert.NotContains(t, res.body, "boom")
		s.wantEvent(t, event.ListContainers, event.Failed)
	}
}

func TestCredentialsDoNotPrintTheirSecret(t *testing.T) {
	t.Parallel()
	c := credentials[alice]
	for _, text := range []string{
		fmt.Sprint(c), fmt.Sprintf("%+v", c), fmt.Sprintf("%#v", c), fmt.Sprintf("%s %v %q", c, &c, c), c.LogValue().String(),
		fmt.Sprintf("%+v", []s3compat.Credential{c}),
	} {
		assert.NotContains(t, text, c.SecretKey)
		assert.Contains(t, text, c.AccessKey)
	}
}

func TestEveryBadOptionIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	s := newRig(t)
	_, err := s3compat.New(s.engine,
		s3compat.WithCredentials(s3compat.StaticCredentials(
			s3compat.Credential{AccessKey: "a/b", SecretKey: "topsecret", Tenant: "", Principal: tenant.Principal{ID: "x"}},
			s3compat.Credential{AccessKey: "k", SecretKey: "", Tenant: "t"},
			s3compat.Credential{AccessKey: "k", SecretKey: "s", Tenant: "t", Principal: tenant.Principal{ID: "x"}},
		)),
		s3compat.WithRegion("a/b"), s3compat.WithVirtualHosts("ok.example", "host:80"), s3compat.WithBasePath("x/"),
		s3compat.WithClock(nil), s3compat.WithLogger(nil), nil)
	require.ErrorIs(t, err, container.ErrInvalid)
	for _, want := range []string{`"a/b"`, `"k" is empty`, "tenant", "no ID", "twice", "region", "host:80", "base path", "WithClock", "WithLogger", "option is nil"} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "topsecret")
	_, err = s3compat.New(s.engine)
	require.ErrorContains(t, err, "WithCredentials is missing")
	_, err = s3compat.New(nil)
	require.ErrorIs(t, err, container.ErrInvalid)
}
