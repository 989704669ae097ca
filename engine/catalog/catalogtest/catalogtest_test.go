package catalogtest

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheSuiteAcceptsAStoreThatKeepsTheContract(t *testing.T) {
	t.Parallel()
	Run(t, Harness{New: func(*testing.T) Place { return newPlace(faults{}) }})
}

func TestTheSuiteRejectsEveryStoreThatBreaksTheContract(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]faults{
		"point reads do not conflict":                 {forgetPoints: true},
		"scans do not conflict":                       {forgetRanges: true},
		"counters that were read do not conflict":     {forgetCounters: true},
		"scans cover keys but not gaps":               {forgetEnds: true},
		"views are stale":                             {staleViews: true},
		"snapshots move":                              {movingSnapshots: true},
		"adds are lost":                               {lostAdds: true},
		"adds conflict":                               {addsConflict: true},
		"commits are torn":                            {tornCommits: true},
		"a fn that fails writes":                      {writesOnError: true},
		"contexts are ignored":                        {ignoredContext: true},
		"limits are ignored":                          {ignoredLimits: true},
		"reads do not see own writes":                 {ownWritesHidden: true},
		"scans do not see own writes":                 {ownScansHidden: true},
		"counters do not see own adds":                {ownCounters: true},
		"iterators see own writes made later":         {liveOwnScans: true},
		"the upper bound is included":                 {inclusiveUpper: true},
		"the lower bound is excluded":                 {exclusiveLower: true},
		"seeks leave the bounds":                      {seekLeavesBounds: true},
		"seeks only go forward":                       {seekOnlyForward: true},
		"an iterator begins again":                    {restartsAtEnd: true},
		"keys are ordered without case":               {caseFolded: true},
		"an empty value is absent":                    {emptyIsAbsent: true},
		"nothing outlives Close":                      {forgetsOnReopen: true},
		"slices are kept":                             {keepsSlices: true},
		"deleted counters live on":                    {deletedCounters: true},
		"a closed store is open":                      {openAfterClose: true},
		"Close does not wait":                         {hastyClose: true},
		"Update returns before it is durable":         {lateDurability: true},
		"what was read may vanish":                    {volatileReads: true},
		"a commit may outlive one that it depends on": {unorderedLog: true},
		"an Update leaves lazy ones before it behind": {lazyLeftBehind: true},
		"a read lets lazy ones before it be lost":     {lazyReads: true},
		"a lazy one outlives others before it":        {lazyUnordered: true},
		"lazy ones do not outlive Close":              {lazyClose: true},
		"lazy writes are lost":                        {lazyIdle: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.NotEmpty(t, firstFailure(t.Context(), f), "the case that fails")
		})
	}
}

// firstFailure says which case a store with faults fails. Luck decides whether
// two transactions overlap, so it goes through the cases repeatedly.
func firstFailure(ctx context.Context, f faults) string {
	for range 20 {
		for _, c := range append(cases(), lazyCases()...) {
			r := &recorder{ctx: ctx}
			if r.run(func() { c.run(r, newPlace(f)) }); r.failed() {
				return c.name + ": " + r.messages[0]
			}
		}
	}
	return ""
}

// A recorder is a tester that only remembers.
type recorder struct {
	ctx      context.Context
	cleanups []func()

	mu       sync.Mutex
	messages []string
}

// stopped is what FailNow panics with.
type stopped struct{}

func (r *recorder) run(fn func()) {
	defer func() {
		for _, cleanup := range r.cleanups {
			cleanup()
		}
	}()
	defer func() {
		if reason := recover(); reason != nil && reason != (stopped{}) {
			r.Errorf("panic: %v", reason)
		}
	}()
	fn()
}

func (r *recorder) failed() bool { return len(r.messages) > 0 }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *recorder) FailNow()                 { panic(stopped{}) }
func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Cleanup(fn func())        { r.cleanups = append(r.cleanups, fn) }
