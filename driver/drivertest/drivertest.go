// Package drivertest is the contract of package driver as a test suite. Who
// writes a driver runs it on their own:
//
//	func TestDriver(t *testing.T) {
//		drivertest.Run(t, func(t *testing.T) drivertest.Harness {
//			dir := t.TempDir()
//			open := func(ctx context.Context) (driver.Driver, error) { return tape.Open(ctx, dir) }
//			return drivertest.Harness{Open: open, Reopen: open}
//		})
//	}
//
// Each case is a subtest named by what a driver must do. A failure quotes the
// sentence of the contract that it violates. The suite is itself proven, on
// drivers that are broken on purpose.
package drivertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/vaultaire/vaultaire/driver"
)

// A Harness opens the driver under test. Each case has a Harness of its own.
type Harness struct {
	// Open opens a driver that holds no blob. It is called once.
	Open func(ctx context.Context) (driver.Driver, error)
	// Reopen opens what Open had opened, after that was closed. It is nil if a
	// driver keeps nothing beyond Close.
	Reopen func(ctx context.Context) (driver.Driver, error)
	// Damage changes at least one stored byte of the blob, behind the driver's
	// back. It is nil if there is no way to do so, or if the driver leaves it to
	// others to notice; then nothing is asked about damaged bytes.
	Damage func(ctx context.Context, ref driver.Ref) error
	// InMemory says that the driver keeps its blobs in this process's memory,
	// so that what it allocates says nothing of how it streams.
	InMemory bool
	// MaxRefLength is the most bytes that a ref may have; 0 means
	// driver.MaxRefLength. A driver made of others sets it to
	// driver.MaxWrappedRefLength.
	MaxRefLength int
}

// Run runs every case. It must not run in parallel with other tests, since one
// case measures what the process allocates.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	for _, tc := range allCases() {
		t.Run(tc.name, func(t *testing.T) {
			run(t, tc, newHarness(t), patience)
		})
	}
}

// patience is how long a call that must not block may take.
const patience = 30 * time.Second

// A testCase is one thing that the contract asks of every driver.
type testCase struct {
	name     string // what a driver must do
	contract string // the sentence of package driver that asks it, verbatim
	run      func(c *check)
}

func allCases() []testCase {
	return slices.Concat(putCases(), sourceCases(), openCases(), deleteCases(), listCases(), refCases(), closeCases(), concurrencyCases())
}

// run runs one case against t, which is a *testing.T or, in this package's own
// tests, something that wants the case to fail.
func run(t tb, tc testCase, h Harness, patience time.Duration) {
	t.Helper()
	c := &check{tb: t, ctx: t.Context(), contract: tc.contract, harness: h, patience: patience, names: newNames()}
	c.open()
	tc.run(c)
}
