package catalog

import "context"

// A LazyStore is a [Store] that need not wait for the disk. It is optional;
// callers use [UpdateLazily].
type LazyStore interface {
	Store
	// UpdateLazily is Update, except that nil means only that the transaction is
	// applied and handed to the operating system: the end of the process does not
	// undo it, and a power cut may. It is never durable without every transaction
	// that was applied before it, and it is durable as soon as an Update that
	// began after it has returned nil, whether that wrote anything or not, or
	// Close has.
	UpdateLazily(ctx context.Context, fn func(ctx context.Context, t Txn) error) error
}

// UpdateLazily calls s.UpdateLazily if s is a LazyStore, else s.Update.
func UpdateLazily(ctx context.Context, s Store, fn func(ctx context.Context, t Txn) error) error {
	if lazy, ok := s.(LazyStore); ok {
		return lazy.UpdateLazily(ctx, fn)
	}
	return s.Update(ctx, fn)
}
