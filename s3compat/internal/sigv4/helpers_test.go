package sigv4

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

// The credentials and the time of all examples in Amazon's documentation.
const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleRegion = "us-east-1"
)

var exampleTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func exampleSigner() sigv4test.Signer {
	return sigv4test.Signer{AccessKey: exampleKey, Secret: exampleSecret, Region: exampleRegion, Time: exampleTime}
}

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	if cfg.Region == "" {
		cfg.Region = exampleRegion
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return exampleTime }
	}
	v, err := NewVerifier(cfg)
	require.NoError(t, err)
	return v
}

// readRequest parses a request as net/http's server does. Lines end in "\n".
func readRequest(t testing.TB, text string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n"))))
	require.NoError(t, err)
	return r
}

func parse(v *Verifier, r *http.Request) (*Request, error) {
	target, err := ParseTarget(r)
	if err != nil {
		return nil, err
	}
	return v.Parse(r, target)
}

// verify does all that a handler does.
func verify(v *Verifier, r *http.Request) (*Seed, error) {
	req, err := parse(v, r)
	if err != nil {
		return nil, err
	}
	return v.Verify(req, exampleSecret, req.AccessKey == exampleKey)
}

func requireError(t testing.TB, err error, kind Kind) *Error {
	t.Helper()
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, e.Message)
	return e
}
