package durability

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// crashVariable repeats one of the states that a crash suite looks at, given as
// "workload:operation:state", together with seedVariable.
const crashVariable = "DURABILITY_CRASH"

// statesVariable says how many states the crash suites look at.
const statesVariable = "DURABILITY_CRASH_STATES"

// crashActionsPerWorkload makes a workload of about a thousand operations on its
// disk.
const crashActionsPerWorkload = 80

// TestAPowerCutLosesNothingAcknowledged cuts the power before every operation on
// the disk that changes or syncs something, of either half of an engine.
func TestAPowerCutLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	s := newCrashSuite(t, times(20_500, 1_200_000))
	s.run(t, func(ctx context.Context, c powerCut) error {
		_, err := checkDisk(ctx, c.after, c.view)
		s.count(c, err)
		return nil
	})
	if !racing { // then it does not come across everything
		s.covered.require(t, notWrittenYet())
	}
}

// TestAPowerCutDuringRecoveryLosesNothing cuts the power, and then cuts it again
// before every operation of an engine that opens and reclaims what is left. What
// the first recovery shows must be what each of the second shows.
func TestAPowerCutDuringRecoveryLosesNothing(t *testing.T) {
	t.Parallel()
	s := newCrashSuite(t, times(1500, 120_000))
	s.rarely = 40
	s.run(t, func(ctx context.Context, c powerCut) error {
		found, err := checkDisk(ctx, c.after.Crash(nil, crashfs.KeepAll), c.view)
		if err != nil {
			s.count(c, err)
			return nil
		}
		rng := newRand(s.seed, hash(c.String()))
		var mu sync.Mutex
		c.after.SetHook(func(op crashfs.Op) error {
			if op.Kind.Changes() {
				mu.Lock()
				defer mu.Unlock()
				again := c
				again.recovery = op.String()
				_, err := checkDisk(ctx, c.after.Crash(rng, crashfs.KeepSome), found)
				s.count(again, err)
			}
			return nil
		})
		e, err := openDisk(ctx, c.after)
		if err != nil {
			return err
		}
		if _, err := e.Reclaim(ctx); err != nil {
			return err
		}
		return e.closeAll(ctx)
	})
}

// A crashSuite runs workloads until it has seen so many states after power cuts.
type crashSuite struct {
	seed    uint64
	budget  int64
	rarely  int    // one in so many states is looked at; 0 for all
	only    string // the one that is looked at; "" for all
	covered *coverage

	workloads  atomic.Int64
	states     atomic.Int64
	violations atomic.Int64
	mu         sync.Mutex
	found      []string // the first violations
}

// A powerCut is one state that a power cut leaves.
type powerCut struct {
	workload, operation, state int
	op                         string // the operation that the power cut prevented
	recovery                   string // and that of the recovery
	after                      *crashfs.FS
	view                       crashView
}

// String names the state as crashVariable does.
func (c powerCut) String() string { return fmt.Sprintf("%d:%d:%d", c.workload, c.operation, c.state) }

func newCrashSuite(t *testing.T, states int) *crashSuite {
	if text := os.Getenv(statesVariable); text != "" {
		var err error
		states, err = strconv.Atoi(text)
		require.NoError(t, err, statesVariable)
	}
	return &crashSuite{seed: newSeed(t), budget: int64(states), only: os.Getenv(crashVariable), covered: newCoverage()}
}

// run runs workloads, as many at a time as there are processors, and calls look
// with each state that is to be looked at, on whatever goroutine.
func (s *crashSuite) run(t *testing.T, look func(ctx context.Context, c powerCut) error) {
	var wait sync.WaitGroup
	failures := make(chan error, runtime.GOMAXPROCS(0))
	for range cap(failures) {
		wait.Go(func() {
			for s.goesOn() {
				n := int(s.workloads.Add(1))
				if err := s.workload(t.Context(), n, look); err != nil {
					failures <- fmt.Errorf("workload %d: %w", n, err)
					return
				}
			}
		})
	}
	wait.Wait()
	close(failures)
	for err := range failures { // of engines that opened after a power cut, and then did not work
		s.violations.Add(1)
		t.Error(err)
	}
	for _, v := range s.found {
		t.Error(v)
	}
	t.Logf("crash states: %d, violations: %d", s.states.Load(), s.violations.Load())
	if s.only == "" {
		require.GreaterOrEqual(t, s.states.Load(), s.budget)
	}
}

func (s *crashSuite) goesOn() bool {
	if s.only != "" { // its workload alone
		var n int64
		_, _ = fmt.Sscanf(s.only, "%d:", &n)
		return s.workloads.CompareAndSwap(0, n-1)
	}
	return s.states.Load() < s.budget && s.violations.Load() == 0
}

// workload runs the workload with the number.
func (s *crashSuite) workload(ctx context.Context, number int, look func(context.Context, powerCut) error) error {
	w := &crashWorkload{ctx: ctx, rng: newRand(s.seed, uint64(number)), model: newCrashModel(), covered: s.covered}
	var operations atomic.Int64
	var failed atomic.Pointer[error]
	w.mounted = func(disk *crashfs.FS) {
		disk.SetHook(func(op crashfs.Op) error {
			if op.Kind.Changes() {
				c := powerCut{workload: number, operation: int(operations.Add(1)), op: op.String()}
				if err := s.cut(ctx, w.model, disk, c, look); err != nil {
					failed.Store(&err)
				}
			}
			return nil
		})
	}
	if err := w.start(crashfs.New()); err != nil {
		return err
	}
	for range crashActionsPerWorkload {
		if s.states.Load() >= s.budget || s.violations.Load() > 0 {
			break
		}
		if err := w.act(); err != nil {
			return fmt.Errorf("at operation %d: %w", operations.Load(), err)
		}
		if err := failed.Load(); err != nil {
			return *err
		}
	}
	return w.engine.closeAll(ctx)
}

// cut looks at one or two states that a power cut leaves now.
func (s *crashSuite) cut(ctx context.Context, m *crashModel, disk *crashfs.FS, c powerCut, look func(context.Context, powerCut) error) error {
	if s.violations.Load() > 0 {
		return nil // it is known that something is wrong
	}
	keeps := []crashfs.Keep{crashfs.KeepSome}
	switch c.operation % 4 {
	case 0:
		keeps = append(keeps, crashfs.KeepNone)
	case 2:
		keeps = append(keeps, crashfs.KeepAll)
	}
	for state, keep := range keeps {
		c.state = state
		rng := newRand(s.seed, hash(c.String()))
		if s.only != "" && s.only != c.String() || s.rarely > 0 && rng.IntN(s.rarely) > 0 {
			continue
		}
		m.expect(func(view crashView) { c.view, c.after = view, disk.Crash(rng, keep) })
		// On a stack of its own: under the race detector Pebble writes down those
		// of its callers, and these grow with each engine under another's disk.
		looked := make(chan error)
		go func() { looked <- look(ctx, c) }()
		if err := <-looked; err != nil {
			return fmt.Errorf("state %v, before %s: %w", c, c.op, err)
		}
	}
	return nil
}

// maxViolations is how many violations are told in full.
const maxViolations = 5

// count counts a state that was looked at, and what was wrong with it.
func (s *crashSuite) count(c powerCut, err error) {
	s.states.Add(1)
	if err == nil {
		return
	}
	s.violations.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) < maxViolations {
		s.found = append(s.found, fmt.Sprintf("state %v, before %s, %s: %v\nrepeat with %s=%d %s=%v",
			c, c.op, c.recovery, err, seedVariable, s.seed, crashVariable, c))
	}
}
