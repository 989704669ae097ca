package durability

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine"
)

// TestAnEngineDoesWhatAPlainModelSays makes random calls, one after the other,
// and compares each answer, and all that there is, with maps in memory.
func TestAnEngineDoesWhatAPlainModelSays(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	for _, rig := range []struct {
		name       string
		operations int
		driver     func(t *testing.T) driver.Driver
	}{
		{"in memory", times(30_000, 5_000_000), inMemory},
		{"on disk", times(20_000, 5_000_000), onDisk},
	} {
		t.Run(rig.name, func(t *testing.T) {
			t.Parallel()
			r := newModelRun(t, seed+hash(rig.name), newWorld(rig.driver(t)))
			for i := range rig.operations {
				if err := r.step(); err != nil {
					t.Fatalf("operation %d: %v\nthe last ones were\n%s", i, err, strings.Join(r.recent, "\n"))
				}
			}
			require.NoError(t, r.finishReaders())
			require.NoError(t, r.checkEverything())
			require.NoError(t, r.eng.Close(context.Background()))
			t.Logf("operations equal to the model's: %d, failed as they should: %d, reopened: %d, artifacts left: %d",
				rig.operations, r.refused, r.reopened, r.state.size())
		})
	}
}

// A new method of an engine joins the model.
func TestTheModelKnowsEveryMethod(t *testing.T) {
	t.Parallel()
	known := modelOperations()
	typ := reflect.TypeFor[*engine.Engine]()
	for i := range typ.NumMethod() {
		require.Contains(t, known, typ.Method(i).Name, "the model does not know what it does")
	}
}

// A modelOperation makes a random call and returns how its answer differs from
// the model's.
type modelOperation struct {
	weight int
	do     func(*modelRun) error
}

// modelOperations holds an operation for each method, and others that are made of
// several.
func modelOperations() map[string]modelOperation {
	return map[string]modelOperation{
		"Put":             {300, (*modelRun).put},
		"Get":             {200, (*modelRun).get},
		"Stat":            {80, (*modelRun).stat},
		"Delete":          {150, (*modelRun).delete},
		"List":            {50, (*modelRun).list},
		"ListPage":        {100, (*modelRun).listPage},
		"CreateContainer": {25, (*modelRun).createContainer},
		"StatContainer":   {15, (*modelRun).statContainer},
		"DeleteContainer": {20, (*modelRun).deleteContainer},
		"ListContainers":  {20, (*modelRun).listContainers},
		"Refuse":          {3, (*modelRun).refuse},
		"Reclaim":         {10, (*modelRun).reclaim},
		"Scrub":           {3, (*modelRun).scrub},
		"ReleaseOrphans":  {1, (*modelRun).releaseOrphans},
		"Backup":          {1, (*modelRun).backUp},
		"Close":           {5, (*modelRun).reopen},
		"held reader":     {30, (*modelRun).holdReader},
		"usage":           {3, (*modelRun).checkUsage},
	}
}

// A modelRun is an engine, the model of it, and the one that compares them.
type modelRun struct {
	t          *testing.T
	choose     chooser
	world      *world
	eng        *engine.Engine
	state      modelState
	operations map[string]modelOperation
	names      []string // of operations, sorted
	total      int      // of their weights

	now      time.Time // what the engine's clock says
	bodies   uint64    // how many patterns are used up
	held     []*heldReader
	depth    int // of operations within operations
	refused  int
	reopened int
	recent   []string
}

func newModelRun(t *testing.T, seed uint64, w *world) *modelRun {
	r := &modelRun{
		t:          t,
		choose:     newChooser(newRand(seed, 0)),
		world:      w,
		state:      modelState{},
		operations: modelOperations(),
		now:        time.Unix(1_800_000_000, 0),
	}
	r.names = slices.Sorted(maps.Keys(r.operations))
	for _, op := range r.operations {
		r.total += op.weight
	}
	r.open()
	return r
}

func (r *modelRun) open() {
	r.eng = r.world.open(r.t, engine.WithClock(func() time.Time { return r.now }))
}

// step makes one random operation.
func (r *modelRun) step() error {
	r.now = r.now.Add(time.Duration(r.choose.Int64N(int64(time.Second))))
	if r.choose.oneIn(100) {
		r.now = r.now.Add(-5 * time.Second) // clocks are set
	}
	n := r.choose.IntN(r.total)
	for _, name := range r.names {
		if n -= r.operations[name].weight; n < 0 {
			return r.operations[name].do(r)
		}
	}
	panic("unreachable")
}

// logf remembers what is done, for whoever has to find out what went wrong.
func (r *modelRun) logf(format string, args ...any) {
	const remembered = 30
	r.recent = append(r.recent, strings.Repeat("  ", r.depth)+fmt.Sprintf(format, args...))
	if len(r.recent) > remembered {
		r.recent = slices.Delete(r.recent, 0, 1)
	}
}

// check compares an error with the one that the model has: a sentinel, or nil.
func (r *modelRun) check(got, want error) error {
	if want == nil {
		return got
	}
	r.refused++
	var wrapped *container.Error
	switch {
	case !errors.Is(got, want):
		return fmt.Errorf("the error is %v, and should be %q", got, want)
	case want == container.ErrPrecondition && errors.Is(got, container.ErrNotModified):
		return fmt.Errorf("the error is %v, which is no %q", got, want)
	case !errors.As(got, &wrapped):
		return fmt.Errorf("the error is %v, of type %T", got, got)
	}
	return nil
}

// reopen ends the engine, one way or another, and starts the next.
func (r *modelRun) reopen() error {
	if r.depth > 0 {
		return nil // Close would wait for the operation around it
	}
	if err := r.finishReaders(); err != nil {
		return err
	}
	r.reopened++
	clean := r.choose.oneIn(2)
	r.logf("reopen, clean: %t", clean)
	if clean {
		if err := r.eng.Close(r.t.Context()); err != nil {
			return err
		}
		if _, err := r.eng.Stat(r.t.Context(), "a", "a", engine.StatOptions{}); !errors.Is(err, container.ErrClosed) {
			return fmt.Errorf("after Close: %w", err)
		}
	} else {
		r.world.drop(r.t, r.choose.Rand)
	}
	r.open()
	if r.choose.oneIn(5) {
		return r.checkEverything()
	}
	return r.checkUsage()
}
