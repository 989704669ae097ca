package driver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/vaultaire/vaultaire/container"
)

// An OpenFunc opens a driver as config describes it. A driver that is made of
// other drivers opens them through the registry that it is given. A key of
// config that the driver does not know, or a value of the wrong type, is an
// ErrInvalid that names the key and what is accepted; one call of [Decode],
// with a pointer for each key, does so.
//
// ctx governs the opening, not the driver's life.
type OpenFunc func(ctx context.Context, r *Registry, config map[string]any) (Driver, error)

// A Registry knows how to open drivers of several kinds by name. Its zero
// value knows none. It may be used concurrently. There is no global registry:
// package standard makes one with every driver of this module.
type Registry struct {
	mu    sync.RWMutex
	kinds map[string]OpenFunc
}

// Register makes kind known. Registering a kind twice is an ErrExists.
func (r *Registry) Register(kind string, open OpenFunc) error {
	if kind == "" || open == nil {
		return fmt.Errorf("driver: %w: a kind needs a name and an OpenFunc", container.ErrInvalid)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.kinds[kind]; ok {
		return fmt.Errorf("driver: kind %q %w", kind, container.ErrExists)
	}
	if r.kinds == nil {
		r.kinds = make(map[string]OpenFunc)
	}
	r.kinds[kind] = open
	return nil
}

// Kinds returns the names of all kinds, sorted.
func (r *Registry) Kinds() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.kinds))
}

// Open opens a driver of the given kind. An unknown kind is an ErrInvalid that
// says which are known.
func (r *Registry) Open(ctx context.Context, kind string, config map[string]any) (Driver, error) {
	r.mu.RLock()
	open, ok := r.kinds[kind]
	r.mu.RUnlock()
	if !ok {
		return nil, fmt.Errorf("driver: %w: unknown kind %q; known are: %s",
			container.ErrInvalid, kind, strings.Join(r.Kinds(), ", "))
	}
	d, err := open(ctx, r, config)
	if err != nil {
		return nil, fmt.Errorf("driver: open %q: %w", kind, err)
	}
	return d, nil
}
