package local

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// A survivor uses drivers on a disk that loses power, and knows what each
// driver has promised.
type survivor struct {
	opts    Options
	disk    *crashfs.FS
	rng     *rand.Rand
	sampled func(op crashfs.Op, err error) // is told of each state that was looked at

	mu       sync.Mutex
	chance   *rand.Rand  // of what the power cut leaves
	driver   *Driver     // that runs; nil while it opens
	cut      *crashfs.FS // what the power cut left; nil before it
	cutAt    int
	contents map[driver.Ref][]byte // of everything that ever was acknowledged
	durable  map[driver.Ref]bool   // must survive
	buried   map[driver.Ref]bool   // must not come back
	pending  []promise             // of calls that have returned since the last flush
	dying    map[driver.Ref]bool   // a Delete was called
	tried    map[string]bool       // contents of all puts
	identity string                // of the driver; "" if none was told
	copied   *copied               // nil if no Snapshot was called
}

// A promise is what a call that returned nil has promised.
type promise struct {
	ref     driver.Ref
	deleted bool
}

// A copied is what a Snapshot has promised.
type copied struct {
	holds  map[driver.Ref]bool // was there before it, and not deleted while it ran
	buried map[driver.Ref]bool
	done   bool
}

// copyDir is where snapshots go.
const copyDir = "/copy"

func newSurvivor(seed, workload uint64, opts Options) *survivor {
	return &survivor{
		opts: opts, disk: crashfs.New(), sampled: func(crashfs.Op, error) {},
		rng: newSurvivorRand(seed, workload, 0), chance: newSurvivorRand(seed, workload, 1),
		contents: make(map[driver.Ref][]byte), durable: make(map[driver.Ref]bool),
		buried: make(map[driver.Ref]bool), dying: make(map[driver.Ref]bool), tried: make(map[string]bool),
	}
}

// hook looks at what a power cut now would leave, cuts the power before the
// operation cutAt, and fails from there on.
func (s *survivor) hook(op crashfs.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut == nil && op.Kind.Changes() {
		s.sample(op)
	}
	if s.cut == nil && op.Kind.Changes() && op.N >= s.cutAt {
		s.cut = s.disk // as when the process is killed, perhaps because no file can be synced
		if keep := crashfs.Keep(s.chance.IntN(6)); keep <= crashfs.KeepAll {
			s.cut = s.disk.Crash(s.chance, keep)
		} else if s.driver != nil {
			s.driver.poison.fail(errFault)
		}
	}
	// A folder whose sync has failed never is durable again, whatever the next
	// run does; what it does about files is to write them again.
	if s.cut == nil || !op.Kind.Changes() || s.cut == s.disk && op.Kind == crashfs.SyncDir {
		return nil
	}
	return errFault
}

// promised notes what a call did that has returned nil. What returns after the
// power was cut nobody has heard.
func (s *survivor) promised(p promise) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		return
	}
	s.pending = append(s.pending, p)
	if s.opts.Sync == SyncAlways {
		s.settle(s.pending)
		s.pending = nil
	}
}

func (s *survivor) settle(promises []promise) {
	for _, p := range promises {
		if p.deleted {
			s.buried[p.ref] = true
		} else if !s.dying[p.ref] {
			s.durable[p.ref] = true
		}
	}
}

// run works with several workers until the power is cut.
func (s *survivor) run(ctx context.Context, workers, steps int) error {
	s.cut, s.pending = nil, nil
	s.cutAt = s.disk.Operations() + 1 + s.rng.IntN(workers*steps*4)
	s.disk.SetHook(s.hook)
	d, err := Open(ctx, "/blobs", s.opts.on(s.disk))
	if err == nil {
		s.serve(d)
		defer s.serve(nil)
		var group errgroup.Group
		for range workers {
			rng := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
			group.Go(func() error { return s.note(s.work(ctx, d, rng, steps)) })
		}
		err = errors.Join(group.Wait(), s.note(d.Close(ctx)))
	}
	if s.cut == nil {
		if err != nil {
			return err
		}
		s.settle(s.pending)
		s.cut = s.disk.Crash(s.chance, crashfs.KeepSome)
	}
	s.disk.SetHook(nil)
	s.disk = s.cut
	return nil
}

// serve notes the driver that runs, which has said who it is.
func (s *survivor) serve(d *Driver) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.driver = d
	if d != nil && s.cut == nil {
		s.identity = d.identity
	}
}

// note returns err, once it is certain that it does not come from the power cut.
func (s *survivor) note(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut != nil {
		return nil
	}
	return err
}

func (o Options) on(disk *crashfs.FS) Options {
	o.FS = disk
	return o
}

// goOn goes on with what the power cut has left, perhaps after more of them
// while the driver opens.
func (s *survivor) goOn(ctx context.Context) error {
	for range s.rng.IntN(3) {
		s.cut, s.cutAt = nil, s.disk.Operations()+1+s.rng.IntN(12)
		s.disk.SetHook(s.hook)
		if d, err := Open(ctx, "/blobs", s.opts.on(s.disk)); err == nil {
			_ = d.Close(ctx)
		} else if s.cut == nil {
			return err
		}
		s.disk.SetHook(nil)
		if s.cut != nil {
			s.disk = s.cut
		}
	}
	d, err := Open(ctx, "/blobs", s.opts.on(s.disk))
	if err != nil {
		return err
	}
	found, err := s.compare(ctx, d)
	if err != nil {
		return err
	}
	// What an open has shown stays, now that it cannot tell any more what was
	// acknowledged. In SyncAlways nothing is made up for that was not.
	maps.Copy(s.contents, found)
	was := s.durable
	s.durable = make(map[driver.Ref]bool)
	for ref := range found {
		_, small := parseSmallRef(ref)
		if small || was[ref] || s.opts.Sync != SyncAlways {
			s.durable[ref] = true
		}
	}
	s.dying, s.pending, s.copied = make(map[driver.Ref]bool), nil, nil
	s.identity = d.identity
	s.disk = s.disk.Crash(nil, crashfs.KeepNone)
	if err := d.Close(ctx); err != nil {
		return err
	}
	return s.removeCopy()
}

// removeCopy makes room for the next snapshot.
func (s *survivor) removeCopy() error {
	if err := removeTree(s.disk, copyDir); err != nil {
		return err
	}
	s.disk = s.disk.Crash(nil, crashfs.KeepAll)
	return nil
}
