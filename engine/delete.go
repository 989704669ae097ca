package engine

import (
	"context"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// DeleteOptions qualify a Delete. The zero value deletes unconditionally.
type DeleteOptions struct {
	// Condition is checked at the instant of the deletion. If it is not met
	// the error is an ErrPrecondition.
	Condition container.Condition
}

// Delete removes an artifact. It returns ErrArtifactNotFound if there is none,
// and ErrContainerNotFound. Its bytes are freed in the background, once nobody
// reads them.
func (e *Engine) Delete(ctx context.Context, name, key string, opts DeleteOptions) (err error) {
	op := e.begin(ctx, event.DeleteArtifact, name, key)
	defer op.end(&err)
	scope, err := op.admitKey(ctx)
	if err != nil {
		return err
	}
	if err := opts.Condition.Validate(); err != nil {
		return err
	}
	v, err := scope.Delete(ctx, name, key, opts.Condition)
	if err != nil {
		return err
	}
	op.event.Version = v.Artifact(name, key).Version
	e.reclaimer.condemned()
	return nil
}
