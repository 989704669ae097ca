package drivertest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// A recorder stands in for a *testing.T whose test is expected to fail.
type recorder struct {
	ctx      context.Context
	failure  string // "" if the case passed
	skipped  bool
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(f func())         { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(string, ...any) {
	r.skipped = true
	runtime.Goexit()
}

// record runs a case on a driver and returns how it failed, "" if it did not.
func record(t *testing.T, tc testCase, h Harness) string {
	t.Helper()
	// Little patience: what these drivers do not do at once, they never do.
	const patience = 300 * time.Millisecond
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(r.cleanups) - 1; i >= 0; i-- {
				r.cleanups[i]()
			}
		}()
		run(r, tc, h, patience)
	}()
	<-done
	return r.failure
}
