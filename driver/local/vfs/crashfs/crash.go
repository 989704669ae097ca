package crashfs

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// A Keep says what of all that is not durable survives a power cut.
type Keep int

// Of what is not durable, a power cut leaves something that rng chooses, or
// nothing, or everything, as when only the process has died.
const (
	KeepSome Keep = iota
	KeepNone
	KeepAll
)

// Crash returns a state that a power cut at this moment may leave. It is a file
// system of its own, all of which is durable, without hook, limit and locks. f
// goes on as if nothing had happened. rng is used by KeepSome only.
func (f *FS) Crash(rng *rand.Rand, keep Keep) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &crasher{rng: rng, keep: keep, strict: f.strict, copies: make(map[*node]*node)}
	if keep == KeepSome {
		c.names, c.sizes, c.sectors = c.odds(), c.odds(), c.odds()
	}
	c.chooseNames(f.changes)
	after := New()
	after.strict = f.strict
	after.root = c.copyNode(f.root)
	for _, n := range c.copies {
		after.space.stored += n.now.size
	}
	return after
}

// A crasher makes one state after a power cut.
type crasher struct {
	rng    *rand.Rand
	keep   Keep
	strict bool
	// How probable it is that a change is kept: each kind of change has its own
	// odds in each state, so that there are states with much of the one and
	// little of the other.
	names, sizes, sectors float64
	kept                  map[*folder][]assignment // changes of names that are kept
	copies                map[*node]*node
}

// odds returns a probability that is often low, often even and often high.
func (c *crasher) odds() float64 {
	return [...]float64{0.02, 0.2, 0.5, 0.8, 0.98}[c.rng.IntN(5)]
}

func (c *crasher) isKept(odds float64) bool {
	return c.keep == KeepAll || c.keep == KeepSome && c.rng.Float64() < odds
}

func (c *crasher) chooseNames(changes []nameChange) {
	if c.keep == KeepNone {
		return
	}
	c.kept = make(map[*folder][]assignment)
	for _, change := range changes {
		if !c.isKept(c.names) {
			continue
		}
		for i, a := range change.assigned {
			if i > 0 && c.strict && !c.isKept(c.names) {
				continue
			}
			c.kept[a.folder] = append(c.kept[a.folder], a)
		}
	}
}

// copyNode returns the one copy of a node.
func (c *crasher) copyNode(n *node) *node {
	if known := c.copies[n]; known != nil {
		return known
	}
	var after *node
	if n.folder == nil {
		left := c.crashFile(&n.file)
		after = &node{file: file{durable: left.share(), now: left}}
	} else {
		after = newFolder()
	}
	after.modified = time.Now()
	c.copies[n] = after
	if n.folder != nil {
		c.copyNames(n.folder, after.folder)
	}
	return after
}

func (c *crasher) copyNames(from, to *folder) {
	names := maps.Clone(from.durable)
	for _, a := range c.kept[from] {
		if a.is == nil {
			delete(names, a.name)
		} else {
			names[a.name] = a.is
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) { // in order, as rng is to be asked
		after := c.copyNode(names[name])
		after.links++
		to.now[name], to.durable[name] = after, after
	}
}

// crashFile returns what is left of a file.
func (c *crasher) crashFile(f *file) content {
	switch {
	case c.keep == KeepAll:
		return f.now.share()
	case c.keep == KeepNone || len(f.changes) == 0:
		return f.durable.share()
	}
	left, size := f.durable.share(), f.durable.size
	sizes := true // sizes are kept up to one of them, since the last counts
	for i := range f.changes {
		change := &f.changes[i]
		for at, sector := range change.eachSector() {
			if c.isKept(c.sectors) {
				left.putSectors(at, sector)
			}
		}
		if sizes = sizes && (!change.resized || c.isKept(c.sizes)); sizes && change.resized {
			size = change.size
			left.resize(min(size, left.size)) // what is cut off stays so if the file grows again
		}
	}
	left.resize(size)
	return left
}
