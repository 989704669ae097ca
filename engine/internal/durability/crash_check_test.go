package durability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

// checkDisk opens the engine on a disk after a power cut or a fault, and returns
// an error unless everything about it is as it must be:
//   - it opens;
//   - each name has what is acknowledged, or what a call that ran was to put
//     there, whole, and List, Stat and Get say the same of it;
//   - Reclaim leaves one blob for each artifact and nothing else, and no name
//     has another value than before;
//   - puts, gets and deletes work;
//   - the counters of usage equal a recount.
//
// It returns what was found under each name.
func checkDisk(ctx context.Context, disk *crashfs.FS, want crashView) (found crashView, err error) {
	e, err := openDisk(ctx, disk)
	if err != nil {
		return nil, err
	}
	return checkEngine(ctx, e, want)
}

// checkBackup is checkDisk for an engine that was backed up to root.
func checkBackup(ctx context.Context, disk *crashfs.FS, root string, want crashView) error {
	e, err := openDiskIn(ctx, disk, root, local.Options{})
	if err != nil {
		return err
	}
	if err := e.ReleaseOrphans(ctx); err != nil {
		return errors.Join(err, e.closeAll(ctx))
	}
	_, err = checkEngine(ctx, e, want)
	return err
}

func checkEngine(ctx context.Context, e *diskEngine, want crashView) (crashView, error) {
	c := diskCheck{ctx: ctx, engine: e, want: want}
	found, err := c.run()
	return found, errors.Join(err, e.store.Close(ctx))
}

// A diskCheck is one engine to be looked at.
type diskCheck struct {
	ctx    context.Context
	engine *diskEngine
	want   crashView
}

func (c *diskCheck) run() (crashView, error) {
	found, err := c.readAll()
	if err == nil {
		err = c.reclaim(found)
	}
	if err == nil {
		err = c.use(found)
	}
	if err = errors.Join(err, c.engine.Close(c.ctx)); err == nil {
		err = c.recount(found)
	}
	return found, err
}

// readAll reads everything and compares it with what may be there.
func (c *diskCheck) readAll() (crashView, error) {
	found := make(crashView)
	for listed, err := range c.engine.ListContainers(c.ctx, engine.ListContainersOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("list containers: %w", err)
		}
		found[crashName{listed.Name, ""}] = []*crashValue{aContainer}
		if err := c.readContainer(listed.Name, found); err != nil {
			return nil, fmt.Errorf("container %q: %w", listed.Name, err)
		}
	}
	for name := range c.want {
		if v := found.acknowledged(name); !c.want.mayHold(name, v) {
			return nil, fmt.Errorf("%v has %v; it may have %v", name, v, c.want[name])
		}
	}
	for name := range found {
		if _, known := c.want[name]; !known {
			return nil, fmt.Errorf("nobody made %v", name)
		}
	}
	return found, nil
}

// readContainer reads what a container lists, and what it does not.
func (c *diskCheck) readContainer(name string, found crashView) error {
	var listed []string
	for entry, err := range c.engine.List(c.ctx, name, engine.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		n := crashName{name, entry.Name()}
		v, err := c.readArtifact(n, entry.Artifact)
		if err != nil {
			return fmt.Errorf("%v: %w", n, err)
		}
		listed = append(listed, n.key)
		found[n] = []*crashValue{v}
	}
	if !slices.IsSorted(listed) {
		return fmt.Errorf("keys are listed as %q", listed)
	}
	for _, key := range c.want.keys(name) {
		if slices.Contains(listed, key) {
			continue
		}
		if _, err := c.engine.Stat(c.ctx, name, key, engine.StatOptions{}); !errors.Is(err, container.ErrArtifactNotFound) {
			return fmt.Errorf("stat of %q, which is not listed: %w", key, err)
		}
		if _, err := c.engine.Get(c.ctx, name, key, engine.GetOptions{}); !errors.Is(err, container.ErrArtifactNotFound) {
			return fmt.Errorf("get of %q, which is not listed: %w", key, err)
		}
	}
	return nil
}

// readArtifact returns the value whose bytes the artifact has, all of them and
// no others.
func (c *diskCheck) readArtifact(name crashName, listed container.Artifact) (*crashValue, error) {
	r, err := c.engine.Get(c.ctx, name.container, name.key, engine.GetOptions{})
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	stat, err := c.engine.Stat(c.ctx, name.container, name.key, engine.StatOptions{})
	if err != nil {
		return nil, fmt.Errorf("stat: %w", err)
	}
	for _, a := range []container.Artifact{listed, r.Artifact()} {
		if a.Tag != stat.Tag || a.Size != stat.Size || a.Version != stat.Version {
			return nil, fmt.Errorf("listed as %+v, read as %+v, described as %+v", listed, r.Artifact(), stat)
		}
	}
	for _, v := range c.want[name] {
		if v == nil || v.tag() != stat.Tag {
			continue
		}
		if !bytes.Equal(v.body, got) || stat.Size != int64(len(got)) || stat.Metadata["id"] != v.tag() {
			return nil, fmt.Errorf("it is %v, described as %+v, and has %d bytes of others", v, stat, len(got))
		}
		return v, nil
	}
	return nil, fmt.Errorf("described as %+v, which was never put there; it may have %v", stat, c.want[name])
}

// reclaim frees everything that nothing refers to, and looks what is left.
func (c *diskCheck) reclaim(found crashView) error {
	// Twice: the engine's own pass may run, and hold something.
	for range 2 {
		report, err := c.engine.Reclaim(c.ctx)
		if err != nil {
			return fmt.Errorf("reclaim: %w", err)
		}
		if report.Foreign+report.Pinned > 0 {
			return fmt.Errorf("reclaim: %+v", report)
		}
	}
	blobs := 0
	for _, err := range c.engine.blobs.List(c.ctx, "") {
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		blobs++
	}
	artifacts := 0
	for name := range found {
		if name.key != "" {
			artifacts++
		}
	}
	if blobs != artifacts {
		return fmt.Errorf("there are %d blobs of %d artifacts after reclaim", blobs, artifacts)
	}
	return c.sameAs(found, "reclaim")
}

// sameAs reads everything again.
func (c *diskCheck) sameAs(found crashView, after string) error {
	again, err := c.readAll()
	if err != nil {
		return fmt.Errorf("after %s: %w", after, err)
	}
	for name := range found {
		if was, is := found.acknowledged(name), again.acknowledged(name); was != is {
			return fmt.Errorf("after %s: %v has %v, and had %v", after, name, is, was)
		}
	}
	if len(again) != len(found) {
		return fmt.Errorf("after %s: there are %d names, and were %d", after, len(again), len(found))
	}
	return nil
}

// use does a little of everything, and leaves what was there.
func (c *diskCheck) use(found crashView) error {
	const name, key, text = "in-use", "key", "text"
	if _, err := c.engine.CreateContainer(c.ctx, name, engine.CreateContainerOptions{}); err != nil {
		return fmt.Errorf("create a container: %w", err)
	}
	if _, err := c.engine.Put(c.ctx, name, key, strings.NewReader(text), engine.PutOptions{}); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	r, err := c.engine.Get(c.ctx, name, key, engine.GetOptions{})
	if err != nil {
		return fmt.Errorf("get what was put: %w", err)
	}
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err != nil || string(got) != text {
		return fmt.Errorf("get what was put: %q, %w", got, err)
	}
	if err := c.engine.Delete(c.ctx, name, key, engine.DeleteOptions{}); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := c.engine.DeleteContainer(c.ctx, name); err != nil {
		return fmt.Errorf("delete a container: %w", err)
	}
	return nil
}

// recount compares the counters of usage with what was found. The engine is
// closed, and another run of the catalog begins.
func (c *diskCheck) recount(found crashView) error {
	cat, err := catalog.Open(c.ctx, c.engine.store, time.Now)
	if err != nil {
		return fmt.Errorf("open the catalog again: %w", err)
	}
	id, err := tenant.Optional().Resolve(c.ctx)
	if err != nil {
		return err
	}
	scope := cat.Scope(id, tenant.Principal{})
	for _, name := range found.containers() {
		var want catalog.Usage
		for _, key := range found.keys(name) {
			want.Artifacts++
			want.Bytes += int64(len(found.acknowledged(crashName{name, key}).body))
		}
		got, err := scope.Usage(c.ctx, name)
		if err != nil {
			return fmt.Errorf("usage of %q: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("usage of %q is %+v, and counted %+v", name, got, want)
		}
	}
	return cat.End(c.ctx)
}
