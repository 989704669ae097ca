package catalog

import (
	"context"
	"slices"
	"strings"

	"github.com/vaultaire/vaultaire/container"
)

// A Query selects entries of a container.
type Query struct {
	Prefix    string // of keys
	Delimiter string // keys with it behind Prefix are grouped; "" groups none
	After     string // entries are listed whose names come after it
	Limit     int    // entries at most; above 0
}

// List returns the entries that q selects in the order of their names, and
// whether there are more. It reads only what it returns: the keys under a
// common prefix are skipped, not walked.
func (s Scope) List(ctx context.Context, name string, q Query) (c container.Container, entries []container.Entry, more bool, err error) {
	err = s.catalog.store.View(ctx, func(ctx context.Context, r Reader) error {
		if c, err = s.container(ctx, r, name); err != nil {
			return err
		}
		l := lister{name: name, query: q, base: s.heads(name)}
		entries, more, err = l.list(ctx, r)
		return err
	})
	return c, entries, more, err
}

// A lister turns the heads of a container into entries.
type lister struct {
	name  string
	query Query
	base  []byte // what the keys of all heads begin with
	head  head   // the one under the iterator
}

func (l *lister) list(ctx context.Context, r Reader) (entries []container.Entry, more bool, err error) {
	it, err := r.Scan(ctx, l.start(), prefixEnd(l.key(l.query.Prefix)))
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	for ok := it.Next(); ok; {
		entry, found, err := l.entry(it)
		if err != nil {
			return nil, false, err
		}
		if found && len(entries) == l.query.Limit {
			return entries, true, it.Close()
		}
		if found {
			entries = append(l.grow(entries), entry)
		}
		if entry.IsPrefix() {
			ok = it.SeekGE(prefixEnd(l.key(entry.Prefix)))
		} else {
			ok = it.Next()
		}
	}
	return entries, false, it.Close()
}

// grow makes room for all entries at once when it turns out that there are
// many, because entries are large.
func (l *lister) grow(entries []container.Entry) []container.Entry {
	const many = 32
	if len(entries) < cap(entries) || len(entries) < many {
		return entries
	}
	return slices.Grow(entries, l.query.Limit-len(entries))
}

// start returns the first key of a head that may belong to an entry with a
// name after query.After.
func (l *lister) start() []byte {
	after := l.query.After
	if after < l.query.Prefix {
		return l.key(l.query.Prefix)
	}
	if group, ok := l.commonPrefix(after); ok {
		// The group's name is not after After, so none of its keys counts.
		return prefixEnd(l.key(group))
	}
	return l.key(after + "\x00")
}

// entry returns the entry that the head under the iterator belongs to, and
// false if it belongs to none.
func (l *lister) entry(it Iterator) (container.Entry, bool, error) {
	l.head = head{}
	if err := decodeRow(it.Value(), &l.head); err != nil {
		return container.Entry{}, false, err
	}
	if !l.head.exists() {
		return container.Entry{}, false, nil
	}
	key := string(it.Key()[len(l.base):])
	if group, ok := l.commonPrefix(key); ok {
		return container.Entry{Prefix: group}, true, nil
	}
	return container.Entry{Artifact: l.head.Current.artifact(l.name, key)}, true, nil
}

// commonPrefix returns the group that key belongs to: what stands before the
// first delimiter behind the prefix, with both. false: it belongs to none.
func (l *lister) commonPrefix(key string) (string, bool) {
	if l.query.Delimiter == "" || !strings.HasPrefix(key, l.query.Prefix) {
		return "", false
	}
	i := strings.Index(key[len(l.query.Prefix):], l.query.Delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.query.Prefix)+i+len(l.query.Delimiter)], true
}

func (l *lister) key(key string) []byte {
	return append(l.base[:len(l.base):len(l.base)], key...)
}
