// Package tenant says on whose behalf an operation runs.
//
// Every operation of an engine belongs to one tenant. A [Resolver] finds it
// from the operation's context; the default takes the one that [NewContext]
// put there, else [Default]. Within a tenant, an operation may also name the
// [Principal] that asked for it; a container that a principal created is open
// to that principal and to administrators only.
//
// The package imports nothing but the standard library.
package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// An ID names a tenant: 1 to [MaxIDLength] bytes of UTF-8 without control
// characters.
type ID string

// Default is the tenant of operations whose context names none.
const Default ID = "default"

// MaxIDLength is the most bytes that a tenant's ID may have.
const MaxIDLength = 128

var (
	// ErrMissing: no tenant is known, and the resolver demands one.
	ErrMissing = errors.New("tenant: none given")
	// ErrInvalid: a tenant's ID is not one.
	ErrInvalid = errors.New("tenant: invalid ID")
)

// Validate returns an [ErrInvalid] that says what is wrong with id.
func (id ID) Validate() error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrInvalid)
	case len(id) > MaxIDLength:
		return fmt.Errorf("%w: it has %d bytes, at most %d are accepted", ErrInvalid, len(id), MaxIDLength)
	case !utf8.ValidString(string(id)):
		return fmt.Errorf("%w: %q is not UTF-8", ErrInvalid, string(id))
	case strings.ContainsFunc(string(id), func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: %q holds a control character", ErrInvalid, string(id))
	}
	return nil
}

type idKey struct{}

// NewContext returns a context that carries id.
func NewContext(ctx context.Context, id ID) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// FromContext returns the tenant that ctx carries, and whether it carries one.
func FromContext(ctx context.Context) (ID, bool) {
	id, ok := ctx.Value(idKey{}).(ID)
	return id, ok
}
