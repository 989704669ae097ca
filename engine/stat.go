package engine

import (
	"context"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// StatOptions qualify a Stat. The zero value asks for the current version.
type StatOptions struct {
	// Condition is checked as for a read. If it is not met, the error is an
	// ErrPrecondition or ErrNotModified with a *container.StateError.
	Condition container.Condition
	// Range is checked as for a Get, for who announces what a Get will yield. If
	// it selects no byte, the error is an ErrRange with a *container.StateError.
	Range container.Range
}

// Stat describes an artifact without reading its bytes. It returns
// ErrContainerNotFound or ErrArtifactNotFound.
func (e *Engine) Stat(ctx context.Context, name, key string, opts StatOptions) (a container.Artifact, err error) {
	op := e.begin(ctx, event.StatArtifact, name, key)
	defer op.end(&err)
	scope, err := op.admitKey(ctx)
	if err != nil {
		return a, err
	}
	if err := opts.Condition.Validate(); err != nil {
		return a, err
	}
	v, err := scope.Stat(ctx, name, key)
	if err != nil {
		return a, err
	}
	a = v.Artifact(name, key)
	op.event.Version = a.Version
	if err := opts.Condition.CheckRead(a); err != nil {
		return container.Artifact{}, &container.StateError{Current: a, Err: err}
	}
	if _, _, err := opts.Range.Resolve(a.Size); err != nil {
		return container.Artifact{}, &container.StateError{Current: a, Err: err}
	}
	return a, nil
}
