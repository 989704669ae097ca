// Package container is Vaultaire's vocabulary: what a container and an
// artifact are, how they are named, and which errors speak of them.
//
// A [Container] is a named, flat collection of artifacts that belongs to one
// tenant. An [Artifact] is an immutable sequence of bytes under a key, with a
// little metadata; putting again under the same key makes a new version of it.
// The package holds plain values only. It imports nothing but the standard
// library, so that every other package may import it.
//
// Errors are matched with [errors.Is] against the sentinels of this package:
//
//	_, err := eng.Stat(ctx, "photos", "2026/cat.jpg", engine.StatOptions{})
//	if errors.Is(err, container.ErrNotFound) { ... }         // for whatever reason
//	if errors.Is(err, container.ErrContainerNotFound) { ... } // the container is absent
package container
