package catalogtest

import (
	"context"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func iteratorCases() []testCase {
	return []testCase{
		{name: "A scan shows lower and all above it below upper", run: onStore(scanBounds)},
		{name: "Keys are ordered as bytes", run: onStore(byteOrder)},
		{name: "An iterator starts before the first key and stays at the end", run: onStore(iteratorEnds)},
		{name: "SeekGE moves to the first key at or after, in any direction", run: onStore(seekMoves)},
		{name: "SeekGE does not leave the bounds", run: onStore(seekKeepsBounds)},
		{name: "SeekGE to the empty key moves to the first", run: onStore(seekToEmpty)},
		{name: "Many iterators may be open at once", run: onStore(manyIterators)},
		{name: "A scan of thousands of keys shows each once", run: onStore(longScan)},
	}
}

func scanBounds(t tester, s catalog.Store) {
	set(t, s, "a", "b", "bb", "c", "d")
	for _, c := range []struct {
		lower, upper string
		want         []string
	}{
		{"a", "e", []string{"a", "b", "bb", "c", "d"}},
		{"", "\xff", []string{"a", "b", "bb", "c", "d"}},
		{"b", "c", []string{"b", "bb"}},
		{"b", "c\x00", []string{"b", "bb", "c"}},
		{"b\x00", "c", []string{"bb"}},
		{"aa", "b", []string{}},
		{"b", "b", []string{}},
		{"c", "b", []string{}},
		{"b", "", []string{}},
		{"", "", []string{}},
		{"e", "z", []string{}},
	} {
		assert.Equal(t, c.want, scanned(t, s, c.lower, c.upper), "from %q to %q", c.lower, c.upper)
	}
}

func byteOrder(t tester, s catalog.Store) {
	keys := []string{
		"\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "A", "a", "a\x00", "a\x00b", "a/", "ab",
		"a\xff", "a\xff\xff", "b", "\x7f", "\x80", "é", "\xff", "\xff\x00", "\xff\xff",
	}
	set(t, s, keys...)
	slices.Sort(keys)
	assert.Equal(t, keys, scanned(t, s, "", "\xff\xff\xff"))
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		for i, key := range keys {
			if i%2 == 0 {
				x.Set([]byte(key), []byte("own"))
			}
		}
		got, err := scan(ctx, x, "", "\xff\xff\xff")
		assert.Equal(t, keys, got)
		return err
	})
}

// onIterator runs fn on an iterator of a View and on one of an Update, over the
// range from "b" to "m" of the keys a, c, e, ..., o.
func onIterator(t tester, s catalog.Store, fn func(it catalog.Iterator)) {
	set(t, s, "a", "c", "e", "g", "i", "k", "m", "o")
	check := func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte("b"), []byte("m"))
		require.NoError(t, err)
		fn(it)
		return it.Close()
	}
	view(t, s, check)
	update(t, s, func(ctx context.Context, x catalog.Txn) error { return check(ctx, x) })
}

func iteratorEnds(t tester, s catalog.Store) {
	onIterator(t, s, func(it catalog.Iterator) {
		for _, want := range []string{"c", "e", "g", "i", "k"} {
			require.True(t, it.Next())
			assert.Equal(t, want, string(it.Key()))
			assert.Equal(t, want, string(it.Value()))
		}
		assert.False(t, it.Next())
		assert.False(t, it.Next())
	})
}

func seekMoves(t tester, s catalog.Store) {
	onIterator(t, s, func(it catalog.Iterator) {
		for _, c := range []struct{ to, want, next string }{
			{"e", "e", "g"}, {"f", "g", "i"}, {"c", "c", "e"}, {"j", "k", ""}, {"d", "e", "g"}, {"k", "k", ""},
		} {
			require.True(t, it.SeekGE([]byte(c.to)), "seek to %q", c.to)
			assert.Equal(t, c.want, string(it.Key()), "seek to %q", c.to)
			if c.next == "" {
				assert.False(t, it.Next(), "after seek to %q", c.to)
				continue
			}
			require.True(t, it.Next(), "after seek to %q", c.to)
			assert.Equal(t, c.next, string(it.Key()), "after seek to %q", c.to)
		}
		require.True(t, it.SeekGE([]byte("c")))
		require.True(t, it.SeekGE(it.Key()), "to where it stands")
		assert.Equal(t, "c", string(it.Key()))
	})
}

func seekKeepsBounds(t tester, s catalog.Store) {
	onIterator(t, s, func(it catalog.Iterator) {
		assert.False(t, it.SeekGE([]byte("l")))
		assert.False(t, it.Next(), "after a seek to the end")
		assert.False(t, it.SeekGE([]byte("m")))
		assert.False(t, it.SeekGE([]byte("z")))
		require.True(t, it.SeekGE([]byte("a")))
		assert.Equal(t, "c", string(it.Key()))
		require.True(t, it.SeekGE(nil))
		assert.Equal(t, "c", string(it.Key()))
	})
}

func seekToEmpty(t tester, s catalog.Store) {
	set(t, s, "a", "b")
	view(t, s, func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, nil, []byte("z"))
		require.NoError(t, err)
		require.True(t, it.SeekGE([]byte("b")))
		require.True(t, it.SeekGE(nil))
		assert.Equal(t, "a", string(it.Key()))
		return it.Close()
	})
}

func manyIterators(t tester, s catalog.Store) {
	set(t, s, "a", "b", "c", "d")
	view(t, s, func(ctx context.Context, r catalog.Reader) error {
		var its []catalog.Iterator
		for _, lower := range []string{"a", "b", "c", "d"} {
			it, err := r.Scan(ctx, []byte(lower), []byte("e"))
			require.NoError(t, err)
			require.True(t, it.Next())
			its = append(its, it)
		}
		for i, it := range its {
			assert.Equal(t, string(rune('a'+i)), string(it.Key()))
			require.NoError(t, it.Close())
		}
		return nil
	})
}

func longScan(t tester, s catalog.Store) {
	var keys []string
	for i := range 3 {
		var part []string
		for j := range catalog.MaxStoreWrites {
			part = append(part, strings.Repeat("k", 1+i)+string([]byte{byte(j >> 8), byte(j)}))
		}
		set(t, s, part...)
		keys = append(keys, part...)
	}
	slices.Sort(keys)
	assert.Equal(t, keys, scanned(t, s, "k", "l"))
}
