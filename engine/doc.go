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
// A call that changes something returns nil when the change is durable, unless
// a driver is asynchronous, and visible to every later call. Each change of one key is atomic: readers see
// the old version or the new one, whole, and a [container.Condition] is checked
// at the instant of the change, so of many conditional writers exactly one
// wins. A reader that is open goes on reading its version while others replace
// or delete it. A call that fails changed nothing, unless its error matches
// catalog.ErrUnknownOutcome; then either may be true.
//
// # Asynchronous drivers
//
// A driver that is a [driver.Flusher] with an interval returns from a Put before
// the bytes survive a power cut, and so does then the engine: from Put and Delete.
// That a process is killed still undoes nothing. At every interval, of the
// shortest if there are several, and when it is closed, the engine makes durable
// what was done until then. After a power cut the artifacts that were put or
// deleted since are each exactly what some call made them, the last or one before
// it, and not older than the last interval: [New] reads back what it cannot be
// sure of, and if the bytes of a put are lost, the artifact is again what it was
// before that put. So an overwrite that is lost does not take the old value with
// it; what is replaced or deleted is freed only once it is not needed for this.
// New fails if a driver cannot say whether it has the bytes. Events, and
// conditions that were met, may concern changes that a power cut undoes.
//
// # Events
//
// Each call records one [event.Event] at its end, whether it succeeded, failed
// or was refused. An iterator records one for each range over it, a [Reader]
// when it is closed.
//
// # Space, damage and loss
//
// The bytes of what was replaced or deleted are freed in the background, at a
// bounded rate; [Engine.Reclaim] does it now. [Engine.Scrub] reads everything and
// names what is damaged. [Engine.Backup] copies an engine in use, and
// [catalog.Rebuild] makes a lost catalog anew from the blobs. An engine over such
// a catalog keeps every blob that nothing names until [Engine.ReleaseOrphans].
//
// Errors are of type *[container.Error] and match the sentinels of package
// container.
package engine
