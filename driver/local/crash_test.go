package local

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

const (
	// crashVariable repeats one workload of the crash suite, given as
	// "seed:workload". One with several workers is repeated as far as scheduling
	// lets it.
	crashVariable = "LOCAL_CRASH"
	// statesVariable says how many states the crash suite is to look at.
	statesVariable = "LOCAL_CRASH_STATES"
)

// TestAPowerCutAtAnyMomentLosesNothingAcknowledged cuts the power before every
// operation on the disk that changes or syncs something, also while a driver
// recovers from another power cut.
func TestAPowerCutAtAnyMomentLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	s := newCrashSuite(t)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for s.goesOn() {
				s.workload(t, s.workloads.Add(1))
			}
		})
	}
	wait.Wait()
	for _, v := range s.found {
		t.Error(v)
	}
	t.Logf("crash states: %d, violations: %d", s.states.Load(), s.violations.Load())
	if s.only == 0 && len(s.found) == 0 {
		require.GreaterOrEqual(t, s.states.Load(), s.budget)
	}
}

// A crashSuite runs workloads until it has seen so many states after power cuts.
type crashSuite struct {
	seed      uint64
	budget    int64
	only      int64 // the workload that is run; 0 for all
	workloads atomic.Int64

	states     atomic.Int64
	violations atomic.Int64
	mu         sync.Mutex
	found      []string // the first violations
}

func newCrashSuite(t *testing.T) *crashSuite {
	s := &crashSuite{seed: uint64(time.Now().UnixNano()), budget: crashStates(t)}
	if text := os.Getenv(crashVariable); text != "" {
		_, err := fmt.Sscanf(text, "%d:%d", &s.seed, &s.only)
		require.NoError(t, err, crashVariable)
		s.workloads.Store(s.only - 1)
	}
	return s
}

// crashStates returns how many states are looked at: with the tag soak ten times
// as many, and a twentieth under the race detector.
func crashStates(t *testing.T) int64 {
	if text := os.Getenv(statesVariable); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		require.NoError(t, err, statesVariable)
		return n
	}
	n := int64(102_000)
	if soaking {
		n *= 10
	}
	if racing {
		n /= 20
	}
	return n
}

func (s *crashSuite) goesOn() bool {
	if s.only != 0 {
		return s.workloads.Load() < s.only
	}
	return s.states.Load() < s.budget && s.violations.Load() == 0
}

// crashModes are the options of workloads: tiny segments, that are made with few
// zeros ahead, so that a workload comes to the ends of both.
func crashModes() []Options {
	return []Options{
		{SmallBlob: 1500, segmentSize: 8000, step: 2000, logs: 1, logReserve: 2048},
		{SmallBlob: 1500, segmentSize: 60_000, step: 1000, logs: 2, logReserve: 2048},
		{SmallBlob: 1500, segmentSize: 8000, Sync: SyncAsync, Interval: time.Hour, logs: 1, logReserve: 2048},
		{SmallBlob: 1500, segmentSize: 8000, Sync: SyncAsync, Interval: 100 * time.Microsecond, logs: 1, logReserve: 2048},
	}
}

// workload uses several drivers on one disk, one after the other, each until the
// power is cut.
func (s *crashSuite) workload(t *testing.T, number int64) {
	modes := crashModes()
	v := newSurvivor(s.seed, uint64(number), modes[number%int64(len(modes))])
	v.sampled = func(op crashfs.Op, err error) { s.count(number, op, err) }
	for range 8 {
		err := v.run(t.Context(), 1+max(0, v.rng.IntN(6)-2), 1+v.rng.IntN(20))
		if err == nil {
			err = v.goOn(t.Context())
		}
		if err != nil {
			s.count(number, crashfs.Op{Kind: crashfs.Open, N: v.disk.Operations()}, err)
			return
		}
		if !s.goesOn() && s.only == 0 {
			return
		}
	}
}

// maxViolations is how many violations are told in full.
const maxViolations = 3

// count counts a state that was looked at, and what was wrong with it.
func (s *crashSuite) count(workload int64, op crashfs.Op, err error) {
	s.states.Add(1)
	if err == nil {
		return
	}
	s.violations.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) < maxViolations {
		s.found = append(s.found, fmt.Sprintf("before %v: %v\nrepeat with %s=%d:%d", op, err, crashVariable, s.seed, workload))
	}
}

func newSurvivorRand(seed, workload, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, workload<<8|stream))
}
