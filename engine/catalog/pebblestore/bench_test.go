package pebblestore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

const benchWriters = 64

// BenchmarkUpdate64 compares 64 writers in one container with 64 writers in 64
// containers, on disk. A transaction has the shape of a put: it reads the row of
// the container and the head of a key, writes the head, a blob row and a
// journal row, and adds to counters of the container. The last sub-benchmark
// does both in turns and reports the ratio of their rates.
func BenchmarkUpdate64(b *testing.B) {
	for _, containers := range []int{1, benchWriters} {
		b.Run(fmt.Sprintf("containers=%d", containers), func(b *testing.B) {
			s := openBench(b)
			b.ResetTimer()
			put64(b, s, containers, b.N)
		})
	}
	b.Run("ratio", func(b *testing.B) {
		s := openBench(b)
		var turns [2][]time.Duration
		const turn = 2000
		b.ResetTimer()
		shapes := []int{1, benchWriters}
		for done := 0; done < b.N; done += 4 * turn {
			for _, i := range []int{0, 1, 1, 0} { // so that neither profits from its place
				before := b.Elapsed()
				put64(b, s, shapes[i], turn)
				turns[i] = append(turns[i], b.Elapsed()-before)
			}
		}
		for i := range turns {
			slices.Sort(turns[i])
		}
		// The median turn: a disk that is shared stalls now and then.
		one, many := turns[0][len(turns[0])/2], turns[1][len(turns[1])/2]
		b.ReportMetric(many.Seconds()/one.Seconds(), "one/64")
	})
}

func openBench(b *testing.B) *pebblestore.Store {
	s, err := pebblestore.Open(b.Context(), b.TempDir(), pebblestore.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close(context.WithoutCancel(b.Context()))) })
	for i := range benchWriters {
		require.NoError(b, s.Update(b.Context(), func(_ context.Context, x catalog.Txn) error {
			x.Set(containerKey(i), make([]byte, 60))
			return nil
		}))
	}
	return s
}

func containerKey(i int) []byte { return fmt.Appendf(nil, "container|tenant|%02d", i) }

// put64 makes n puts with 64 writers spread over containers.
func put64(b *testing.B, s *pebblestore.Store, containers, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	results := make(chan error, benchWriters)
	for w := range benchWriters {
		go func() {
			for left.Add(-1) >= 0 {
				if err := putOne(b.Context(), s, w%containers); err != nil {
					results <- err
					return
				}
			}
			results <- nil
		}()
	}
	for range benchWriters {
		require.NoError(b, <-results)
	}
}

func putOne(ctx context.Context, s *pebblestore.Store, container int) error {
	id := rand.Uint64()
	head := fmt.Appendf(nil, "head|tenant|%02d|photos/%016x.jpg", container, id)
	value := make([]byte, 160)
	return s.Update(ctx, func(ctx context.Context, x catalog.Txn) error {
		if _, _, err := x.Get(ctx, containerKey(container)); err != nil {
			return err
		}
		if _, _, err := x.Get(ctx, head); err != nil {
			return err
		}
		x.Set(head, value)
		x.Set(fmt.Appendf(nil, "blob|%016x", id), value[:80])
		x.Set(fmt.Appendf(nil, "journal|%016x", id), value)
		x.Add(fmt.Appendf(nil, "usage|tenant|%02d|count", container), 1)
		x.Add(fmt.Appendf(nil, "usage|tenant|%02d|bytes", container), 4096)
		return nil
	})
}

// BenchmarkView is what a point read costs.
func BenchmarkView(b *testing.B) {
	s := openBench(b)
	put64(b, s, 1, 20000)
	b.ResetTimer()
	b.ReportAllocs()
	for b.Loop() {
		err := s.View(b.Context(), func(ctx context.Context, r catalog.Reader) error {
			_, _, err := r.Get(ctx, containerKey(0))
			return err
		})
		require.NoError(b, err)
	}
}

// BenchmarkUpdateLazily compares transactions that wait for the disk with lazy
// ones, of one writer.
func BenchmarkUpdateLazily(b *testing.B) {
	s := openBench(b)
	for name, run := range map[string]func(context.Context, func(context.Context, catalog.Txn) error) error{
		"durable": s.Update, "lazy": s.UpdateLazily,
	} {
		b.Run(name, func(b *testing.B) {
			for n := 0; b.Loop(); n++ {
				require.NoError(b, run(b.Context(), func(_ context.Context, x catalog.Txn) error {
					x.Set(fmt.Appendf(nil, "lazy %d", n), make([]byte, 200))
					return nil
				}))
			}
		})
	}
}
