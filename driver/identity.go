package driver

import "context"

// An Identifier is a [Driver] that knows whose bytes it holds. It is optional;
// callers use the function [Identity].
type Identifier interface {
	// Identity returns a short random string that was made together with the
	// place where the driver keeps its bytes, and stays with it: it is the same
	// after every reopen and in every copy of the place, and different for
	// every other place. An engine remembers it, so that a driver which is
	// configured to look at the wrong place is refused before anything is lost.
	Identity(ctx context.Context) (string, error)
}

// Identity returns the identity of d, or "" if d has none to tell.
func Identity(ctx context.Context, d Driver) (string, error) {
	if i, ok := d.(Identifier); ok {
		return i.Identity(ctx)
	}
	return "", nil
}
