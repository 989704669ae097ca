package pebblestore

import (
	"slices"
	"sort"
)

// maxWindow bounds the memory, in bytes, that is spent on remembering what
// recent commits wrote. A transaction that outlives the window counts as in
// conflict, and runs again.
const maxWindow = 8 << 20

// keyOverhead is what remembering a key costs beside its bytes, about.
const keyOverhead = 96

// conflicts finds out whether a transaction has read what another one has
// written since. It is a plain data structure; its user locks.
//
// It remembers the write sets of the commits that a running transaction may
// conflict with, and no others.
type conflicts struct {
	seq     uint64            // of the last commit
	last    map[string]uint64 // the last commit in the window that wrote a key
	window  []commitKeys      // oldest first, without gaps
	size    int               // bytes, about
	limit   int               // for size
	floor   uint64            // every commit after it is in the window
	running []runningSince    // ascending
}

// commitKeys are the keys that one commit wrote, ascending.
type commitKeys struct {
	seq  uint64
	keys []string
}

// runningSince counts the running transactions that began after commit seq.
type runningSince struct {
	seq   uint64
	count int
}

// A keyRange is the keys k with lower <= k < upper.
type keyRange struct{ lower, upper string }

// A readSet is what a transaction has read.
type readSet struct {
	points map[string]struct{}
	ranges []keyRange
}

func (r *readSet) addPoint(key []byte) {
	if r.points == nil {
		r.points = make(map[string]struct{})
	}
	r.points[string(key)] = struct{}{}
}

func (r *readSet) addRange(lower, upper string) {
	if lower < upper {
		r.ranges = append(r.ranges, keyRange{lower, upper})
	}
}

func newConflicts(limit int) *conflicts {
	return &conflicts{last: make(map[string]uint64), limit: limit}
}

// begin registers a transaction that reads what is committed now. It returns
// the sequence number to pass to conflict and, once, to end.
func (c *conflicts) begin() uint64 {
	if n := len(c.running); n > 0 && c.running[n-1].seq == c.seq {
		c.running[n-1].count++
	} else {
		c.running = append(c.running, runningSince{c.seq, 1})
	}
	return c.seq
}

// end forgets a transaction, and with it what only it could conflict with.
func (c *conflicts) end(start uint64) {
	i := sort.Search(len(c.running), func(i int) bool { return c.running[i].seq >= start })
	c.running[i].count--
	if c.running[i].count == 0 {
		c.running = slices.Delete(c.running, i, i+1)
	}
	oldest := c.seq
	if len(c.running) > 0 {
		oldest = c.running[0].seq
	}
	for len(c.window) > 0 && c.window[0].seq <= oldest {
		c.forgetOldest()
	}
}

// conflict reports whether a commit after start wrote what reads has read.
func (c *conflicts) conflict(start uint64, reads *readSet) bool {
	if start == c.seq || len(reads.points) == 0 && len(reads.ranges) == 0 {
		return false
	}
	if start < c.floor {
		return true // the commits in between are forgotten
	}
	for key := range reads.points {
		if c.last[key] > start {
			return true
		}
	}
	if len(reads.ranges) == 0 {
		return false
	}
	after := sort.Search(len(c.window), func(i int) bool { return c.window[i].seq > start })
	for _, commit := range c.window[after:] {
		for _, r := range reads.ranges {
			if commit.wroteIn(r) {
				return true
			}
		}
	}
	return false
}

func (ck commitKeys) wroteIn(r keyRange) bool {
	i, _ := slices.BinarySearch(ck.keys, r.lower)
	return i < len(ck.keys) && ck.keys[i] < r.upper
}

// commit records a commit that wrote keys, which must be ascending.
func (c *conflicts) commit(keys []string) {
	c.seq++
	if len(c.running) == 0 {
		c.floor = c.seq
		return
	}
	c.window = append(c.window, commitKeys{c.seq, keys})
	for _, key := range keys {
		c.last[key] = c.seq
		c.size += len(key) + keyOverhead
	}
	for c.size > c.limit {
		c.forgetOldest()
	}
}

func (c *conflicts) forgetOldest() {
	oldest := c.window[0]
	c.window[0] = commitKeys{}
	c.window = c.window[1:]
	c.floor = oldest.seq
	for _, key := range oldest.keys {
		c.size -= len(key) + keyOverhead
		if c.last[key] == oldest.seq {
			delete(c.last, key)
		}
	}
}
