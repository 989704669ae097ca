package engine

import (
	"context"
	"fmt"
	"iter"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/event"
)

// pageSize is how many entries are read from the catalog at a time, and the
// most that a page holds.
const pageSize = 1000

// ListOptions select entries of a container. The zero value selects all.
type ListOptions struct {
	// Prefix selects the keys that begin with it.
	Prefix string
	// Delimiter groups keys that have it behind Prefix: all that are the same
	// up to and including the first such delimiter are one entry, a common
	// prefix. It may be longer than one character; "" groups nothing.
	Delimiter string
	// StartAfter selects the entries whose names, which are keys and common
	// prefixes, come after it.
	StartAfter string
	// Limit is the most entries of a page: 1 to 1000, and 0 for 1000. List
	// ignores it.
	Limit int
}

// A Page is a part of a listing.
type Page struct {
	Container container.Container
	Entries   []container.Entry // in the order of their names
	Next      string            // StartAfter of the next page; "" if there is none
}

// List yields a container's artifacts in the byte order of their keys. On
// failure it yields the zero Entry with the error, once, and stops.
//
// What is put or deleted while the listing runs may or may not be seen; what is
// there throughout is seen exactly once.
func (e *Engine) List(ctx context.Context, name string, opts ListOptions) iter.Seq2[container.Entry, error] {
	return func(yield func(container.Entry, error) bool) {
		op := e.begin(ctx, event.ListArtifacts, name, "")
		iterate(op, yield, func() (pager[container.Entry], error) {
			scope, err := op.admitNamed(ctx)
			opts := opts // each range over the iterator begins anew
			opts.Limit = pageSize
			return func() ([]container.Entry, bool, error) {
				page, err := listPage(ctx, scope, name, opts)
				opts.StartAfter = page.Next
				return page.Entries, page.Next != "", err
			}, err
		})
	}
}

// ListPage returns one page of a listing: what is selected by opts at one
// instant. The next page begins at another instant.
func (e *Engine) ListPage(ctx context.Context, name string, opts ListOptions) (p Page, err error) {
	op := e.begin(ctx, event.ListArtifacts, name, "")
	defer op.end(&err)
	scope, err := op.admitNamed(ctx)
	if err != nil {
		return p, err
	}
	switch {
	case opts.Limit == 0:
		opts.Limit = pageSize
	case opts.Limit < 0 || opts.Limit > pageSize:
		return p, fmt.Errorf("%w: page of %d entries, 1 to %d are accepted", container.ErrInvalid, opts.Limit, pageSize)
	}
	return listPage(ctx, scope, name, opts)
}

func listPage(ctx context.Context, scope catalog.Scope, name string, opts ListOptions) (Page, error) {
	// No name is longer than a key may be, so nothing behind that counts, and
	// what a client sends has no bound.
	opts.Prefix = opts.Prefix[:min(len(opts.Prefix), container.MaxKeyLength+1)]
	opts.StartAfter = opts.StartAfter[:min(len(opts.StartAfter), container.MaxKeyLength)]
	c, entries, more, err := scope.List(ctx, name, catalog.Query{
		Prefix:    opts.Prefix,
		Delimiter: opts.Delimiter,
		After:     opts.StartAfter,
		Limit:     opts.Limit,
	})
	if err != nil {
		return Page{}, err
	}
	p := Page{Container: c, Entries: entries}
	if more {
		p.Next = entries[len(entries)-1].Name()
	}
	return p, nil
}
