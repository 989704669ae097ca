package durability

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/tenant"
)

// A modelState is all that an engine holds, in maps: what the engine has to be
// equal to.
type modelState map[tenant.ID]map[string]*modelContainer

type modelContainer struct {
	container.Container
	artifacts map[string]*modelArtifact
}

type modelArtifact struct {
	container.Artifact
	body uint64 // of which pattern its bytes are
}

// bytes returns n bytes of the artifact from off.
func (a *modelArtifact) bytes(off, n int64) []byte {
	return pattern(a.body, int(a.Size))[off : off+n]
}

// find returns a container that the caller may use.
func (s modelState) find(who caller, name string) (*modelContainer, error) {
	if err := who.check(); err != nil {
		return nil, err
	}
	if container.ValidateName(name) != nil {
		return nil, container.ErrInvalid
	}
	c, ok := s[who.tenant][name]
	switch {
	case !ok:
		return nil, container.ErrContainerNotFound
	case !who.principal.MayUse(c.Owner.ID):
		return nil, container.ErrDenied
	}
	return c, nil
}

// artifact returns an artifact of a container that the caller may use.
func (s modelState) artifact(who caller, name, key string, cond container.Condition) (*modelArtifact, error) {
	c, err := s.find(who, name)
	if wrong := invalidCall(who, name, key, cond); wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	a, ok := c.artifacts[key]
	if !ok {
		return nil, container.ErrArtifactNotFound
	}
	return a, nil
}

// invalidCall returns what is wrong with the arguments of a call, whatever the
// engine holds.
func invalidCall(who caller, name, key string, cond container.Condition) error {
	if err := who.check(); err != nil {
		return err
	}
	if container.ValidateName(name) != nil || container.ValidateKey(key) != nil ||
		max(len(cond.IfMatch), len(cond.IfNoneMatch)) > container.MaxConditionTags {
		return container.ErrInvalid
	}
	return nil
}

// size returns how many artifacts there are, and counts those of a container.
func (s modelState) size() (n int) {
	for _, containers := range s {
		for _, c := range containers {
			n += len(c.artifacts)
		}
	}
	return n
}

func (c *modelContainer) bytes() (n int64) {
	for _, a := range c.artifacts {
		n += a.Size
	}
	return n
}

// has reports whether tags name the tag.
func has(tags []string, tag string) bool {
	return slices.Contains(tags, "*") || slices.Contains(tags, tag)
}

// checkRead is RFC 9110, section 13.2.2, for reads.
func (a *modelArtifact) checkRead(c container.Condition) error {
	modified := a.Modified.Unix()
	switch {
	case len(c.IfMatch) > 0 && !has(c.IfMatch, a.Tag):
		return container.ErrPrecondition
	case len(c.IfMatch) == 0 && !c.IfUnmodifiedSince.IsZero() && modified > c.IfUnmodifiedSince.Unix():
		return container.ErrPrecondition
	case len(c.IfNoneMatch) > 0 && has(c.IfNoneMatch, a.Tag):
		return container.ErrNotModified
	case len(c.IfNoneMatch) == 0 && !c.IfModifiedSince.IsZero() && modified <= c.IfModifiedSince.Unix():
		return container.ErrNotModified
	}
	return nil
}

// checkWrite is the same for writes; a is nil if there is no artifact.
func (a *modelArtifact) checkWrite(c container.Condition) error {
	if a == nil {
		if len(c.IfMatch) > 0 {
			return container.ErrArtifactNotFound
		}
		return nil
	}
	c.IfModifiedSince = time.Time{}
	if err := a.checkRead(c); err != nil {
		return container.ErrPrecondition
	}
	return nil
}

// list returns the page of a listing, and whether there are more: from the sorted
// names of everything, without any cleverness.
func (c *modelContainer) list(opts engine.ListOptions) (entries []container.Entry, more bool) {
	byName := map[string]container.Entry{}
	for key, a := range c.artifacts {
		rest, ok := strings.CutPrefix(key, opts.Prefix)
		if !ok {
			continue
		}
		entry := container.Entry{Artifact: a.Artifact}
		if before, _, ok := strings.Cut(rest, opts.Delimiter); ok && opts.Delimiter != "" {
			entry = container.Entry{Prefix: opts.Prefix + before + opts.Delimiter}
		}
		if entry.Name() > opts.StartAfter {
			byName[entry.Name()] = entry
		}
	}
	names := slices.Sorted(maps.Keys(byName))
	limit := cmp.Or(opts.Limit, 1000)
	for _, name := range names[:min(len(names), limit)] {
		entries = append(entries, byName[name])
	}
	return entries, len(names) > limit
}

// listContainers returns the containers that the caller sees.
func (s modelState) listContainers(who caller, opts engine.ListContainersOptions) (found []container.Container) {
	for _, name := range slices.Sorted(maps.Keys(s[who.tenant])) {
		c := s[who.tenant][name]
		if strings.HasPrefix(name, opts.Prefix) && name > opts.StartAfter && who.principal.MayUse(c.Owner.ID) {
			found = append(found, c.Container)
		}
	}
	return found
}
