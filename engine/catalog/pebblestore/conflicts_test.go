package pebblestore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func pointReads(keys ...string) *readSet {
	r := &readSet{}
	for _, key := range keys {
		r.addPoint([]byte(key))
	}
	return r
}

func rangeRead(lower, upper string) *readSet {
	r := &readSet{}
	r.addRange(lower, upper)
	return r
}

func TestAReadConflictsWithLaterWritesToIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reads *readSet
		want  bool
	}{
		"nothing":                    {&readSet{}, false},
		"the key":                    {pointReads("d"), true},
		"another key":                {pointReads("c", "e", "d\x00"), false},
		"the key among others":       {pointReads("a", "d"), true},
		"a range with it":            {rangeRead("c", "e"), true},
		"a range that begins at it":  {rangeRead("d", "d\x00"), true},
		"a range that ends at it":    {rangeRead("a", "d"), false},
		"a range that begins behind": {rangeRead("d\x00", "f"), false},
		"an empty range":             {rangeRead("e", "c"), false},
	} {
		cs := newConflicts(maxWindow)
		cs.commit([]string{"a", "c", "e"}) // before
		start := cs.begin()
		cs.commit([]string{"d", "f"})
		assert.Equal(t, c.want, cs.conflict(start, c.reads), name)
		assert.False(t, cs.conflict(cs.begin(), c.reads), "%s, of a transaction that began later", name)
	}
}

func TestWhatNobodyCanConflictWithIsForgotten(t *testing.T) {
	t.Parallel()
	c := newConflicts(maxWindow)
	old, newer := c.begin(), uint64(0)
	for i := range 100 {
		c.commit([]string{fmt.Sprint(i), "same"})
		if i == 49 {
			newer = c.begin()
		}
	}
	require.Len(t, c.window, 100)
	c.end(old)
	assert.Len(t, c.window, 50)
	assert.Len(t, c.last, 51)
	assert.True(t, c.conflict(newer, pointReads("same")))
	assert.False(t, c.conflict(newer, pointReads("3")))
	c.end(newer)
	assert.Empty(t, c.window)
	assert.Empty(t, c.last)
	assert.Empty(t, c.running)
	assert.Zero(t, c.size)
	c.commit([]string{"alone"})
	assert.Empty(t, c.window, "with nobody running")
}

func TestMemoryIsBoundedAndTheForgottenCountsAsConflict(t *testing.T) {
	t.Parallel()
	const limit = 10 * (1 + keyOverhead)
	c := newConflicts(limit)
	start := c.begin()
	for i := range 1000 {
		c.commit([]string{string(rune('a' + i%26))})
		assert.LessOrEqual(t, c.size, limit)
	}
	assert.LessOrEqual(t, len(c.window), 10)
	assert.True(t, c.conflict(start, pointReads("never written")))
	assert.False(t, c.conflict(start, &readSet{}), "a transaction that has read nothing")
	assert.False(t, c.conflict(c.begin(), pointReads("a")))
}

// TestConflictsAgreeWithAModel compares with a model that forgets nothing.
func TestConflictsAgreeWithAModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		key := func() string { return fmt.Sprintf("%02d", rng.IntN(40)) }
		c := newConflicts(maxWindow)
		var commits [][]string
		var running []uint64
		for range 500 {
			switch rng.IntN(4) {
			case 0:
				running = append(running, c.begin())
			case 1, 2:
				keys := []string{key(), key(), key()}
				slices.Sort(keys)
				keys = slices.Compact(keys)
				c.commit(keys)
				commits = append(commits, keys)
			case 3:
				if len(running) == 0 {
					continue
				}
				i := rng.IntN(len(running))
				start := running[i]
				running = slices.Delete(running, i, i+1)
				point, lower, upper := key(), key(), key()
				reads := rangeRead(lower, upper)
				reads.addPoint([]byte(point))
				want := slices.ContainsFunc(slices.Concat(commits[start:]...), func(k string) bool {
					return k == point || lower <= k && k < upper
				})
				require.Equal(t, want, c.conflict(start, reads), "seed %d", seed)
				c.end(start)
			}
		}
	}
}
