package catalog

import (
	"context"
)

// A counter is a kind of usage that is counted for each container.
type counter byte

const (
	countArtifacts counter = 'a' // versions that are not delete markers
	countBytes     counter = 'b' // their sizes, as users see them
)

var counters = []counter{countArtifacts, countBytes}

// addUsage counts one more version, or one less if sign is -1.
func (s Scope) addUsage(t Txn, name string, v *Version, sign int64) {
	if v.Marker {
		return
	}
	t.Add(s.usageKey(name, countArtifacts), sign)
	t.Add(s.usageKey(name, countBytes), sign*v.Size)
}

// A Usage is what a container holds.
type Usage struct {
	Artifacts int64 // every version counts
	Bytes     int64 // the sum of their sizes
}

// Usage returns what the container holds, as the counters have it.
func (s Scope) Usage(ctx context.Context, name string) (u Usage, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		if _, err := s.container(ctx, r, name); err != nil {
			return err
		}
		if u.Artifacts, err = r.GetCounter(ctx, s.usageKey(name, countArtifacts)); err != nil {
			return err
		}
		u.Bytes, err = r.GetCounter(ctx, s.usageKey(name, countBytes))
		return err
	})
	return u, err
}
