package engine

import (
	"context"
	"iter"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
)

// CreateContainerOptions are reserved for what a container may be created with.
type CreateContainerOptions struct{}

// CreateContainer makes an empty container, which belongs to the principal in
// ctx. It returns ErrExists if the tenant has one of that name, whoever owns it.
func (e *Engine) CreateContainer(ctx context.Context, name string, _ CreateContainerOptions) (c container.Container, err error) {
	op := e.begin(ctx, event.CreateContainer, name, "")
	defer op.end(&err)
	scope, err := op.admitNamed(ctx)
	if err != nil {
		return c, err
	}
	return scope.CreateContainer(ctx, name)
}

// StatContainer describes a container. It returns ErrContainerNotFound if the
// tenant has none of that name.
func (e *Engine) StatContainer(ctx context.Context, name string) (c container.Container, err error) {
	op := e.begin(ctx, event.StatContainer, name, "")
	defer op.end(&err)
	scope, err := op.admitNamed(ctx)
	if err != nil {
		return c, err
	}
	return scope.Container(ctx, name)
}

// DeleteContainer removes a container. It returns ErrNotEmpty if there is
// anything in it, and ErrContainerNotFound.
func (e *Engine) DeleteContainer(ctx context.Context, name string) (err error) {
	op := e.begin(ctx, event.DeleteContainer, name, "")
	defer op.end(&err)
	scope, err := op.admitNamed(ctx)
	if err != nil {
		return err
	}
	return scope.DeleteContainer(ctx, name)
}

// ListContainersOptions select containers. The zero value selects all.
type ListContainersOptions struct {
	Prefix     string // names begin with it
	StartAfter string // names come after it
}

// ListContainers yields the tenant's containers in the order of their names,
// without those that the principal in ctx may not use. On failure it yields the
// zero Container with the error, once, and stops.
func (e *Engine) ListContainers(ctx context.Context, opts ListContainersOptions) iter.Seq2[container.Container, error] {
	return func(yield func(container.Container, error) bool) {
		op := e.begin(ctx, event.ListContainers, "", "")
		iterate(op, yield, func() (pager[container.Container], error) {
			scope, err := op.admit(ctx)
			// No name is longer; what a client sends has no bound.
			prefix := opts.Prefix[:min(len(opts.Prefix), container.MaxNameLength+1)]
			after := opts.StartAfter[:min(len(opts.StartAfter), container.MaxNameLength)]
			return func() ([]container.Container, bool, error) {
				page, err := scope.Containers(ctx, prefix, after, pageSize)
				if len(page) < pageSize {
					return page, false, err
				}
				after = page[len(page)-1].Name
				return page, true, nil
			}, err
		})
	}
}
