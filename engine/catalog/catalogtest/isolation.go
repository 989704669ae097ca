package catalogtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

func isolationCases() []testCase {
	return []testCase{
		{name: "Concurrent reads, changes and writes lose nothing", run: onStore(nothingIsLost)},
		{name: "Two transactions that read what the other writes do not both commit", run: onStore(noWriteSkew)},
		{name: "A range that was scanned and found empty stays empty", run: onStore(noPhantoms(scanIsEmpty))},
		{name: "A range that was sought and found empty stays empty", run: onStore(noPhantoms(seekIsEmpty))},
		{name: "The first key that a scan showed stays the first", run: onStore(noPhantoms(lastIsFirst))},
		{name: "Keys that a scan showed stay there", run: onStore(scannedKeysStay)},
		{name: "Transactions that only add never conflict", run: onStore(addsNeverConflict)},
		{name: "A counter that was read stays as it was", run: onStore(countersAreReads)},
		{name: "Every run of fn and every View sees one consistent snapshot", run: onStore(snapshotsAreConsistent)},
		{name: "An open snapshot does not change", run: onStore(snapshotStays)},
		{name: "View and Update see every transaction whose Update has returned", run: onStore(seesWhatReturned)},
		{name: "A large transaction commits among many small ones in its way", run: onStore(largeTransactionCommits)},
	}
}

// crowd is how many goroutines compete, rounds how often.
const (
	crowd  = 8
	rounds = 25
)

func increment(ctx context.Context, x catalog.Txn, key string) error {
	value, err := read(ctx, x, key)
	if err != nil {
		return err
	}
	n := 0
	if value != none {
		if n, err = strconv.Atoi(value); err != nil {
			return err
		}
	}
	x.Set([]byte(key), strconv.AppendInt(nil, int64(n+1), 10))
	return nil
}

func nothingIsLost(t tester, s catalog.Store) {
	require.NoError(t, together(crowd, func(int) error {
		for range rounds {
			err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
				return increment(ctx, x, "n")
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	assert.Equal(t, strconv.Itoa(crowd*rounds), get(t, s, "n"))
}

// race lets two transactions meet between what they read and what they write.
// meet must be called at that point; it waits in the first run only.
func race(t tester, s catalog.Store, fn func(ctx context.Context, x catalog.Txn, i int, meet func()) error) error {
	m := &meeting{parties: 2}
	return together(2, func(i int) error {
		run := 0
		return s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
			run++
			return fn(ctx, x, i, func() {
				if run == 1 {
					m.arrive()
				}
			})
		})
	})
}

func noWriteSkew(t tester, s catalog.Store) {
	for round := range rounds {
		prefix := fmt.Sprintf("round %d, ", round)
		on := []string{prefix + "a", prefix + "b"}
		set(t, s, on...)
		// Each may go if the other stays: so one stays.
		require.NoError(t, race(t, s, func(ctx context.Context, x catalog.Txn, i int, meet func()) error {
			other, err := read(ctx, x, on[1-i])
			meet()
			if err == nil && other != none {
				x.Delete([]byte(on[i]))
			}
			return err
		}))
		require.Len(t, scanned(t, s, prefix, prefix+"\xff"), 1)
	}
}

// noPhantoms checks that of two transactions which insert a key each into a
// range if free finds it free, only one does. The range ends in a key "z".
func noPhantoms(free func(ctx context.Context, r catalog.Reader, prefix string) (bool, error)) func(tester, catalog.Store) {
	return func(t tester, s catalog.Store) {
		for round := range rounds {
			prefix := fmt.Sprintf("round %d, ", round)
			set(t, s, prefix+"z")
			require.NoError(t, race(t, s, func(ctx context.Context, x catalog.Txn, i int, meet func()) error {
				isFree, err := free(ctx, x, prefix)
				meet()
				if isFree {
					x.Set(fmt.Appendf(nil, "%sm%d", prefix, i), nil)
				}
				return err
			}))
			require.Len(t, scanned(t, s, prefix, prefix+"z"), 1)
		}
	}
}

func scanIsEmpty(ctx context.Context, r catalog.Reader, prefix string) (bool, error) {
	keys, err := scan(ctx, r, prefix, prefix+"z")
	return len(keys) == 0, err
}

func seekIsEmpty(ctx context.Context, r catalog.Reader, prefix string) (bool, error) {
	it, err := r.Scan(ctx, []byte(prefix), []byte(prefix+"z"))
	if err != nil {
		return false, err
	}
	found := it.SeekGE([]byte(prefix + "m"))
	return !found, it.Close()
}

func lastIsFirst(ctx context.Context, r catalog.Reader, prefix string) (bool, error) {
	it, err := r.Scan(ctx, []byte(prefix), []byte(prefix+"\xff"))
	if err != nil {
		return false, err
	}
	isFirst := it.Next() && string(it.Key()) == prefix+"z"
	return isFirst, it.Close()
}

func scannedKeysStay(t tester, s catalog.Store) {
	for round := range rounds {
		prefix := fmt.Sprintf("round %d, ", round)
		keys := []string{prefix + "a", prefix + "b"}
		set(t, s, keys...)
		// Each deletes its key unless it is the only one left.
		require.NoError(t, race(t, s, func(ctx context.Context, x catalog.Txn, i int, meet func()) error {
			there, err := scan(ctx, x, prefix, prefix+"\xff")
			meet()
			if len(there) > 1 {
				x.Delete([]byte(keys[i]))
			}
			return err
		}))
		require.Len(t, scanned(t, s, prefix, prefix+"\xff"), 1)
	}
}

func addsNeverConflict(t tester, s catalog.Store) {
	var runs atomic.Int64
	m := &meeting{parties: crowd}
	require.NoError(t, together(crowd, func(i int) error {
		for round := range rounds {
			err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
				runs.Add(1)
				x.Add([]byte("n"), 2)
				x.Add([]byte("m"), -1)
				x.Set(fmt.Appendf(nil, "own key %d", i), nil)
				if round == 0 {
					m.arrive()
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	assert.EqualValues(t, crowd*rounds, runs.Load(), "runs of fn")
	assert.EqualValues(t, 2*crowd*rounds, counter(t, s, "n"))
	assert.EqualValues(t, -crowd*rounds, counter(t, s, "m"))
}

func countersAreReads(t tester, s catalog.Store) {
	const limit = rounds
	for name, count := range map[string]func(ctx context.Context, r catalog.Reader) (int64, error){
		"get": func(ctx context.Context, r catalog.Reader) (int64, error) {
			return r.GetCounter(ctx, []byte("get"))
		},
		"scan": func(ctx context.Context, r catalog.Reader) (int64, error) {
			return scanCounter(ctx, r, "scan")
		},
	} {
		require.NoError(t, together(crowd, func(int) error {
			for range rounds {
				err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
					n, err := count(ctx, x)
					linger()
					if n < limit {
						x.Add([]byte(name), 1)
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		}))
		assert.EqualValues(t, limit, counter(t, s, name), "read by %s", name)
	}
}

func scanCounter(ctx context.Context, r catalog.Reader, key string) (n int64, err error) {
	it, err := r.Scan(ctx, []byte(key), []byte(key+"\x00"))
	if err != nil {
		return 0, err
	}
	if it.Next() {
		n = int64(binary.BigEndian.Uint64(it.Value()))
	}
	return n, it.Close()
}

// Accounts hold a constant sum, which transfers between them keep.
const (
	accounts = 6
	balance  = 100
)

func account(i int) []byte { return fmt.Appendf(nil, "account %d", i%accounts) }

func sumIsKept(ctx context.Context, r catalog.Reader) error {
	var byGet, byScan int
	for i := range accounts {
		n, err := balanceOf(ctx, r, i)
		if err != nil {
			return err
		}
		byGet += n
	}
	it, err := r.Scan(ctx, []byte("account "), []byte("account a"))
	if err != nil {
		return err
	}
	for it.Next() {
		n, err := strconv.Atoi(string(it.Value()))
		if err != nil {
			return errors.Join(err, it.Close())
		}
		byScan += n
	}
	if byGet != accounts*balance || byScan != accounts*balance {
		err = fmt.Errorf("the sum is %d by Get and %d by Scan, it should be %d", byGet, byScan, accounts*balance)
	}
	return errors.Join(err, it.Close())
}

func balanceOf(ctx context.Context, r catalog.Reader, i int) (int, error) {
	value, err := read(ctx, r, string(account(i)))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(value)
}

func openAccounts(t tester, s catalog.Store) {
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		for i := range accounts {
			x.Set(account(i), []byte(strconv.Itoa(balance)))
		}
		return nil
	})
}

func transfer(ctx context.Context, x catalog.Txn, from, to int) error {
	a, err := balanceOf(ctx, x, from)
	if err != nil {
		return err
	}
	b, err := balanceOf(ctx, x, to)
	if err != nil {
		return err
	}
	x.Set(account(from), []byte(strconv.Itoa(a-1)))
	x.Set(account(to), []byte(strconv.Itoa(b+1)))
	return nil
}

func snapshotsAreConsistent(t tester, s catalog.Store) {
	openAccounts(t, s)
	require.NoError(t, together(crowd, func(i int) error {
		for round := range rounds {
			err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
				if i%2 == 0 || round%5 == 0 {
					if err := sumIsKept(ctx, x); err != nil {
						return err
					}
				}
				return transfer(ctx, x, i+round, i+round+1+round%(accounts-1))
			})
			if err := errors.Join(err, s.View(t.Context(), sumIsKept)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func snapshotStays(t tester, s catalog.Store) {
	set(t, s, "a", "b", "c")
	view(t, s, func(ctx context.Context, r catalog.Reader) error {
		it, err := r.Scan(ctx, []byte("a"), []byte("z"))
		require.NoError(t, err)
		require.True(t, it.Next())
		before, err := read(ctx, r, "a")
		require.NoError(t, err)

		update(t, s, func(_ context.Context, x catalog.Txn) error {
			x.Set([]byte("a"), []byte("changed"))
			x.Delete([]byte("b"))
			x.Set([]byte("bb"), []byte("new"))
			return nil
		})
		after, err := read(ctx, r, "a")
		require.NoError(t, err)
		assert.Equal(t, before, after)
		var rest []string
		for it.Next() {
			rest = append(rest, string(it.Key()))
		}
		assert.Equal(t, []string{"b", "c"}, rest, "an iterator opened before")
		keys, err := scan(ctx, r, "a", "z")
		assert.Equal(t, []string{"a", "b", "c"}, keys, "an iterator opened after")
		return errors.Join(err, it.Close())
	})
	assert.Equal(t, []string{"a", "bb", "c"}, scanned(t, s, "a", "z"))
}

func seesWhatReturned(t tester, s catalog.Store) {
	var returned atomic.Int64 // the highest n whose Update has returned
	atLeast := func(ctx context.Context, r catalog.Reader, least int64) error {
		n, err := r.GetCounter(ctx, []byte("n"))
		if err == nil && n < least {
			err = fmt.Errorf("the counter is %d after it was set to %d", n, least)
		}
		return err
	}
	require.NoError(t, together(crowd, func(i int) error {
		for range rounds {
			if i == 0 {
				err := s.Update(t.Context(), func(_ context.Context, x catalog.Txn) error {
					x.Add([]byte("n"), 1)
					return nil
				})
				if err != nil {
					return err
				}
				returned.Add(1)
				continue
			}
			least := returned.Load()
			err := s.View(t.Context(), func(ctx context.Context, r catalog.Reader) error {
				return atLeast(ctx, r, least)
			})
			least = returned.Load()
			err = errors.Join(err, s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
				return atLeast(ctx, x, least)
			}))
			if err != nil {
				return err
			}
		}
		return nil
	}))
	for i := range int64(rounds) {
		add(t, s, "m", 1)
		require.Equal(t, i+1, counter(t, s, "m"))
	}
}

func largeTransactionCommits(t tester, s catalog.Store) {
	var done atomic.Bool
	require.NoError(t, together(crowd, func(i int) error {
		if i == 0 {
			defer done.Store(true)
			for range 3 {
				err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
					keys, err := scan(ctx, x, "key", "kez")
					x.Set([]byte("seen"), []byte(strconv.Itoa(len(keys))))
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		for n := 0; !done.Load(); n++ {
			err := s.Update(t.Context(), func(ctx context.Context, x catalog.Txn) error {
				return increment(ctx, x, fmt.Sprintf("key %d of %d", n%100, i))
			})
			if err != nil {
				return err
			}
		}
		return nil
	}))
	assert.NotEqual(t, none, get(t, s, "seen"))
}
