package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// A driverFailure is a driver's error with one of its sentinels at most. They
// speak of blobs: that a remote place is not found, or denies something, says
// nothing about the caller's container. What else is in the error can be matched.
type driverFailure struct {
	err   error
	means error // the sentinel that means the same to the caller, or nil
}

func (f driverFailure) Error() string { return f.err.Error() }

func (f driverFailure) Is(target error) bool {
	if container.IsSentinel(target) || target == context.Canceled || target == context.DeadlineExceeded {
		return target == f.means
	}
	return errors.Is(f.err, target)
}

func (f driverFailure) As(target any) bool { return errors.As(f.err, target) }

// driverError turns what a driver reported into what the caller may be told. A
// context's error means the same only if it was the caller's context that ended.
func (op *operation) driverError(ctx context.Context, err error) error {
	op.blamed = op.event.Driver
	for _, same := range []error{container.ErrCorrupt, container.ErrNoSpace, container.ErrClosed, ctx.Err()} {
		if same != nil && errors.Is(err, same) {
			return driverFailure{err: err, means: same}
		}
	}
	return driverFailure{err: err}
}

// blobError is driverError for a blob whose row exists: one that the driver does
// not have, or that is shorter than it was, is damage.
func (op *operation) blobError(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, container.ErrNotFound):
		err = fmt.Errorf("%w: %w", errBytesGone, err)
	case errors.Is(err, container.ErrRange):
		err = fmt.Errorf("%w: %w", container.ErrCorrupt, err)
	}
	return op.driverError(ctx, err)
}
