package engine

import (
	"context"
	"fmt"
)

// errLoopAbandoned: a loop over an iterator was left by a panic in its body.
var errLoopAbandoned = fmt.Errorf("%w: the loop was abandoned", context.Canceled)

// A pager returns the next page of a listing, and whether there are more.
type pager[T any] func() (page []T, more bool, err error)

// iterate yields the pages of the pager that open returns, until there is no
// more, something fails, or the loop is left; and ends op before it returns. A
// panic in the loop's body passes through, since the body is the caller's own.
func iterate[T any](op *operation, yield func(T, error) bool, open func() (pager[T], error)) {
	defer op.finish(errLoopAbandoned) //nolint:errcheck // whatever else ends the loop finishes first
	var next pager[T]
	err := guard(func() (err error) {
		next, err = open()
		return err
	})
	for more := true; more && err == nil; {
		var page []T
		err = guard(func() (err error) {
			page, more, err = next()
			return err
		})
		for _, x := range page {
			if !yield(x, nil) {
				_ = op.finish(nil)
				return
			}
		}
	}
	if err = op.finish(err); err != nil {
		var zero T
		yield(zero, err)
	}
}
