package crashfs

import "slices"

// A file is what a name of a file leads to.
type file struct {
	now     content  // what is read
	durable content  // what the last sync left
	changes []change // since then, in their order
}

// A change is a write or a new size.
type change struct {
	// Of a write: the sectors that it touched, as it left them.
	start   int64
	sectors []byte
	// Whether it changed the size, and to what.
	resized bool
	size    int64
	// A sync that was to make it durable has failed.
	doubtful bool
}

func (f *file) writeAt(b []byte, off int64) {
	if len(b) == 0 {
		return
	}
	before := f.now.size
	f.now.writeAt(b, off)
	c := change{resized: f.now.size != before, size: f.now.size}
	c.start, c.sectors = f.now.sectors(off, int64(len(b)))
	f.changes = append(f.changes, c)
}

func (f *file) truncate(size int64) {
	f.now.resize(size)
	f.changes = append(f.changes, change{resized: true, size: size})
}

// sync makes everything durable, but for what an earlier sync was to and failed.
func (f *file) sync() {
	if !slices.ContainsFunc(f.changes, func(c change) bool { return c.doubtful }) {
		if len(f.changes) > 0 {
			f.durable, f.changes = f.now.share(), nil
		}
		return
	}
	rewritten := make(map[int64]bool) // sectors that are durable with the writes that came later
	for _, c := range f.changes {
		if !c.doubtful {
			for at := range c.eachSector() {
				rewritten[at] = true
			}
			f.durable.putSectors(c.start, c.sectors)
		}
		if c.resized { // a journal that goes on has it, whatever became of the bytes
			f.durable.resize(c.size)
		}
	}
	f.durable.resize(f.now.size)
	f.changes = f.stillDoubtful(rewritten)
}

// stillDoubtful returns the doubtful changes of sectors that are not rewritten.
func (f *file) stillDoubtful(rewritten map[int64]bool) (left []change) {
	for _, c := range f.changes {
		if !c.doubtful {
			continue
		}
		for at, sector := range c.eachSector() {
			if rewritten[at] || at >= f.now.size {
				continue
			}
			left = append(left, change{start: at, sectors: sector, doubtful: true})
		}
	}
	return left
}

// failSync makes doubtful what a sync was to make durable.
func (f *file) failSync() {
	for i := range f.changes {
		f.changes[i].doubtful = true
	}
}

// eachSector yields the sectors of a write, by their places in the file.
func (c *change) eachSector() func(yield func(int64, []byte) bool) {
	return func(yield func(int64, []byte) bool) {
		for i := 0; i < len(c.sectors); i += sectorSize {
			if !yield(c.start+int64(i), c.sectors[i:i+sectorSize]) {
				return
			}
		}
	}
}

// putSectors is writeAt with zeros behind the end that do not count for the
// size; resize cuts them off.
func (c *content) putSectors(start int64, b []byte) {
	if len(b) > 0 {
		c.writeAt(b, start)
	}
}
