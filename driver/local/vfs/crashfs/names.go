package crashfs

import "slices"

// A place is a name in a folder.
type place struct {
	folder *folder
	name   string
}

// node returns what is there, or nil.
func (p place) node() *node { return p.folder.now[p.name] }

func (p place) becomes(n *node) assignment { return assignment{p, n} }

// An assignment puts a node at a place; nil stands for none.
type assignment struct {
	place
	is *node
}

// A nameChange is one operation on names: what it puts in a place and, if it
// is a rename, behind that what it takes from another.
type nameChange struct {
	assigned []assignment
	doubtful bool // a sync that was to make it durable has failed
}

func (c nameChange) touches(dir *folder) bool {
	return slices.ContainsFunc(c.assigned, func(a assignment) bool { return a.folder == dir })
}

func (c nameChange) shares(other nameChange) bool {
	return slices.ContainsFunc(c.assigned, func(a assignment) bool {
		return slices.ContainsFunc(other.assigned, func(b assignment) bool { return a.place == b.place })
	})
}

// change applies assignments as one operation that is not durable.
func (f *FS) change(assigned ...assignment) {
	for _, a := range assigned {
		// In this order: a rename takes no file's last name in between.
		if a.is != nil {
			a.is.links++
		}
		if old := a.node(); old != nil {
			old.links--
			f.space.release(old)
		}
		if a.is == nil {
			delete(a.folder.now, a.name)
		} else {
			a.folder.now[a.name] = a.is
		}
	}
	f.changes = append(f.changes, nameChange{assigned: assigned})
}

// syncNames makes durable what was changed in dir, and what was changed before
// that at the same places.
func (f *FS) syncNames(dir *folder) {
	chosen := make([]bool, len(f.changes))
	for i := len(f.changes) - 1; i >= 0; i-- {
		c := f.changes[i]
		chosen[i] = chosen[i] || c.touches(dir) && !c.doubtful
		for j := range i {
			chosen[j] = chosen[j] || chosen[i] && c.shares(f.changes[j])
		}
	}
	var left []nameChange
	for i, c := range f.changes {
		if !chosen[i] {
			left = append(left, c)
			continue
		}
		if rest, ok := f.commit(c, dir); ok {
			left = append(left, rest)
		}
	}
	f.changes = left
}

// commit makes c durable because dir is synced, and returns what of it is not.
func (f *FS) commit(c nameChange, dir *folder) (rest nameChange, ok bool) {
	target := c.assigned[0]
	target.durable()
	for _, source := range c.assigned[1:] {
		if f.strict && target.folder == dir && source.folder != dir {
			return nameChange{assigned: c.assigned[1:], doubtful: c.doubtful}, true
		}
		source.durable()
	}
	return nameChange{}, false
}

// durable makes the assignment durable.
func (a assignment) durable() {
	if a.is == nil {
		delete(a.folder.durable, a.name)
	} else {
		a.folder.durable[a.name] = a.is
	}
}

// failSyncNames makes doubtful what a sync of a folder was to make durable.
func (f *FS) failSyncNames(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.findFolder(name)
	if err != nil {
		return
	}
	for i := range f.changes {
		if f.changes[i].touches(n.folder) {
			f.changes[i].doubtful = true
		}
	}
}
