package engine

import (
	"fmt"
	"io"
)

// guard calls fn, which runs code that is not ours, and turns its panic into an
// error where the work must go on after it, or on a goroutine where nobody else
// would survive it.
func guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return fn()
}

// guardedRead reads from r, which is somebody else's; who says whose. A count
// that cannot be is an error.
func guardedRead(r io.Reader, who string, p []byte) (n int, err error) {
	err = guard(func() (err error) {
		if n, err = r.Read(p); n < 0 || n > len(p) {
			n, err = 0, fmt.Errorf("%s returned an impossible count of %d from Read", who, n)
		}
		return err
	})
	return n, err
}
