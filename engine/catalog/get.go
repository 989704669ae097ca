package catalog

import (
	"context"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// Stat returns the current version of a key, or an ErrContainerNotFound,
// ErrDenied or ErrArtifactNotFound.
func (s Scope) Stat(ctx context.Context, name, key string) (v Version, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		v, err = s.current(ctx, r, name, key)
		return err
	})
	return v, err
}

// Get is Stat with the content of the version.
func (s Scope) Get(ctx context.Context, name, key string) (v Version, c Content, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		if v, err = s.current(ctx, r, name, key); err != nil {
			return err
		}
		c = Content{}
		if err := getRow(ctx, r, s.contentKey(v.Content), &c); err != nil {
			return fmt.Errorf("content %v of a version: %w: %w", v.Content, container.ErrCorrupt, err)
		}
		return nil
	})
	return v, c, err
}

func (s Scope) current(ctx context.Context, r Reader, name, key string) (Version, error) {
	if _, err := s.container(ctx, r, name); err != nil {
		return Version{}, err
	}
	h, err := s.head(ctx, r, name, key)
	if err != nil {
		return Version{}, err
	}
	if !h.exists() {
		return Version{}, container.ErrArtifactNotFound
	}
	return h.Current, nil
}
