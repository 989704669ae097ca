package tenant

import "context"

// A Principal is who, within a tenant, asks for an operation: the holder of a
// credential, a user of the application. The zero Principal is the application
// itself, which may do everything.
type Principal struct {
	ID          string // opaque, compared verbatim
	DisplayName string // optional, for people
	Admin       bool   // may use every container of the tenant
}

// MayUse reports whether p may use a container that belongs to the principal
// with the ID owner, where "" means that it belongs to the tenant as a whole.
func (p Principal) MayUse(owner string) bool {
	return p.ID == "" || p.Admin || owner == "" || owner == p.ID
}

type principalKey struct{}

// WithPrincipal returns a context that carries p.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFromContext returns the principal that ctx carries, or the zero
// Principal.
func PrincipalFromContext(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
