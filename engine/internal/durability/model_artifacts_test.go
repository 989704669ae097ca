package durability

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// current returns the artifact under a key, whoever may use it; nil if there is
// none.
func (r *modelRun) current(who caller, name, key string) *modelArtifact {
	if c := r.state[who.tenant][name]; c != nil {
		return c.artifacts[key]
	}
	return nil
}

// target chooses whose artifact an operation is about: often one that exists.
func (r *modelRun) target() (who caller, name, key string) {
	who, name, key = r.choose.caller(), r.choose.name(), r.choose.key()
	if c := r.state[who.tenant][name]; c != nil && len(c.artifacts) > 0 && r.choose.oneIn(2) {
		key = pick(r.choose, slices.Sorted(maps.Keys(c.artifacts)))
	}
	return who, name, key
}

func (r *modelRun) stat() error {
	who, name, key := r.target()
	opts := engine.StatOptions{Condition: r.choose.condition(r.current(who, name, key))}
	a, want := r.state.artifact(who, name, key, opts.Condition)
	var ok bool
	opts.Range, _, _, ok = r.choose.byteRange(sizeOf(a))
	want = checkRead(a, want, opts.Condition, ok)
	r.logf("stat %v %q %q %+v: %v", who, name, key, opts, want)
	got, err := r.eng.Stat(who.context(r.t.Context()), name, key, opts)
	if err := errors.Join(r.check(err, want), checkState(err, a, want)); err != nil || want != nil {
		return err
	}
	return sameArtifact(got, a.Artifact)
}

func sizeOf(a *modelArtifact) int64 {
	if a == nil {
		return 100
	}
	return a.Size
}

// checkRead returns how a read of a ends, unless it has ended with err already.
func checkRead(a *modelArtifact, err error, cond container.Condition, satisfiable bool) error {
	if err == nil {
		err = a.checkRead(cond)
	}
	if err == nil && !satisfiable {
		err = container.ErrRange
	}
	return err
}

// checkState checks that a refusal which the artifact's state explains says what
// that state is.
func checkState(err error, a *modelArtifact, want error) error {
	if a == nil || want == nil {
		return nil
	}
	var state *container.StateError
	if !errors.As(err, &state) {
		return fmt.Errorf("%w: without the state that explains it", err)
	}
	return sameArtifact(state.Current, a.Artifact)
}

func sameArtifact(got, want container.Artifact) error {
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("the artifact is not what was put: %s", diff)
	}
	return nil
}

func (r *modelRun) get() error {
	reader, a, off, n, err := r.openReader()
	if reader == nil {
		return err
	}
	if r.choose.oneIn(40) {
		return reader.Close() // unread
	}
	got, err := readAll(reader, pick(r.choose, []int{0, 0, 1 + r.choose.IntN(100), 4096, 1 << 20}))
	return errors.Join(err, sameBytes(got, a.bytes(off, n)))
}

func sameBytes(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d wrong bytes of %d", len(got), len(want))
	}
	return nil
}

// openReader makes a random Get. There is no reader if it was refused, as it
// should have been.
func (r *modelRun) openReader() (reader *engine.Reader, a *modelArtifact, off, n int64, err error) {
	who, name, key := r.target()
	opts := engine.GetOptions{Condition: r.choose.condition(r.current(who, name, key))}
	a, want := r.state.artifact(who, name, key, opts.Condition)
	var ok bool
	opts.Range, off, n, ok = r.choose.byteRange(sizeOf(a))
	want = checkRead(a, want, opts.Condition, ok)
	r.logf("get %v %q %q %+v: %v", who, name, key, opts, want)
	reader, err = r.eng.Get(who.context(r.t.Context()), name, key, opts)
	if err := errors.Join(r.check(err, want), checkState(err, a, want)); err != nil || want != nil {
		return nil, nil, 0, 0, err
	}
	gotOff, gotN := reader.Range()
	if gotOff != off || gotN != n {
		err = fmt.Errorf("the reader yields %d bytes from %d, and should yield %d from %d", gotN, gotOff, n, off)
	}
	return reader, a, off, n, errors.Join(err, sameArtifact(reader.Artifact(), a.Artifact))
}

// A heldReader is one that stays open while other things happen to its artifact.
type heldReader struct {
	reader *engine.Reader
	body   uint64
	left   []byte
}

// holdReader opens a reader and reads a part, or goes on with one that is open.
func (r *modelRun) holdReader() error {
	const most = 4
	if len(r.held) > 0 && (len(r.held) == most || r.choose.oneIn(2)) {
		return r.finishReader(r.choose.IntN(len(r.held)))
	}
	reader, a, off, n, err := r.openReader()
	if reader == nil || err != nil {
		return err
	}
	h := &heldReader{reader, a.body, a.bytes(off, n)}
	r.held = append(r.held, h)
	part := make([]byte, r.choose.IntN(len(h.left)+1))
	if _, err := io.ReadFull(reader, part); err != nil {
		return err
	}
	err = sameBytes(part, h.left[:len(part)])
	h.left = h.left[len(part):]
	return err
}

// finishReader reads what is left of a held reader.
func (r *modelRun) finishReader(i int) error {
	h := r.held[i]
	r.held = slices.Delete(r.held, i, i+1)
	r.logf("finish reader of body %d", h.body)
	if r.choose.oneIn(5) {
		return h.reader.Close()
	}
	got, err := readAll(h.reader, pick(r.choose, []int{0, 1000, 1 << 20}))
	return errors.Join(err, sameBytes(got, h.left))
}

// finishReaders finishes all held readers, which Close waits for.
func (r *modelRun) finishReaders() error {
	for len(r.held) > 0 {
		if err := r.finishReader(0); err != nil {
			return err
		}
	}
	return nil
}

func (r *modelRun) delete() error {
	who, name, key := r.target()
	cond := r.choose.condition(r.current(who, name, key))
	a, want := r.state.artifact(who, name, key, cond)
	if want == nil {
		want = a.checkWrite(cond)
	}
	r.logf("delete %v %q %q %+v: %v", who, name, key, cond, want)
	err := r.eng.Delete(who.context(r.t.Context()), name, key, engine.DeleteOptions{Condition: cond})
	if want == nil {
		delete(r.state[who.tenant][name].artifacts, key)
	}
	return r.check(err, want)
}

func (r *modelRun) listPage() error {
	who, name, opts := r.choose.caller(), r.choose.name(), r.choose.listOptions()
	c, want := r.state.find(who, name)
	if who.check() == nil && container.ValidateName(name) == nil && (opts.Limit < 0 || opts.Limit > 1000) {
		want = container.ErrInvalid
	}
	r.logf("list page %v %q %+v: %v", who, name, opts, want)
	page, err := r.eng.ListPage(who.context(r.t.Context()), name, opts)
	if err := r.check(err, want); err != nil || want != nil {
		return err
	}
	entries, more := c.list(opts)
	next := ""
	if more {
		next = entries[len(entries)-1].Name()
	}
	if diff := cmp.Diff(engine.Page{Container: c.Container, Entries: entries, Next: next}, page, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("the page is another: %s", diff)
	}
	return nil
}

func (r *modelRun) list() error {
	who, name, opts := r.choose.caller(), r.choose.name(), r.choose.listOptions()
	opts.Limit = 0
	c, want := r.state.find(who, name)
	r.logf("list %v %q %+v: %v", who, name, opts, want)
	var entries []container.Entry
	if want == nil {
		entries, _ = c.list(opts)
	}
	most := len(entries) + 1
	if r.choose.oneIn(4) {
		most = r.choose.IntN(len(entries) + 1)
	}
	i := 0
	for entry, err := range r.eng.List(who.context(r.t.Context()), name, opts) {
		if err != nil {
			return r.check(err, want)
		}
		if i >= len(entries) {
			return fmt.Errorf("the list goes on with %q", entry.Name())
		}
		if diff := cmp.Diff(entries[i], entry, cmpopts.EquateEmpty()); diff != "" {
			return fmt.Errorf("entry %d is another: %s", i, diff)
		}
		if i++; i >= most {
			return nil
		}
	}
	if want != nil || i < len(entries) {
		return fmt.Errorf("the list ends after %d of %d entries, and should with %v", i, len(entries), want)
	}
	return nil
}

// checkEverything compares all that there is.
func (r *modelRun) checkEverything() error {
	for id, containers := range r.state {
		who := caller{tenant: id}
		ctx := who.context(r.t.Context())
		for name, c := range containers {
			n := 0
			for entry, err := range r.eng.List(ctx, name, engine.ListOptions{}) {
				if err != nil {
					return err
				}
				a, ok := c.artifacts[entry.Artifact.Key]
				if !ok {
					return fmt.Errorf("%v %q has an artifact %q", who, name, entry.Artifact.Key)
				}
				reader, err := r.eng.Get(ctx, name, a.Key, engine.GetOptions{})
				if err != nil {
					return err
				}
				got, err := readAll(reader, 0)
				if err := errors.Join(err, sameArtifact(entry.Artifact, a.Artifact), sameBytes(got, a.bytes(0, a.Size))); err != nil {
					return err
				}
				n++
			}
			if n != len(c.artifacts) {
				return fmt.Errorf("%v %q has %d artifacts, and should have %v", who, name, n, slices.Sorted(maps.Keys(c.artifacts)))
			}
		}
	}
	return r.checkUsage()
}
