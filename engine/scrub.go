package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/tenant"
)

// ScrubOptions qualify a Scrub. The zero value looks at everything.
type ScrubOptions struct {
	// Resume is the Next of a Scrub that did not get to its end. This one goes on
	// there.
	Resume string
}

// A ScrubReport is what a Scrub found.
type ScrubReport struct {
	Artifacts int64 // versions that were looked at
	Bytes     int64 // that were read
	Damaged   int64 // copies of versions that are damaged or gone
	Unread    int64 // copies that a driver failed to read; nobody knows what they are
	// Damage names the first 1000 of those that Damaged counts.
	Damage []Damage
	// Next is where another Scrub goes on, if this one failed; else "".
	Next string
}

// A Damage is a copy of an artifact's bytes that is not what was put.
type Damage struct {
	Tenant    tenant.ID
	Container string
	Artifact  string
	Version   container.Version
	Driver    string // "" if the catalog itself is what is damaged
	Err       error  // an ErrCorrupt
}

const (
	maxDamage      = 1000 // copies that a report names
	maxScrubErrors = 100  // failures of drivers after which a scrub gives up
	scrubPage      = 200  // versions that are looked up together
)

// Scrub reads every copy of every version of every artifact of all tenants, and
// verifies that the bytes, and the trailers from which a lost catalog can be made
// anew, are those that were put. Each copy that is damaged is an event of its own
// and is named in the report; that there are some is no error of Scrub. An error
// means that not everything could be looked at: the context's, or what drivers
// fail with. What is put or deleted while it runs may or may not be seen.
//
// It reads at the rate of work in the background (WithBackgroundRate), so it may
// take days, until ctx ends. It concerns all tenants, so its event names none.
func (e *Engine) Scrub(ctx context.Context, opts ScrubOptions) (report ScrubReport, err error) {
	op := e.begin(ctx, event.Scrub, "", "")
	defer op.end(&err)
	if op.refused != nil {
		return report, op.refused
	}
	s := scrub{engine: e, report: ScrubReport{Next: opts.Resume}}
	err = s.run(ctx)
	return s.report, err
}

// A scrub is a Scrub that runs.
type scrub struct {
	engine *Engine
	report ScrubReport
	failed []error // of drivers
}

func (s *scrub) run(ctx context.Context) error {
	for {
		page, next, err := s.engine.catalog.Versions(ctx, catalog.Cursor(s.report.Next), scrubPage)
		if err != nil {
			return err
		}
		for _, n := range page {
			if err := s.version(ctx, n); err != nil {
				return errors.Join(append(s.failed, err)...)
			}
		}
		if s.report.Next = string(next); next == "" {
			return errors.Join(s.failed...)
		}
	}
}

// version looks at all copies of a version. It returns an error if the scrub is
// to end.
func (s *scrub) version(ctx context.Context, n catalog.Named) error {
	if err := n.Err; err != nil {
		s.damage(ctx, n, "", err)
		return nil
	}
	content, pin, err := s.pin(ctx, n)
	switch {
	case errors.Is(err, container.ErrCorrupt):
		s.damage(ctx, n, "", err)
		return nil
	case err != nil:
		return err
	case pin == nil: // replaced or deleted meanwhile
		return nil
	}
	defer s.engine.unpin(pin)
	s.report.Artifacts++
	if len(content.Replicas) == 0 {
		s.damage(ctx, n, "", errBytesGone)
	}
	for _, replica := range content.Replicas {
		if err := s.copy(ctx, n, replica); err != nil {
			return err
		}
	}
	return nil
}

// pin looks up the content of a version and pins it. Without a pin there is no
// such version any more.
func (s *scrub) pin(ctx context.Context, n catalog.Named) (catalog.Content, *pin, error) {
	lookup := s.engine.readers.lookup()
	defer lookup.Leave()
	content, ok, err := s.engine.catalog.StillNamed(ctx, n)
	if err != nil || !ok {
		return content, nil, err
	}
	return content, s.engine.readers.pin(n.Version.Content), nil
}

// copy verifies one copy of a version's bytes.
func (s *scrub) copy(ctx context.Context, n catalog.Named, replica catalog.Replica) error {
	d, ok := s.engine.drivers[replica.Driver]
	if !ok {
		s.damage(ctx, n, replica.Driver, fmt.Errorf("%w: engine has no driver %q, which holds them", container.ErrCorrupt, replica.Driver))
		return nil
	}
	err := guard(func() error { return s.read(ctx, n, d, replica.Ref) })
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, container.ErrNotFound):
		s.damage(ctx, n, replica.Driver, fmt.Errorf("%w: %w", errBytesGone, err))
	case errors.Is(err, container.ErrCorrupt):
		s.damage(ctx, n, replica.Driver, err)
	default:
		s.report.Unread++
		s.failed = append(s.failed, &container.Error{
			Op: string(event.Scrub), Container: n.Container, Artifact: n.Key, Driver: replica.Driver, Err: driverFailure{err: err},
		})
		if len(s.failed) == maxScrubErrors {
			return fmt.Errorf("gave up after %d failures of drivers", maxScrubErrors)
		}
	}
	return nil
}

// read reads a blob to its end and compares it with what the catalog says.
func (s *scrub) read(ctx context.Context, n catalog.Named, d driver.Driver, ref driver.Ref) error {
	tail, err := catalog.VerifyBlob(ctx, d, ref, paced{ctx, s})
	if err != nil {
		return err
	}
	s.report.Bytes += tail.Size - tail.Data
	if err := s.pace(ctx, max(tail.Size, sweepCost)-tail.Data); err != nil {
		return err
	}
	return blobIsOf(tail, n.Version)
}

// paced takes what a scrub reads, no faster than the background may.
type paced struct {
	ctx   context.Context
	scrub *scrub
}

func (p paced) Write(b []byte) (int, error) {
	p.scrub.report.Bytes += int64(len(b))
	return len(b), p.scrub.pace(p.ctx, int64(len(b)))
}

func (s *scrub) pace(ctx context.Context, n int64) error {
	return s.engine.pace.wait(ctx, n, func() bool { return false })
}

// damage names a copy in the report and records its event.
func (s *scrub) damage(ctx context.Context, n catalog.Named, name string, err error) {
	op := s.engine.beginUngated(ctx, event.DamagedArtifact, n.Container, n.Key)
	op.event.Tenant, op.event.Driver, op.blamed = n.Tenant, name, name
	if n.Err == nil {
		op.event.Version = n.Version.Artifact(n.Container, n.Key).Version
	}
	err = op.finish(driverFailure{err: err, means: container.ErrCorrupt})
	s.report.Damaged++
	if len(s.report.Damage) < maxDamage {
		s.report.Damage = append(s.report.Damage, Damage{
			Tenant: n.Tenant, Container: n.Container, Artifact: n.Key, Version: op.event.Version, Driver: name, Err: err,
		})
	}
}
