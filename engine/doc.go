// Package engine keeps containers of artifacts for many tenants, over any
// driver.
//
// An [Engine] keeps names in a catalog and bytes in drivers. Package embedded
// opens one in a directory with a single call; [New] builds one of parts:
//
//	store, err := pebblestore.Open(ctx, "data/catalog", pebblestore.Options{})
//	...
//	disk, err := local.Open(ctx, "data/blobs", local.Options{})
//	...
//	eng, err := engine.New(ctx,
//		engine.WithCatalog(store),
//		engine.WithDriver("disk", disk),
//		engine.WithSink(event.Slog(slog.Default())),
//	)
//	...
//	defer eng.Close(ctx)
//
// # Tenants and principals
//
// Each call runs for one tenant, which a [tenant.Resolver] finds from the
// call's context. What belongs to another tenant does not exist. If the context
// names a [tenant.Principal], the call may use only containers that the
// principal owns; other containers of the tenant are an ErrDenied.
//
// # Guarantees
//
// A call that changes something returns nil when the change is durable and
// visible to every later call. Each change of one key is atomic: readers see
// the old version or the new one, whole, and a [container.Condition] is checked
// at the instant of the change, so of many conditional writers exactly one
// wins. A reader that is open goes on reading its version while others replace
// or delete it. A call that fails changed nothing, unless its error matches
// catalog.ErrUnknownOutcome; then either may be true.
//
// # Events
//
// Each call records one [event.Event] at its end, whether it succeeded, failed
// or was refused. An iterator records one for each range over it, a [Reader]
// when it is closed.
//
// Errors are of type *[container.Error] and match the sentinels of package
// container.
package engine
