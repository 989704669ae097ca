package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// BackupDirs say where a Backup goes. None of them may exist.
type BackupDirs struct {
	Catalog string
	Drivers map[string]string // by the name of the driver; of all drivers
}

// Backup copies the engine while it is in use. The copy has everything that was
// acknowledged before the call, and of what happens meanwhile some; nothing in it
// is half. When Backup returns nil, the copy is durable. An engine that is opened
// over the copy deletes no orphans until [Engine.ReleaseOrphans] is called: blobs
// that were stored after the catalog was copied may be among them.
//
// Artifacts are read and written meanwhile; what is deleted keeps its space until
// Backup has returned. It returns an error that matches errors.ErrUnsupported if
// the store is no [catalog.Checkpointer] or a driver no [driver.Snapshotter]. After
// an error what is in the directories is to be thrown away.
//
// It concerns all tenants, so its event names none.
func (e *Engine) Backup(ctx context.Context, to BackupDirs) (err error) {
	op := e.begin(ctx, event.Backup, "", "")
	defer op.end(&err)
	if op.refused != nil {
		return op.refused
	}
	store, drivers, err := e.copyable(to)
	if err != nil {
		return err
	}
	// A pass in the background that is at it already takes its time no longer.
	e.reclaimer.hurried.Add(1)
	defer e.reclaimer.hurried.Add(-1)
	return e.reclaimer.pause(ctx, func() error {
		// Names first: the bytes of all that they name are there by now, and stay.
		if err := store.Checkpoint(ctx, to.Catalog, catalog.Hold); err != nil {
			return err
		}
		for name, d := range drivers {
			op.event.Driver = name
			if err := d.Snapshot(ctx, to.Drivers[name]); err != nil {
				return op.driverError(ctx, err)
			}
		}
		op.event.Driver = ""
		return nil
	})
}

// copyable returns the engine's parts if all of them can be copied to where to
// says.
func (e *Engine) copyable(to BackupDirs) (catalog.Checkpointer, map[string]driver.Snapshotter, error) {
	if to.Catalog == "" || len(to.Drivers) != len(e.drivers) {
		return nil, nil, fmt.Errorf("%w: Backup needs a directory for the catalog and for each of %d drivers", container.ErrInvalid, len(e.drivers))
	}
	store, ok := e.store.(catalog.Checkpointer)
	if !ok {
		return nil, nil, fmt.Errorf("%w: the catalog's store cannot be copied while it is in use", errors.ErrUnsupported)
	}
	drivers := make(map[string]driver.Snapshotter, len(e.drivers))
	for name, d := range e.drivers {
		if to.Drivers[name] == "" {
			return nil, nil, fmt.Errorf("%w: Backup has no directory for driver %q", container.ErrInvalid, name)
		}
		if drivers[name], ok = d.(driver.Snapshotter); !ok {
			return nil, nil, fmt.Errorf("%w: driver %q cannot be copied while it is in use", errors.ErrUnsupported, name)
		}
	}
	return store, drivers, nil
}
