package durability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A diskFault is how operations on a disk fail. at counts, from 1, those that
// the fault is for, since the engine was opened.
type diskFault struct {
	name  string
	kinds func(crashfs.Kind) bool
	err   error
	stays bool // from then on all fail
}

func diskFaults() []diskFault {
	write := func(k crashfs.Kind) bool { return k == crashfs.Write }
	read := func(k crashfs.Kind) bool { return !k.Changes() && k != crashfs.Close }
	return []diskFault{
		{"an operation fails", crashfs.Kind.Changes, syscall.EIO, false},
		{"all operations fail from one on", crashfs.Kind.Changes, syscall.EIO, true},
		{"there is no space for an operation", crashfs.Kind.Changes, syscall.ENOSPC, false},
		{"there is no space from an operation on", crashfs.Kind.Changes, syscall.ENOSPC, true},
		{"a write is short", write, crashfs.Short(syscall.EIO), false},
		{"a write is short for lack of space", write, crashfs.Short(syscall.ENOSPC), false},
		{"a read fails", read, syscall.EIO, false},
	}
}

// faultVariable repeats one run of the fault suite, given as its name.
const faultVariable = "DURABILITY_FAULT"

// TestAFaultOfTheDiskFalsifiesNothing has each operation on the disk fail, one
// in each run, of a workload of a thousand of them. An engine that met a fault
// may refuse what it likes; but what it acknowledges holds, and what it refuses
// has not happened, also after a power cut.
func TestAFaultOfTheDiskFalsifiesNothing(t *testing.T) {
	t.Parallel()
	s := &faultSuite{seed: newSeed(t), only: os.Getenv(faultVariable)}
	stages := s.prepare(t, times(100, 1000))
	s.run(t, stages, s.single)
	t.Logf("faults: %d, violations: %d", s.hits.Load(), s.violations.Load())
	if s.only == "" {
		require.Greater(t, s.hits.Load(), int64(len(stages)*10))
	}
}

// TestTwoFaultsOfTheDiskFalsifyNothing has two operations fail in each run, of
// different kinds of faults.
func TestTwoFaultsOfTheDiskFalsifyNothing(t *testing.T) {
	t.Parallel()
	s := &faultSuite{seed: newSeed(t), only: os.Getenv(faultVariable)}
	stages := s.prepare(t, times(20, 1000))
	s.run(t, stages, s.pairs)
	t.Logf("pairs of faults: %d, violations: %d", s.hits.Load(), s.violations.Load())
}

type faultSuite struct {
	seed       uint64
	only       string
	hits       atomic.Int64 // faults that happened
	violations atomic.Int64
	mu         sync.Mutex
	found      []string
}

// A faultStage is a moment of a workload from which runs begin.
type faultStage struct {
	number int
	disk   *crashfs.FS
	model  *crashModel
	rng    func() *rand.Rand // of the actions that follow
}

// prepare runs a workload without faults and returns a stage before each of its
// actions.
func (s *faultSuite) prepare(t *testing.T, actions int) (stages []faultStage) {
	w := &crashWorkload{ctx: t.Context(), model: newCrashModel(), covered: newCoverage(), mounted: func(*crashfs.FS) {}}
	require.NoError(t, w.start(crashfs.New()))
	for i := range actions {
		stage := faultStage{
			number: i,
			disk:   w.engine.disk.Crash(nil, crashfs.KeepAll),
			model:  w.model.clone(),
			rng:    func() *rand.Rand { return newRand(s.seed, uint64(i)) },
		}
		stages = append(stages, stage)
		w.rng = stage.rng()
		require.NoError(t, w.act())
	}
	require.NoError(t, w.engine.closeAll(t.Context()))
	return stages
}

// run calls each with every stage, several at a time.
func (s *faultSuite) run(t *testing.T, stages []faultStage, each func(context.Context, faultStage)) {
	var wait sync.WaitGroup
	queue := make(chan faultStage)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for stage := range queue {
				each(t.Context(), stage)
			}
		})
	}
	for _, stage := range stages {
		queue <- stage
	}
	close(queue)
	wait.Wait()
	for _, v := range s.found {
		assert.Fail(t, v)
	}
}

// single runs a stage with each single fault in its first action. Those of the
// opening are much the same in many stages.
func (s *faultSuite) single(ctx context.Context, stage faultStage) {
	for i, fault := range diskFaults() {
		opening, first, _ := s.measure(ctx, stage, fault)
		if stage.number%10 == 0 {
			opening = 0
		}
		for at := opening + 1; at <= first; at++ {
			s.try(ctx, stage, fmt.Sprintf("%d:%d:%d", stage.number, i, at), []plannedFault{{fault, at}})
		}
	}
}

// pairs runs a stage with some of the pairs of faults.
func (s *faultSuite) pairs(ctx context.Context, stage faultStage) {
	rng := newRand(s.seed, 1<<32+uint64(stage.number))
	faults := diskFaults()
	for range 20 {
		var plan []plannedFault
		name := fmt.Sprint(stage.number)
		for range 2 {
			i := rng.IntN(len(faults))
			_, _, all := s.measure(ctx, stage, faults[i])
			at := 1 + rng.IntN(max(all, 1))
			plan = append(plan, plannedFault{faults[i], at})
			name += fmt.Sprintf(":%d:%d", i, at)
		}
		s.try(ctx, stage, name, plan)
	}
}

// A plannedFault says which of the operations that a fault is for is to fail.
type plannedFault struct {
	diskFault
	at int
}

// measure returns how many operations the fault is for, until the engine is
// open, until the first action has ended, and in all.
func (s *faultSuite) measure(ctx context.Context, stage faultStage, fault diskFault) (opening, first, all int) {
	r := s.newRun(ctx, stage, []plannedFault{{fault, 0}})
	var counts []int
	r.paused = func() { counts = append(counts, r.count(0)) }
	if err := r.run(); err != nil {
		s.violated(fmt.Sprintf("%d", stage.number), fmt.Errorf("without a fault: %w", err))
		return 0, 0, 0
	}
	return counts[0], counts[1], counts[len(counts)-1]
}

// try runs a stage with faults and looks what it leaves.
func (s *faultSuite) try(ctx context.Context, stage faultStage, name string, plan []plannedFault) {
	if s.only != "" && s.only != name {
		return
	}
	r := s.newRun(ctx, stage, plan)
	err := r.run()
	if len(r.hit) == 0 {
		return // what runs in the background had its operations elsewhere
	}
	s.hits.Add(1)
	if err != nil {
		s.violated(name, fmt.Errorf("%v: %w", r.hit, err))
		return
	}
	disk := r.disk()
	rng := newRand(s.seed, hash(name))
	var view crashView
	r.workload.model.expect(func(v crashView) { view = v })
	left := map[string]*crashfs.FS{"reopened": disk.Crash(nil, crashfs.KeepAll)}
	if r.hit[0].Kind.Changes() { // else the disk is as sound as ever
		left["after a power cut"] = disk.Crash(rng, crashfs.KeepSome)
	}
	for how, after := range left {
		if _, err := checkDisk(ctx, after, view); err != nil {
			s.violated(name, fmt.Errorf("%v, %s: %w", r.hit, how, err))
		}
	}
}

func (s *faultSuite) violated(name string, err error) {
	s.violations.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.found) < maxViolations {
		s.found = append(s.found, fmt.Sprintf("%v\nrepeat with %s=%d %s=%s", err, seedVariable, s.seed, faultVariable, name))
	}
}

// A faultRun is a stage's actions, over which faults come.
type faultRun struct {
	stage    faultStage
	workload *crashWorkload
	paused   func() // called when the engine is open, after each action, and at the end

	mu     sync.Mutex
	plan   []plannedFault
	counts []int // of the operations that each of the plan is for
	hit    []crashfs.Op
	last   *crashfs.FS
}

func (s *faultSuite) newRun(ctx context.Context, stage faultStage, plan []plannedFault) *faultRun {
	r := &faultRun{stage: stage, plan: plan, counts: make([]int, len(plan)), paused: func() {}}
	r.workload = &crashWorkload{
		ctx: ctx, rng: stage.rng(), model: stage.model.clone(), covered: newCoverage(), mayFail: true, mounted: r.mounted,
	}
	return r
}

func (r *faultRun) count(i int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[i]
}

func (r *faultRun) disk() *crashfs.FS {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

func (r *faultRun) mounted(disk *crashfs.FS) {
	r.mu.Lock()
	r.last = disk
	r.mu.Unlock()
	disk.SetHook(r.hook)
}

func (r *faultRun) hook(op crashfs.Op) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, p := range r.plan {
		if !p.kinds(op.Kind) {
			continue
		}
		r.counts[i]++
		if p.at > 0 && (r.counts[i] == p.at || p.stays && r.counts[i] > p.at) {
			err = p.err
			if len(r.hit) < 2 {
				r.hit = append(r.hit, op)
			}
		}
	}
	return err
}

// actionsUnderFault is how many actions follow the opening of the engine.
const actionsUnderFault = 3

// run returns what cannot be excused with a fault.
func (r *faultRun) run() error {
	w := r.workload
	disk := r.stage.disk.Crash(nil, crashfs.KeepAll)
	err := w.start(disk)
	r.paused()
	for range actionsUnderFault {
		if err != nil {
			break
		}
		err = w.act()
		r.paused()
	}
	if w.engine != nil {
		_ = w.engine.closeAll(w.ctx) // it may fail as well
	}
	r.paused()
	r.disk().SetHook(nil)
	if errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		return nil // it was not opened again
	}
	return err
}
