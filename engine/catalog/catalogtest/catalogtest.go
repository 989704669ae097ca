// Package catalogtest is the contract of [catalog.Store] as a test suite. Who
// writes a Store runs it on theirs:
//
//	func TestStore(t *testing.T) {
//		catalogtest.Run(t, catalogtest.Harness{New: func(t *testing.T) catalogtest.Place {
//			dir := t.TempDir()
//			return catalogtest.Place{Open: func(ctx context.Context) (catalog.Store, error) {
//				return mystore.Open(ctx, dir)
//			}}
//		}})
//	}
//
// Each test is named by the sentence of the contract that it checks. The suite
// does not depend on timing: what it demands holds for every interleaving. To
// find a Store that fails only for some, it tries many.
package catalogtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A Harness makes places to test stores in.
type Harness struct {
	// New returns a place whose store is empty.
	New func(t *testing.T) Place
}

// A Place keeps one store, also while it is closed.
type Place struct {
	// Open opens the store. The suite never opens a place that is open.
	Open func(ctx context.Context) (catalog.Store, error)
	// Crash returns the place as a power cut in this moment would leave it:
	// with all that was made durable, and with an arbitrary part of the rest,
	// chosen by seed. The store goes on undisturbed. It may be called while
	// the store is in use. nil means that the store cannot be tested for this.
	Crash func(seed uint64) Place
}

// Run checks that the stores of h keep the contract, and that of a
// [catalog.LazyStore] if they are such.
func Run(t *testing.T, h Harness) {
	all := cases()
	if isLazy(t, h) {
		all = append(all, lazyCases()...)
	}
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			place := h.New(t)
			if c.crashes && place.Crash == nil {
				t.Skip("this harness cannot cut the power")
			}
			c.run(t, place)
		})
	}
}

// A tester is the part of *testing.T that the cases use, so that a test of the
// suite can see them fail.
type tester interface {
	require.TestingT
	Helper()
	Context() context.Context
	Cleanup(func())
}

// A testCase is one sentence of the contract.
type testCase struct {
	name    string
	crashes bool
	run     func(t tester, p Place)
}

func cases() []testCase {
	var all []testCase
	for _, group := range [][]testCase{
		readingCases(), iteratorCases(), updateCases(), isolationCases(), durabilityCases(),
	} {
		all = append(all, group...)
	}
	return all
}

// onStore makes a case that needs one open store.
func onStore(run func(t tester, s catalog.Store)) func(tester, Place) {
	return func(t tester, p Place) { run(t, open(t, p)) }
}
