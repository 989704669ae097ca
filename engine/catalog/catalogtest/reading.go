package catalogtest

import (
	"bytes"
	"context"
	"math"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine/catalog"
)

func readingCases() []testCase {
	return []testCase{
		{name: "Get returns what was set and says what is not there", run: onStore(getReturnsWhatWasSet)},
		{name: "An empty value is there", run: onStore(emptyValueIsThere)},
		{name: "Set replaces and Delete removes", run: onStore(setReplacesDeleteRemoves)},
		{name: "Keys and values of every byte and of the greatest length are kept", run: onStore(extremesAreKept)},
		{name: "Keys beyond the limits are invalid to read", run: onStore(invalidKeysToRead)},
		{name: "A counter is the sum of what was added, and 0 before", run: onStore(counterSums)},
		{name: "Delete resets a counter", run: onStore(deleteResetsCounter)},
		{name: "A scan shows a counter as 8 bytes, big endian", run: onStore(scanShowsCounter)},
		{name: "A transaction reads its own writes", run: onStore(readsOwnWrites)},
		{name: "A transaction reads its own counters", run: onStore(readsOwnCounters)},
		{name: "A transaction scans its own writes", run: onStore(scansOwnWrites)},
		{name: "What is read stays unchanged until the closure returns", run: onStore(readStaysUnchanged)},
		{name: "What is written may be changed once the call has returned", run: onStore(writtenMayBeChanged)},
	}
}

func getReturnsWhatWasSet(t tester, s catalog.Store) {
	assert.Equal(t, none, get(t, s, "a"))
	set(t, s, "a", "c")
	assert.Equal(t, "a", get(t, s, "a"))
	assert.Equal(t, "c", get(t, s, "c"))
	for _, absent := range []string{"b", "A", "a\x00", "aa", "d"} {
		assert.Equal(t, none, get(t, s, absent), "key %q", absent)
	}
}

func emptyValueIsThere(t tester, s catalog.Store) {
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		x.Set([]byte("nil"), nil)
		x.Set([]byte("empty"), []byte{})
		_, ok, err := x.Get(ctx, []byte("nil"))
		assert.True(t, ok, "in the transaction")
		return err
	})
	assert.Equal(t, "", get(t, s, "nil"))
	assert.Equal(t, "", get(t, s, "empty"))
}

func setReplacesDeleteRemoves(t tester, s catalog.Store) {
	set(t, s, "a", "b")
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), []byte("new"))
		x.Delete([]byte("b"))
		x.Delete([]byte("never there"))
		x.Set([]byte("c"), []byte("first"))
		x.Set([]byte("c"), []byte("second"))
		x.Set([]byte("d"), []byte("d"))
		x.Delete([]byte("d"))
		x.Delete([]byte("e"))
		x.Set([]byte("e"), []byte("again"))
		return nil
	})
	assert.Equal(t, "new", get(t, s, "a"))
	assert.Equal(t, none, get(t, s, "b"))
	assert.Equal(t, none, get(t, s, "never there"))
	assert.Equal(t, "second", get(t, s, "c"))
	assert.Equal(t, none, get(t, s, "d"))
	assert.Equal(t, "again", get(t, s, "e"))
	assert.Equal(t, []string{"a", "c", "e"}, scanned(t, s, "a", "z"))
}

func extremesAreKept(t tester, s catalog.Store) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	big := bytes.Repeat(every, catalog.MaxStoreValue/len(every))
	keys := []string{
		"\x00", "\x00\x00", string(every), "\xff",
		strings.Repeat("\xff", catalog.MaxStoreKey), strings.Repeat("\x00", catalog.MaxStoreKey),
	}
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		for _, key := range keys {
			x.Set([]byte(key), big)
		}
		return nil
	})
	for _, key := range keys {
		assert.Equal(t, string(big), get(t, s, key), "key of %d bytes", len(key))
	}
}

func invalidKeysToRead(t tester, s catalog.Store) {
	for _, key := range [][]byte{nil, {}, make([]byte, catalog.MaxStoreKey+1)} {
		view(t, s, func(ctx context.Context, r catalog.Reader) error {
			_, _, err := r.Get(ctx, key)
			assert.ErrorIs(t, err, container.ErrInvalid, "key of %d bytes", len(key))
			_, err = r.GetCounter(ctx, key)
			assert.ErrorIs(t, err, container.ErrInvalid, "key of %d bytes", len(key))
			return nil
		})
	}
}

func add(t tester, s catalog.Store, key string, deltas ...int64) {
	t.Helper()
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		for _, delta := range deltas {
			x.Add([]byte(key), delta)
		}
		return nil
	})
}

func counterSums(t tester, s catalog.Store) {
	assert.Zero(t, counter(t, s, "n"))
	add(t, s, "n", 5)
	assert.EqualValues(t, 5, counter(t, s, "n"))
	add(t, s, "n", -7, 1)
	add(t, s, "n", 0)
	assert.EqualValues(t, -1, counter(t, s, "n"))
	add(t, s, "max", math.MaxInt64)
	add(t, s, "max", -math.MaxInt64, 1)
	assert.EqualValues(t, 1, counter(t, s, "max"))
	add(t, s, "min", math.MinInt64)
	assert.EqualValues(t, int64(math.MinInt64), counter(t, s, "min"))
}

func deleteResetsCounter(t tester, s catalog.Store) {
	add(t, s, "n", 5)
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		x.Delete([]byte("n"))
		return nil
	})
	assert.Zero(t, counter(t, s, "n"))
	add(t, s, "n", 3)
	assert.EqualValues(t, 3, counter(t, s, "n"))
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		x.Add([]byte("n"), 10)
		x.Delete([]byte("n"))
		x.Add([]byte("n"), 4)
		return nil
	})
	add(t, s, "n", 1)
	assert.EqualValues(t, 5, counter(t, s, "n"))
}

func scanShowsCounter(t tester, s catalog.Store) {
	add(t, s, "n", 1)
	add(t, s, "n", 0x0102)
	show := func(ctx context.Context, r catalog.Reader) []byte {
		it, err := r.Scan(ctx, []byte("n"), []byte("o"))
		require.NoError(t, err)
		require.True(t, it.Next())
		value := bytes.Clone(it.Value())
		assert.False(t, it.Next())
		require.NoError(t, it.Close())
		return value
	}
	view(t, s, func(ctx context.Context, r catalog.Reader) error {
		assert.Equal(t, []byte{0, 0, 0, 0, 0, 0, 1, 3}, show(ctx, r))
		return nil
	})
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		x.Add([]byte("n"), -0x0104)
		assert.Equal(t, bytes.Repeat([]byte{0xff}, 8), show(ctx, x))
		return nil
	})
}

func readsOwnWrites(t tester, s catalog.Store) {
	set(t, s, "a", "b")
	expect := func(ctx context.Context, x catalog.Txn, key, want string) {
		got, err := read(ctx, x, key)
		require.NoError(t, err)
		assert.Equal(t, want, got, "key %q", key)
	}
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		expect(ctx, x, "a", "a")
		x.Set([]byte("a"), []byte("1"))
		expect(ctx, x, "a", "1")
		x.Set([]byte("a"), []byte("2"))
		expect(ctx, x, "a", "2")
		x.Delete([]byte("b"))
		expect(ctx, x, "b", none)
		x.Set([]byte("b"), []byte("back"))
		expect(ctx, x, "b", "back")
		x.Delete([]byte("b"))
		x.Set([]byte("c"), []byte("c"))
		expect(ctx, x, "c", "c")
		return nil
	})
	assert.Equal(t, "2", get(t, s, "a"))
	assert.Equal(t, none, get(t, s, "b"))
}

func readsOwnCounters(t tester, s catalog.Store) {
	add(t, s, "n", 5)
	expect := func(ctx context.Context, x catalog.Txn, want int64) {
		got, err := x.GetCounter(ctx, []byte("n"))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		expect(ctx, x, 5)
		x.Add([]byte("n"), 2)
		expect(ctx, x, 7)
		x.Add([]byte("n"), -10)
		expect(ctx, x, -3)
		x.Delete([]byte("n"))
		expect(ctx, x, 0)
		x.Add([]byte("n"), 8)
		expect(ctx, x, 8)
		return nil
	})
	assert.EqualValues(t, 8, counter(t, s, "n"))
}

func scansOwnWrites(t tester, s catalog.Store) {
	set(t, s, "b", "d", "f", "h")
	expect := func(ctx context.Context, x catalog.Txn, lower, upper string, want ...string) {
		got, err := scan(ctx, x, lower, upper)
		require.NoError(t, err)
		assert.Equal(t, want, got, "from %q to %q", lower, upper)
	}
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		x.Set([]byte("a"), []byte("a"))
		x.Set([]byte("c"), []byte("c"))
		x.Set([]byte("d"), []byte("changed"))
		x.Delete([]byte("f"))
		x.Delete([]byte("g"))
		x.Add([]byte("i"), 1)
		x.Set([]byte("z"), []byte("z"))
		expect(ctx, x, "a", "z", "a", "b", "c", "d", "h", "i")
		expect(ctx, x, "b", "d", "b", "c")
		expect(ctx, x, "d", "z", "d", "h", "i")
		expect(ctx, x, "f", "h", []string{}...)

		it, err := x.Scan(ctx, []byte("a"), []byte("zz"))
		require.NoError(t, err)
		require.True(t, it.SeekGE([]byte("e")))
		assert.Equal(t, "h", string(it.Key()))
		require.True(t, it.Next())
		assert.Equal(t, "i", string(it.Key()))
		require.True(t, it.SeekGE([]byte("c")))
		assert.Equal(t, "c", string(it.Key()))
		x.Set([]byte("cc"), []byte("cc")) // it was opened before
		require.True(t, it.Next())
		assert.Equal(t, "d", string(it.Key()))
		assert.Equal(t, "changed", string(it.Value()))
		return it.Close()
	})
	assert.Equal(t, []string{"a", "b", "c", "cc", "d", "h", "i", "z"}, scanned(t, s, "a", "zz"))
}

func readStaysUnchanged(t tester, s catalog.Store) {
	set(t, s, "a", "b", "c")
	check := func(ctx context.Context, r catalog.Reader) {
		a, _, err := r.Get(ctx, []byte("a"))
		require.NoError(t, err)
		for range 3 {
			_, _, err = r.Get(ctx, []byte("b"))
			require.NoError(t, err)
			_, err = scan(ctx, r, "a", "z")
			require.NoError(t, err)
		}
		set(t, s, "b", "d") // by someone else
		assert.Equal(t, "a", string(a))
	}
	view(t, s, func(ctx context.Context, r catalog.Reader) error {
		check(ctx, r)
		return nil
	})
}

func writtenMayBeChanged(t tester, s catalog.Store) {
	update(t, s, func(ctx context.Context, x catalog.Txn) error {
		key, value := []byte("key"), []byte("value")
		x.Set(key, value)
		copy(value, "XXXXX")
		copy(key, "YYY")
		x.Add(key, 1)
		copy(key, "ZZZ")
		x.Delete(key)
		copy(key, "???")
		return nil
	})
	assert.Equal(t, "value", get(t, s, "key"))
	assert.EqualValues(t, 1, counter(t, s, "YYY"))
	assert.Equal(t, []string{"YYY", "key"}, scanned(t, s, "A", "z"))
}
