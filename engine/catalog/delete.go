package catalog

import (
	"context"

	"github.com/vaultaire/vaultaire/container"
)

// Delete removes the current version of a key and returns it. A key without
// one is an ErrArtifactNotFound.
func (s Scope) Delete(ctx context.Context, name, key string, cond container.Condition) (v Version, err error) {
	err = s.catalog.commit(ctx, func(ctx context.Context, t Txn) error {
		if err := s.catalog.checkIncarnation(ctx, t); err != nil {
			return err
		}
		if v, err = s.current(ctx, t, name, key); err != nil {
			return err
		}
		a := v.Artifact(name, key)
		if err := cond.CheckWrite(&a); err != nil {
			return err
		}
		t.Delete(s.headKey(name, key))
		return s.dropVersion(ctx, t, name, &v, s.catalog.epochs.current.Load())
	})
	return v, err
}
