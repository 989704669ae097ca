package s3compat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/tenant"
)

// A Credential says who holds an access key. It prints and logs without its
// secret.
type Credential struct {
	AccessKey string
	SecretKey string
	Tenant    tenant.ID
	// Principal is who asks, within the tenant. Its ID, which must not be
	// empty, is the ID of the Owner in answers.
	Principal tenant.Principal
}

// String returns the credential without its secret.
func (c Credential) String() string {
	return fmt.Sprintf("{AccessKey:%q SecretKey:[redacted] Tenant:%q Principal:%q}", c.AccessKey, string(c.Tenant), c.Principal.ID)
}

// GoString returns the credential without its secret.
func (c Credential) GoString() string { return "s3compat.Credential" + c.String() }

// LogValue returns the credential without its secret.
func (c Credential) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("access_key", c.AccessKey),
		slog.String("tenant", string(c.Tenant)),
		slog.String("principal", c.Principal.ID),
	)
}

// validate returns an error that says what is wrong with c, and not its secret.
func (c Credential) validate() error {
	var errs []error
	if c.AccessKey == "" || strings.ContainsAny(c.AccessKey, "/,= \t\r\n") {
		errs = append(errs, fmt.Errorf("%w: access key %q is empty or holds a character that signatures cannot carry", container.ErrInvalid, c.AccessKey))
	}
	if c.SecretKey == "" {
		errs = append(errs, fmt.Errorf("%w: the secret of access key %q is empty", container.ErrInvalid, c.AccessKey))
	}
	if err := c.Tenant.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("%w: access key %q: %w", container.ErrInvalid, c.AccessKey, err))
	}
	if c.Principal.ID == "" {
		errs = append(errs, fmt.Errorf("%w: the principal of access key %q has no ID", container.ErrInvalid, c.AccessKey))
	}
	return errors.Join(errs...)
}

// A CredentialSource finds credentials. It may be called concurrently, once for
// each request, and should be quick: nothing else of the request waits for less.
type CredentialSource interface {
	// Lookup returns the credential of an access key. An error that matches
	// container.ErrNotFound means that there is none; every other error is
	// answered as InternalError.
	Lookup(ctx context.Context, accessKey string) (Credential, error)
}

// StaticCredentials returns a source of a fixed set. What is wrong with one of
// them is reported by [New].
func StaticCredentials(credentials ...Credential) CredentialSource {
	s := &staticCredentials{byKey: make(map[string]Credential, len(credentials))}
	var errs []error
	for _, c := range credentials {
		errs = append(errs, c.validate())
		if _, ok := s.byKey[c.AccessKey]; ok {
			errs = append(errs, fmt.Errorf("%w: access key %q is given twice", container.ErrInvalid, c.AccessKey))
		}
		s.byKey[c.AccessKey] = c
	}
	s.err = errors.Join(errs...)
	return s
}

type staticCredentials struct {
	byKey map[string]Credential
	err   error
}

// Lookup returns the credential of an access key, or container.ErrNotFound.
func (s *staticCredentials) Lookup(_ context.Context, accessKey string) (Credential, error) {
	c, ok := s.byKey[accessKey]
	if !ok {
		return Credential{}, fmt.Errorf("access key %q: %w", accessKey, container.ErrNotFound)
	}
	return c, nil
}
