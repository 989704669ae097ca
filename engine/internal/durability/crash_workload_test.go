package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing/iotest"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

// A crashWorkload does random things with an engine on a disk and tells a model.
type crashWorkload struct {
	ctx    context.Context
	rng    *rand.Rand
	model  *crashModel
	engine *diskEngine // nil if it could not be opened
	// mounted is called with each disk before an engine is opened on it.
	mounted func(*crashfs.FS)
	// mayFail: calls may fail, and then have done what their errors say.
	mayFail bool
	covered *coverage
}

// crashContainers and crashKeys are the names that a workload uses.
const (
	crashContainers = 3
	crashKeys       = 5
)

// start opens a new engine on a disk.
func (w *crashWorkload) start(disk *crashfs.FS) error {
	w.mounted(disk)
	e, err := openDisk(w.ctx, disk, engine.WithSink(w.covered))
	if err != nil {
		return err
	}
	w.engine = e
	return nil
}

// A crashAction is one thing to do, and how often compared with others.
type crashAction struct {
	weight int
	do     func(*crashWorkload) error
}

func crashActions() []crashAction {
	return []crashAction{
		{4, (*crashWorkload).createContainer},
		{2, (*crashWorkload).deleteContainer},
		{24, (*crashWorkload).putSomething},
		{4, (*crashWorkload).putConditionally},
		{2, (*crashWorkload).putFromABrokenSource},
		{8, (*crashWorkload).deleteSomething},
		{4, (*crashWorkload).severalAtOnce},
		{4, (*crashWorkload).readSomething},
		{2, (*crashWorkload).reclaim},
		{1, (*crashWorkload).releaseOrphans},
		{1, (*crashWorkload).backUp},
		{1, (*crashWorkload).reopen},
		{1, func(w *crashWorkload) error { return w.cut(crashfs.KeepAll) }},
		{1, func(w *crashWorkload) error { return w.cut(crashfs.KeepSome) }},
	}
}

// act does one random thing.
func (w *crashWorkload) act() error {
	actions := crashActions()
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	n := w.rng.IntN(total)
	for _, a := range actions {
		if n -= a.weight; n < 0 {
			if err := a.do(w); err != nil {
				return err
			}
			return w.cover()
		}
	}
	panic("unreachable")
}

// cover adds what the engine keeps now to what the suite has come across.
func (w *crashWorkload) cover() error {
	err := errors.Join(w.covered.lookInto(w.ctx, w.engine.store), w.covered.lookAt(w.ctx, w.engine.blobs))
	if w.mayFail {
		return nil
	}
	return err
}

// call makes a call that is to put v under name. want is what it must fail
// with; nil if it must not.
func (w *crashWorkload) call(name crashName, v *crashValue, want error, f func() error) error {
	if want != nil && w.model.isKnown(name) {
		if err := f(); !errors.Is(err, want) && (err == nil || !w.mayFail) {
			return fmt.Errorf("%v: it ended with %w, and should have with %w", name, err, want)
		}
		return nil
	}
	w.model.begin(name, v)
	err := f()
	switch {
	case err == nil:
		w.model.end(name, v, done)
	case errors.Is(err, catalog.ErrUnknownOutcome):
		w.model.end(name, v, perhapDone)
	default:
		w.model.end(name, v, notDone)
	}
	if err != nil && !w.mayFail {
		return fmt.Errorf("%v: %w", name, err)
	}
	return nil
}

func (w *crashWorkload) container() crashName {
	return crashName{fmt.Sprintf("container-%d", w.rng.IntN(crashContainers)), ""}
}

func (w *crashWorkload) key() crashName {
	return crashName{w.container().container, fmt.Sprintf("key/%d", w.rng.IntN(crashKeys))}
}

// missing returns what calls on artifacts of a container fail with that does
// not exist, else nil.
func (w *crashWorkload) missing(name crashName) error {
	if w.model.is(crashName{name.container, ""}) == nil {
		return container.ErrContainerNotFound
	}
	return nil
}

func (w *crashWorkload) createContainer() error {
	name := w.container()
	var want error
	if w.model.is(name) != nil {
		want = container.ErrExists
	}
	return w.call(name, aContainer, want, func() error {
		_, err := w.engine.CreateContainer(w.ctx, name.container, engine.CreateContainerOptions{})
		return err
	})
}

// deleteContainer sometimes empties it first.
func (w *crashWorkload) deleteContainer() error {
	name := w.container()
	if w.rng.IntN(2) == 0 {
		for _, key := range w.model.keys(name.container) {
			if err := w.delete(crashName{name.container, key}); err != nil {
				return err
			}
		}
	}
	want := w.missing(name)
	if len(w.model.keys(name.container)) > 0 {
		want = container.ErrNotEmpty
	}
	return w.call(name, nil, want, func() error { return w.engine.DeleteContainer(w.ctx, name.container) })
}

// crashSizes are sizes of artifacts: around those of sectors and of blocks.
func crashSizes() []int {
	return []int{0, 1, 300, 511, 512, 4096, 4097, 10_000, 65_535, 65_536, 65_537, 150_000, 200_000}
}

func (w *crashWorkload) size(rng *rand.Rand) int {
	switch sizes := crashSizes(); rng.IntN(8) {
	case 0, 1:
		return sizes[rng.IntN(len(sizes))]
	case 2: // around where a driver stops to keep it with others, for its trailer
		return diskSmallBlob - rng.IntN(600)
	}
	return rng.IntN(3000)
}

// put puts a new value under name.
func (w *crashWorkload) put(name crashName, rng *rand.Rand, cond container.Condition, want error) error {
	v := w.model.value(w.size(rng))
	opts := engine.PutOptions{
		Condition: cond,
		Tag:       func(container.Digests) string { return v.tag() },
		Metadata:  map[string]string{"id": v.tag()},
	}
	if rng.IntN(2) == 0 {
		opts.Size = int64(len(v.body))
	}
	if rng.IntN(4) == 0 { // rows that fill the catalog's memory
		opts.Metadata["padding"] = strings.Repeat("x", 6<<10)
	}
	return w.call(name, v, want, func() error {
		_, err := w.engine.Put(w.ctx, name.container, name.key, bytes.NewReader(v.body), opts)
		return err
	})
}

func (w *crashWorkload) putSomething() error {
	name := w.key()
	return w.put(name, w.rng, container.Condition{}, w.missing(name))
}

func (w *crashWorkload) putConditionally() error {
	name := w.key()
	want := w.missing(name)
	is := w.model.is(name)
	var cond container.Condition
	switch {
	case is == nil || w.rng.IntN(3) == 0:
		cond.IfNoneMatch = []string{container.AnyTag}
		if is != nil {
			want = container.ErrPrecondition
		}
	case w.rng.IntN(2) == 0:
		cond.IfMatch = []string{is.tag()}
	default:
		cond.IfMatch = []string{"another"}
		want = container.ErrPrecondition
	}
	return w.put(name, w.rng, cond, want)
}

// putFromABrokenSource leaves the name as it was.
func (w *crashWorkload) putFromABrokenSource() error {
	name := w.key()
	want := w.missing(name)
	if want == nil {
		want = errSabotage
	}
	v := w.model.value(w.size(w.rng))
	return w.call(name, v, want, func() error {
		src := io.MultiReader(bytes.NewReader(v.body), iotest.ErrReader(errSabotage))
		_, err := w.engine.Put(w.ctx, name.container, name.key, src, engine.PutOptions{})
		return err
	})
}

func (w *crashWorkload) delete(name crashName) error {
	want := w.missing(name)
	if want == nil && w.model.is(name) == nil {
		want = container.ErrArtifactNotFound
	}
	return w.call(name, nil, want, func() error {
		return w.engine.Delete(w.ctx, name.container, name.key, engine.DeleteOptions{})
	})
}

func (w *crashWorkload) deleteSomething() error { return w.delete(w.key()) }

// severalAtOnce puts and deletes different keys of a container at the same time.
// Half of the times what nobody needs is reclaimed all the while.
func (w *crashWorkload) severalAtOnce() error {
	name := w.container()
	var wait sync.WaitGroup
	errs := make([]error, crashKeys)
	for i := range crashKeys {
		key := crashName{name.container, fmt.Sprintf("key/%d", i)}
		rng := newRand(w.rng.Uint64(), uint64(i))
		wait.Go(func() {
			if rng.IntN(4) == 0 {
				errs[i] = w.delete(key)
			} else {
				errs[i] = w.put(key, rng, container.Condition{}, w.missing(key))
			}
		})
	}
	stop := func() error { return nil }
	if w.rng.IntN(2) == 0 {
		stop = w.reclaiming()
	}
	wait.Wait()
	return errors.Join(append(errs, stop())...)
}

// reclaiming reclaims again and again until it is stopped.
func (w *crashWorkload) reclaiming() (stop func() error) {
	stopping, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stopping:
				stopped <- nil
				return
			default:
			}
			if err := w.reclaim(); err != nil {
				stopped <- err
				return
			}
		}
	}()
	return func() error {
		close(stopping)
		return <-stopped
	}
}

// readSomething holds what is read against what is known.
func (w *crashWorkload) readSomething() error {
	name := w.key()
	is := w.model.is(name)
	r, err := w.engine.Get(w.ctx, name.container, name.key, engine.GetOptions{})
	if err != nil {
		if w.mayFail || is == nil && errors.Is(err, container.ErrNotFound) {
			return nil
		}
		return fmt.Errorf("get %v: %w", name, err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		if w.mayFail {
			return nil
		}
		return fmt.Errorf("read %v: %w", name, err)
	}
	if w.model.isKnown(name) && (is == nil || !bytes.Equal(got, is.body)) {
		return fmt.Errorf("get %v: it has %d bytes that are not those of %v", name, len(got), is)
	}
	return nil
}

func (w *crashWorkload) reclaim() error {
	_, err := w.engine.Reclaim(w.ctx)
	if err != nil && !w.mayFail {
		return fmt.Errorf("reclaim: %w", err)
	}
	return nil
}

// releaseOrphans has nothing to release, and may have.
func (w *crashWorkload) releaseOrphans() error {
	if err := w.engine.ReleaseOrphans(w.ctx); err != nil && !w.mayFail {
		return fmt.Errorf("release orphans: %w", err)
	}
	return nil
}

// backUp makes a copy of the engine, which then loses power.
func (w *crashWorkload) backUp() error {
	const root = "/backup"
	disk := pebbleFS{w.engine.disk}
	if err := disk.RemoveAll(root); err != nil && !w.mayFail {
		return err
	}
	if err := disk.MkdirAll(root, 0o700); err != nil && !w.mayFail {
		return err
	}
	err := w.engine.Backup(w.ctx, engine.BackupDirs{
		Catalog: root + diskCatalog,
		Drivers: map[string]string{"main": root + diskBlobs},
	})
	if err == nil && !w.mayFail {
		// The backup itself makes all durable that is in its own directories.
		if err = w.engine.disk.SyncDir("/"); err == nil {
			err = w.engine.disk.SyncDir(root)
		}
	}
	if w.mayFail {
		return nil
	}
	if err != nil {
		return fmt.Errorf("back up: %w", err)
	}
	w.model.expect(func(view crashView) {
		err = checkBackup(w.ctx, w.engine.disk.Crash(w.rng, crashfs.KeepSome), root, view)
	})
	if err != nil {
		return fmt.Errorf("look at the backup: %w", err)
	}
	return nil
}

// reopen closes the engine and opens it again.
func (w *crashWorkload) reopen() error {
	err := w.engine.closeAll(w.ctx)
	if err != nil && !w.mayFail {
		return fmt.Errorf("close: %w", err)
	}
	return w.start(w.engine.disk)
}

// cut cuts the power, or kills the process, and goes on with what is left.
func (w *crashWorkload) cut(keep crashfs.Keep) error {
	old := w.engine
	after := old.disk.Crash(w.rng, keep)
	old.disk.SetHook(nil) // what the old engine does now does not count
	_ = old.closeAll(w.ctx)
	return w.start(after)
}
