package catalog

import "context"

// A Checkpointer is a [Store] that can copy itself while it is in use. It is
// optional.
type Checkpointer interface {
	Store
	// Checkpoint makes dir, which must not exist and is not within the store, a
	// place that the same kind of store can open. It has every transaction whose
	// Update, or UpdateLazily, had returned before the call, perhaps later ones,
	// and none in part. Before Checkpoint returns it opens the copy, calls prepare
	// with it, and closes it. When it returns nil, all of that is durable.
	Checkpoint(ctx context.Context, dir string, prepare func(ctx context.Context, copied Store) error) error
}
