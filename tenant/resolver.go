package tenant

import "context"

// A Resolver finds the tenant of an operation. It may be called concurrently,
// and is called once at the start of each operation with the operation's own
// context.
type Resolver interface {
	// Resolve returns the tenant. The operation is refused if it returns an
	// error or an ID that is not valid.
	Resolve(ctx context.Context) (ID, error)
}

// ResolverFunc makes a Resolver of a function.
type ResolverFunc func(ctx context.Context) (ID, error)

// Resolve calls f.
func (f ResolverFunc) Resolve(ctx context.Context) (ID, error) { return f(ctx) }

// Optional returns the default Resolver: the tenant in the context, else
// [Default].
func Optional() Resolver {
	return ResolverFunc(func(ctx context.Context) (ID, error) {
		if id, ok := FromContext(ctx); ok {
			return id, nil
		}
		return Default, nil
	})
}

// Required returns a Resolver for services in which nothing may happen without
// a tenant: the one in the context, else [ErrMissing].
func Required() Resolver {
	return ResolverFunc(func(ctx context.Context) (ID, error) {
		if id, ok := FromContext(ctx); ok {
			return id, nil
		}
		return "", ErrMissing
	})
}
