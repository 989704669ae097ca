package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/vaultaire/vaultaire/container"
)

// maxOwnerLength is how long each name of an owner may be, which the trailers of
// all blobs in the container repeat.
const maxOwnerLength = 512

// CreateContainer adds a container that belongs to the scope's principal. One
// of the same name is an ErrExists, a principal of longer names an ErrInvalid.
func (s Scope) CreateContainer(ctx context.Context, name string) (container.Container, error) {
	row := containerRow{
		Created: s.catalog.clock().UTC(),
		Owner:   container.Owner{ID: s.principal.ID, DisplayName: s.principal.DisplayName},
	}
	if n := max(len(row.Owner.ID), len(row.Owner.DisplayName)); n > maxOwnerLength {
		return container.Container{}, fmt.Errorf("%w: principal has a name of %d bytes, at most %d are accepted",
			container.ErrInvalid, n, maxOwnerLength)
	}
	err := s.catalog.store.Update(ctx, func(ctx context.Context, t Txn) error {
		if err := s.catalog.checkIncarnation(ctx, t); err != nil {
			return err
		}
		_, ok, err := t.Get(ctx, s.containerKey(name))
		if err != nil {
			return err
		}
		if ok {
			return container.ErrExists
		}
		t.Set(s.containerKey(name), encodeRow(&row))
		return nil
	})
	if err != nil {
		return container.Container{}, err
	}
	return row.container(name), nil
}

// Container returns the container, or an ErrContainerNotFound or ErrDenied.
func (s Scope) Container(ctx context.Context, name string) (c container.Container, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		c, err = s.container(ctx, r, name)
		return err
	})
	return c, err
}

// container reads the row of a container that the principal may use.
func (s Scope) container(ctx context.Context, r Reader, name string) (container.Container, error) {
	var row containerRow
	err := getRow(ctx, r, s.containerKey(name), &row)
	switch {
	case errors.Is(err, errAbsent):
		return container.Container{}, container.ErrContainerNotFound
	case err != nil:
		return container.Container{}, err
	case !s.created.IsZero() && !s.created.Equal(row.Created):
		return container.Container{}, fmt.Errorf("%w: it was deleted, and is another one now", container.ErrContainerNotFound)
	case !s.principal.MayUse(row.Owner.ID):
		return container.Container{}, fmt.Errorf("%w: the container belongs to another principal", container.ErrDenied)
	}
	return row.container(name), nil
}

// DeleteContainer removes a container that holds nothing, else ErrNotEmpty.
func (s Scope) DeleteContainer(ctx context.Context, name string) error {
	return s.catalog.store.Update(ctx, func(ctx context.Context, t Txn) error {
		if err := s.catalog.checkIncarnation(ctx, t); err != nil {
			return err
		}
		if _, err := s.container(ctx, t, name); err != nil {
			return err
		}
		for _, rows := range [][]byte{s.heads(name), s.pasts(name)} {
			empty, err := isEmpty(ctx, t, rows)
			if err != nil {
				return err
			}
			if !empty {
				return container.ErrNotEmpty
			}
		}
		t.Delete(s.containerKey(name))
		for _, c := range counters {
			t.Delete(s.usageKey(name, c))
		}
		return nil
	})
}

func isEmpty(ctx context.Context, r Reader, prefix []byte) (bool, error) {
	it, err := r.Scan(ctx, prefix, prefixEnd(prefix))
	if err != nil {
		return false, err
	}
	found := it.Next()
	return !found, it.Close()
}

// Containers returns up to limit containers, in the order of their names, whose
// names begin with prefix and come after after. It leaves out those that the
// principal may not use.
func (s Scope) Containers(ctx context.Context, prefix, after string, limit int) (cs []container.Container, err error) {
	base := s.containers()
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		lower := append(base[:len(base):len(base)], max(prefix, after)...)
		upper := prefixEnd(append(base[:len(base):len(base)], prefix...))
		it, err := r.Scan(ctx, lower, upper)
		if err != nil {
			return err
		}
		defer it.Close()
		for len(cs) < limit && it.Next() {
			name := string(it.Key()[len(base):])
			if name == after {
				continue
			}
			var row containerRow
			if err := decodeRow(it.Value(), &row); err != nil {
				return err
			}
			if s.principal.MayUse(row.Owner.ID) {
				cs = append(cs, row.container(name))
			}
		}
		return it.Close()
	})
	return cs, err
}
