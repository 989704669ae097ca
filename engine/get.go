package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// GetOptions qualify a Get. The zero value asks for all bytes of the current
// version.
type GetOptions struct {
	Range container.Range
	// Condition is checked as for a read. If it is not met, the error is an
	// ErrPrecondition or ErrNotModified with a *container.StateError.
	Condition container.Condition
}

// Get opens an artifact for reading. The caller closes the Reader. It returns
// ErrContainerNotFound or ErrArtifactNotFound; ErrRange, with a
// *container.StateError, if the range selects no byte; ErrCorrupt if the bytes
// are damaged or gone.
//
// ctx governs the Reader until it is closed.
func (e *Engine) Get(ctx context.Context, name, key string, opts GetOptions) (r *Reader, err error) {
	op := e.begin(ctx, event.GetArtifact, name, key)
	defer op.endFailed(&err)
	scope, err := op.admitKey(ctx)
	if err != nil {
		return nil, err
	}
	if err := opts.Condition.Validate(); err != nil {
		return nil, err
	}
	var tried []catalog.Replica
	for {
		v, content, pin, err := e.pinCurrent(ctx, scope, name, key)
		if err != nil {
			return nil, err
		}
		err = guard(func() (err error) {
			r, err = e.openReader(ctx, op, v, content, pin, opts)
			return err
		})
		if err == nil {
			return r, nil
		}
		e.unpin(pin)
		// Bytes can move between the look into the catalog and the look into
		// the driver. They have if the catalog now names another place.
		if !errors.Is(err, errBytesGone) || slices.EqualFunc(tried, content.Replicas, sameReplica) {
			return nil, err
		}
		tried = content.Replicas
	}
}

func sameReplica(a, b catalog.Replica) bool { return a.Driver == b.Driver && a.Ref == b.Ref }

// pinCurrent looks up the current version of a key and pins its content, which
// the caller unpins.
func (e *Engine) pinCurrent(ctx context.Context, scope catalog.Scope, name, key string) (catalog.Version, catalog.Content, *pin, error) {
	lookup := e.readers.lookup()
	defer lookup.Leave()
	v, content, err := scope.Get(ctx, name, key)
	if err != nil {
		return v, content, nil, err
	}
	return v, content, e.readers.pin(v.Content), nil
}

// unpin undoes pinCurrent.
func (e *Engine) unpin(p *pin) {
	if e.readers.unpin(p) {
		e.reclaimer.wakeUp()
	}
}

// openReader opens what opts select of a pinned version. The Reader, if there
// is one, unpins it.
func (e *Engine) openReader(ctx context.Context, op *operation, v catalog.Version, content catalog.Content, pin *pin, opts GetOptions) (*Reader, error) {
	a := v.Artifact(op.event.Container, op.event.Artifact)
	op.event.Version = a.Version
	if err := opts.Condition.CheckRead(a); err != nil {
		return nil, &container.StateError{Current: a, Err: err}
	}
	off, n, err := opts.Range.Resolve(a.Size)
	if err != nil {
		return nil, &container.StateError{Current: a, Err: err}
	}
	body, err := e.openContent(ctx, op, content, off, n)
	if err != nil {
		return nil, err
	}
	return newReader(ctx, op, body, a, pin, off, n), nil
}

// errBytesGone: no driver has the bytes that the catalog says it has.
var errBytesGone = fmt.Errorf("%w: no driver has them", container.ErrCorrupt)

// openContent opens n bytes of a content from the first of its replicas that
// can be opened.
func (e *Engine) openContent(ctx context.Context, op *operation, content catalog.Content, off, n int64) (io.ReadCloser, error) {
	if len(content.Replicas) == 0 {
		return nil, errBytesGone
	}
	var errs []error
	for _, replica := range content.Replicas {
		op.event.Driver = replica.Driver
		d, err := e.driver(replica.Driver)
		if err != nil {
			return nil, err
		}
		body, err := d.Open(ctx, replica.Ref, off, n)
		if err == nil {
			return body, nil
		}
		errs = append(errs, op.blobError(ctx, err))
	}
	return nil, errors.Join(errs...)
}

// driver returns the driver of the given name, which the catalog knows.
func (e *Engine) driver(name string) (driver.Driver, error) {
	d, ok := e.drivers[name]
	if !ok {
		return nil, fmt.Errorf("engine has no driver %q, which holds these bytes", name)
	}
	return d, nil
}
