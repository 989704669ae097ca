// Package tenanthttp takes the tenant of an HTTP request from a header.
//
// # Only behind a trusted front end
//
// The header is BELIEVED. Whoever can send a request with it can read, change
// and delete what belongs to any tenant. Use this package only where a gateway
// of your own authenticates clients, removes the header from what they send,
// and sets it itself, and where nothing else can reach the handler. An S3
// handler needs no such thing: the credential that signed a request decides
// whose it is, and a header never does.
//
//	handler = tenanthttp.Middleware()(handler)
package tenanthttp

import (
	"fmt"
	"net/http"

	"github.com/vaultaire/vaultaire/tenant"
)

// DefaultHeader is the header that names the tenant, unless WithHeader names
// another.
const DefaultHeader = "X-Tenant-ID"

// An Option changes what Middleware does.
type Option func(*options)

type options struct{ header string }

// WithHeader makes Middleware read another header than [DefaultHeader]. Case
// does not matter; "" means DefaultHeader.
func WithHeader(name string) Option {
	return func(o *options) { o.header = name }
}

// Middleware returns a middleware that puts the tenant that a request's header
// names into the request's context, for [tenant.FromContext].
//
// A request without the header passes as it is, and the engine's
// [tenant.Resolver] decides: [tenant.Optional] takes the default tenant,
// [tenant.Required] refuses. A request with a header that is empty or not a
// valid ID, or that is there more than once, is answered with 400 Bad Request.
func Middleware(opts ...Option) func(http.Handler) http.Handler {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	if o.header == "" {
		o.header = DefaultHeader
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, ok, err := fromHeader(r.Header, o.header)
			switch {
			case err != nil:
				http.Error(w, err.Error(), http.StatusBadRequest)
			case ok:
				next.ServeHTTP(w, r.WithContext(tenant.NewContext(r.Context(), id)))
			default:
				next.ServeHTTP(w, r)
			}
		})
	}
}

// fromHeader returns the tenant that the header called name names, and whether
// the header is there at all.
func fromHeader(h http.Header, name string) (id tenant.ID, ok bool, err error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		id = tenant.ID(values[0])
		if err := id.Validate(); err != nil {
			return "", true, fmt.Errorf("header %s: %w", name, err)
		}
		return id, true, nil
	default:
		// Perhaps the client's own and the front end's: none can be believed.
		return "", true, fmt.Errorf("header %s: found %d times, accepted once", name, len(values))
	}
}
