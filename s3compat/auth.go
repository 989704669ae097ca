package s3compat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/s3compat/internal/awschunked"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

// An identity is who signed a request, and what the signature says of the body.
type identity struct {
	credential Credential
	payload    sigv4.Payload
	seed       *sigv4.Seed
}

// authenticate verifies the signature of r, whose address is target. An unknown
// access key costs as much as a wrong secret.
func (h *Handler) authenticate(ctx context.Context, r *http.Request, target sigv4.Target) (identity, error) {
	req, err := h.verifier.Parse(r, target)
	if err != nil {
		return identity{}, err
	}
	c, err := h.config.credentials.Lookup(ctx, req.AccessKey)
	known := err == nil
	if err != nil && !errors.Is(err, container.ErrNotFound) {
		// %v: a sentinel in it says nothing about the request.
		return identity{}, newError(codeInternalError).because(fmt.Errorf("look up a credential: %v", err))
	}
	if known {
		// A source could not mean to let the zero principal in: it may do everything.
		if err := c.validate(); err != nil {
			return identity{}, newError(codeInternalError).because(fmt.Errorf("credential: %v", err))
		}
	}
	seed, err := h.verifier.Verify(req, c.SecretKey, known)
	if err != nil {
		return identity{}, err
	}
	if token := r.Header.Get("X-Amz-Security-Token"); token != "" {
		return identity{}, newError(codeInvalidToken)
	}
	return identity{credential: c, payload: req.Payload, seed: seed}, nil
}

// fromSignature translates the errors of the packages that verify signatures
// and framing, which carry Amazon's codes and texts. It returns nil for others.
func fromSignature(err error) *apiError {
	var s *sigv4.Error
	if errors.As(err, &s) {
		e := newError(errorCode(s.Kind), signatureDetails(s)...)
		return e.saying("%s", s.Message).because(s.Cause)
	}
	var c *awschunked.Error
	if errors.As(err, &c) {
		e := newError(errorCode(c.Kind), chunkDetails(c)...)
		return e.saying("%s", c.Message)
	}
	return nil
}

func signatureDetails(s *sigv4.Error) []string {
	var d []string
	add := func(name, value string) {
		if value != "" {
			d = append(d, name, value)
		}
	}
	add("Region", s.Region)
	add("HeadersNotSigned", strings.Join(s.HeadersNotSigned, ", "))
	add("Header", s.Header)
	add("ArgumentName", s.ArgumentName)
	add("ArgumentValue", s.ArgumentValue)
	add("AWSAccessKeyId", s.AccessKey)
	if s.Kind == sigv4.SignatureDoesNotMatch {
		add("StringToSign", s.StringToSign)
		add("SignatureProvided", s.SignatureProvided)
		add("StringToSignBytes", spacedHex(s.StringToSign))
		add("CanonicalRequest", s.CanonicalRequest)
		add("CanonicalRequestBytes", spacedHex(s.CanonicalRequest))
	}
	if s.Kind == sigv4.RequestTimeTooSkewed {
		add("RequestTime", s.RequestTime)
		add("ServerTime", s.ServerTime.UTC().Format(time.RFC3339))
		add("MaxAllowedSkewMilliseconds", itoa(s.MaxSkew.Milliseconds()))
	}
	add("ClientComputedContentSHA256", s.ClientSHA256)
	add("S3ComputedContentSHA256", s.ComputedSHA256)
	return d
}

func chunkDetails(c *awschunked.Error) []string {
	switch {
	case c.Kind == awschunked.InvalidChunkSizeError:
		return []string{"Chunk", itoa(int64(c.Chunk)), "BadChunkSize", itoa(c.BadChunkSize)}
	case c.ArgumentName != "":
		return []string{"ArgumentName", c.ArgumentName, "ArgumentValue", c.ArgumentValue}
	}
	return nil
}
