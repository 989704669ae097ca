package durability

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

func (r *modelRun) createContainer() error {
	who, name := r.choose.caller(), r.choose.name()
	_, want := r.state.find(who, name)
	switch want {
	case nil, container.ErrDenied:
		want = container.ErrExists
	case container.ErrContainerNotFound:
		want = nil
	}
	r.logf("create container %v %q: %v", who, name, want)
	got, err := r.eng.CreateContainer(who.context(r.t.Context()), name, engine.CreateContainerOptions{})
	if err := r.check(err, want); err != nil || want != nil {
		return err
	}
	made := container.Container{
		Name: name, Created: r.now.UTC(),
		Owner: container.Owner{ID: who.principal.ID, DisplayName: who.principal.DisplayName},
	}
	if r.state[who.tenant] == nil {
		r.state[who.tenant] = map[string]*modelContainer{}
	}
	r.state[who.tenant][name] = &modelContainer{made, map[string]*modelArtifact{}}
	return sameContainer(got, made)
}

func sameContainer(got, want container.Container) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("the container is another: %s", diff)
	}
	return nil
}

func (r *modelRun) statContainer() error {
	who, name := r.choose.caller(), r.choose.name()
	c, want := r.state.find(who, name)
	r.logf("stat container %v %q: %v", who, name, want)
	got, err := r.eng.StatContainer(who.context(r.t.Context()), name)
	if err := r.check(err, want); err != nil || want != nil {
		return err
	}
	return sameContainer(got, c.Container)
}

func (r *modelRun) deleteContainer() error {
	who, name := r.choose.caller(), r.choose.name()
	c, want := r.state.find(who, name)
	if want == nil && len(c.artifacts) > 0 {
		want = container.ErrNotEmpty
		if r.choose.oneIn(12) {
			return r.emptyContainer(who, c) // else none would ever go
		}
	}
	r.logf("delete container %v %q: %v", who, name, want)
	err := r.eng.DeleteContainer(who.context(r.t.Context()), name)
	if want == nil {
		delete(r.state[who.tenant], name)
	}
	return r.check(err, want)
}

// emptyContainer deletes all that is in a container.
func (r *modelRun) emptyContainer(who caller, c *modelContainer) error {
	r.logf("empty container %v %q", who, c.Name)
	for key := range c.artifacts {
		if err := r.eng.Delete(who.context(r.t.Context()), c.Name, key, engine.DeleteOptions{}); err != nil {
			return err
		}
	}
	clear(c.artifacts)
	return nil
}

func (r *modelRun) listContainers() error {
	who := r.choose.caller()
	opts := engine.ListContainersOptions{}
	if r.choose.oneIn(2) {
		opts = engine.ListContainersOptions{Prefix: r.choose.part(), StartAfter: r.choose.part()}
	}
	want := who.check()
	r.logf("list containers %v %+v: %v", who, opts, want)
	var got []container.Container
	for c, err := range r.eng.ListContainers(who.context(r.t.Context()), opts) {
		if err != nil {
			return r.check(err, want)
		}
		got = append(got, c)
	}
	if diff := cmp.Diff(r.state.listContainers(who, opts), got, cmpopts.EquateEmpty()); diff != "" {
		return fmt.Errorf("the containers are others: %s", diff)
	}
	return nil
}

func (r *modelRun) refuse() error {
	who, name, key := r.choose.caller(), r.choose.name(), r.choose.key()
	r.logf("refuse %v %q %q", who, name, key)
	err := r.eng.Refuse(who.context(r.t.Context()), event.PutArtifact, name, key, container.ErrThrottled)
	return r.check(err, container.ErrThrottled)
}

// scrub reads every artifact there is, and finds nothing wrong.
func (r *modelRun) scrub() error {
	r.logf("scrub")
	report, err := r.eng.Scrub(r.t.Context(), engine.ScrubOptions{})
	if err != nil {
		return err
	}
	artifacts := 0
	for _, containers := range r.state {
		for _, c := range containers {
			artifacts += len(c.artifacts)
		}
	}
	if report.Artifacts != int64(artifacts) || report.Damaged+report.Unread != 0 {
		return fmt.Errorf("the report is %+v, and there are %d artifacts", report, artifacts)
	}
	return nil
}

// releaseOrphans changes nothing, because none are held.
func (r *modelRun) releaseOrphans() error {
	r.logf("release orphans")
	return r.eng.ReleaseOrphans(r.t.Context())
}

// backUp changes nothing, because this driver cannot be copied.
func (r *modelRun) backUp() error {
	r.logf("back up")
	err := r.eng.Backup(r.t.Context(), engine.BackupDirs{Catalog: "/copy", Drivers: map[string]string{"main": "/copied blobs"}})
	if !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("the backup ended with %w, and should have with %w", err, errors.ErrUnsupported)
	}
	return nil
}

// reclaim frees what can be freed, and counts what is left: the blob of each
// artifact, and those that are still being read.
func (r *modelRun) reclaim() error {
	r.logf("reclaim")
	report, err := r.eng.Reclaim(r.t.Context())
	if err != nil {
		return err
	}
	kept := map[uint64]bool{} // bodies
	for _, h := range r.held {
		kept[h.body] = true
	}
	pinned := len(kept)
	for _, containers := range r.state {
		for _, c := range containers {
			for _, a := range c.artifacts {
				if kept[a.body] {
					pinned--
				}
				kept[a.body] = true
			}
		}
	}
	if report.Foreign != 0 || report.Pinned != int64(pinned) {
		return fmt.Errorf("the report is %+v, and %d contents without a name are being read", report, pinned)
	}
	blobs, err := r.world.countBlobs(r.t.Context())
	if err != nil {
		return err
	}
	rows, err := r.world.countRows(r.t.Context())
	if err != nil {
		return err
	}
	if blobs != len(kept) || rows['b'] != len(kept) || rows['q'] != pinned || rows['h'] != len(kept)-pinned {
		return fmt.Errorf("%d contents should be left, %d of them pinned: there are %d blobs and rows %v", len(kept), pinned, blobs, rows)
	}
	return nil
}

// checkUsage compares the counters of every container, and of those that are
// gone, with what there is.
func (r *modelRun) checkUsage() error {
	return r.world.store.View(r.t.Context(), func(ctx context.Context, reader catalog.Reader) error {
		it, err := reader.Scan(ctx, []byte{'n'}, []byte{'n' + 1})
		if err != nil {
			return err
		}
		got := map[string]int64{}
		for it.Next() {
			if n := int64(binary.BigEndian.Uint64(it.Value())); n != 0 {
				got[string(it.Key())] = n
			}
		}
		if err := it.Close(); err != nil {
			return err
		}
		if diff := cmp.Diff(r.state.usage(), got); diff != "" {
			return fmt.Errorf("the usage is another: %s", diff)
		}
		return nil
	})
}

// usage returns the counters that are not 0 by the keys of their rows.
func (s modelState) usage() map[string]int64 {
	usage := map[string]int64{}
	count := func(id tenant.ID, name, counter string, n int64) {
		if n != 0 {
			usage["n"+string(id)+"\x00"+name+"\x00"+counter] = n
		}
	}
	for id, containers := range s {
		for name, c := range containers {
			count(id, name, "a", int64(len(c.artifacts)))
			count(id, name, "b", c.bytes())
		}
	}
	return usage
}
