package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// listModel is a listing, done the plain way.
func listModel(keys []string, opts engine.ListOptions) (names []string) {
	for _, key := range keys {
		if !strings.HasPrefix(key, opts.Prefix) {
			continue
		}
		name := key
		if opts.Delimiter != "" {
			if before, _, ok := strings.Cut(key[len(opts.Prefix):], opts.Delimiter); ok {
				name = opts.Prefix + before + opts.Delimiter
			}
		}
		if name > opts.StartAfter && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestAListingIsWhatThePlainModelSays(t *testing.T) {
	t.Parallel()
	const seed = 7
	rnd := rand.New(rand.NewPCG(seed, seed))
	r := newRig(t).withContainer(t)
	alphabet := []string{"a", "b", "/", "/", "//", "\x00", "\x01", "\xc3\xbf", "\U0010ffff", "-"}
	word := func(max int) string {
		var b strings.Builder
		for range rnd.IntN(max + 1) {
			b.WriteString(alphabet[rnd.IntN(len(alphabet))])
		}
		return b.String()
	}
	var keys []string
	for len(keys) < 300 {
		if key := word(6); key != "" && !slices.Contains(keys, key) {
			r.put(t, key, key)
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for i := range 2000 {
		opts := engine.ListOptions{Prefix: word(2), Delimiter: word(2), StartAfter: word(4), Limit: 1 + rnd.IntN(20)}
		if i%3 == 0 {
			opts.Prefix = ""
		}
		if i%5 == 0 {
			opts.Delimiter = "/"
		}
		want := listModel(keys, opts)
		var all []string
		for e, err := range r.List(t.Context(), "c", opts) {
			require.NoError(t, err)
			all = append(all, e.Name())
		}
		require.Equal(t, want, all, "seed %d, %+v", seed, opts)

		var paged []string
		for page := opts; ; {
			p, err := r.ListPage(t.Context(), "c", page)
			require.NoError(t, err)
			require.LessOrEqual(t, len(p.Entries), opts.Limit)
			for _, e := range p.Entries {
				paged = append(paged, e.Name())
			}
			if p.Next == "" {
				break
			}
			require.Len(t, p.Entries, opts.Limit, "a page with a next one is full")
			page.StartAfter = p.Next
		}
		require.Equal(t, want, paged, "seed %d, %+v", seed, opts)
	}
}

func TestNamesInAListingMayBeLongerThanAnyKey(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	r.put(t, "a", "")
	r.put(t, strings.Repeat("b", 1024), "")
	r.put(t, "c", "")
	long := strings.Repeat("b", 100_000)
	p, err := r.ListPage(t.Context(), "c", engine.ListOptions{Prefix: long})
	require.NoError(t, err)
	require.Empty(t, p.Entries)
	p, err = r.ListPage(t.Context(), "c", engine.ListOptions{StartAfter: long, Delimiter: long})
	require.NoError(t, err)
	require.Len(t, p.Entries, 1)
	require.Equal(t, "c", p.Entries[0].Name())
	for range r.ListContainers(t.Context(), engine.ListContainersOptions{Prefix: long}) {
		t.Fatal("a container has that prefix")
	}
}

func TestALongListingCrossesPages(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	var want []string
	for i := range 2001 {
		key := fmt.Sprintf("%05d", i)
		r.put(t, key, "")
		want = append(want, key)
	}
	var got []string
	for e, err := range r.List(t.Context(), "c", engine.ListOptions{}) {
		require.NoError(t, err)
		got = append(got, e.Artifact.Key)
	}
	require.Equal(t, want, got)
	_, err := r.ListPage(t.Context(), "c", engine.ListOptions{Limit: 1001})
	require.ErrorIs(t, err, container.ErrInvalid)
	for _, err := range r.List(t.Context(), "absent", engine.ListOptions{}) {
		require.ErrorIs(t, err, container.ErrContainerNotFound)
	}
}

func TestAnIteratorCanBeRangedOverAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	for i := range 1500 { // more than a page
		r.put(t, fmt.Sprintf("%04d", i), "")
	}
	r.events.Reset()
	list := r.List(t.Context(), "c", engine.ListOptions{})
	for range 2 {
		n := 0
		for _, err := range list {
			require.NoError(t, err)
			n++
		}
		require.Equal(t, 1500, n)
	}
	require.Len(t, r.events.Events(), 2)
}
