package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine/catalog"
)

// open opens the store of p until the test ends.
func open(t tester, p Place) catalog.Store {
	t.Helper()
	s, err := p.Open(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() {
		// The context of the test has ended by now.
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func update(t tester, s catalog.Store, fn func(ctx context.Context, x catalog.Txn) error) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), fn))
}

func view(t tester, s catalog.Store, fn func(ctx context.Context, r catalog.Reader) error) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), fn))
}

// set stores each key with itself as its value.
func set(t tester, s catalog.Store, keys ...string) {
	t.Helper()
	update(t, s, func(_ context.Context, x catalog.Txn) error {
		for _, key := range keys {
			x.Set([]byte(key), []byte(key))
		}
		return nil
	})
}

// get returns the value under key, and "(none)" if there is none.
func get(t tester, s catalog.Store, key string) string {
	t.Helper()
	var value string
	view(t, s, func(ctx context.Context, r catalog.Reader) (err error) {
		value, err = read(ctx, r, key)
		return err
	})
	return value
}

const none = "(none)"

func read(ctx context.Context, r catalog.Reader, key string) (string, error) {
	value, ok, err := r.Get(ctx, []byte(key))
	if !ok {
		return none, err
	}
	return string(value), err
}

func counter(t tester, s catalog.Store, key string) int64 {
	t.Helper()
	var n int64
	view(t, s, func(ctx context.Context, r catalog.Reader) (err error) {
		n, err = r.GetCounter(ctx, []byte(key))
		return err
	})
	return n
}

// scan returns the keys of a range, and checks that the value of each is the
// value that Get returns.
func scan(ctx context.Context, r catalog.Reader, lower, upper string) (keys []string, err error) {
	it, err := r.Scan(ctx, []byte(lower), []byte(upper))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	keys = []string{}
	for it.Next() {
		key := string(it.Key())
		keys = append(keys, key)
		value, err := read(ctx, r, key)
		if err != nil {
			return nil, err
		}
		if value != string(it.Value()) {
			return nil, fmt.Errorf("scan shows %q under %q, get shows %q", it.Value(), key, value)
		}
	}
	return keys, nil
}

func scanned(t tester, s catalog.Store, lower, upper string) (keys []string) {
	t.Helper()
	view(t, s, func(ctx context.Context, r catalog.Reader) (err error) {
		keys, err = scan(ctx, r, lower, upper)
		return err
	})
	return keys
}

// together runs n functions at the same time and returns their errors.
func together(n int, fn func(i int) error) error {
	results := make(chan error, n)
	start := make(chan struct{})
	for i := range n {
		go func() {
			<-start
			results <- fn(i)
		}()
	}
	close(start)
	var errs []error
	for range n {
		errs = append(errs, <-results)
	}
	return errors.Join(errs...)
}

// A meeting makes it likely that transactions overlap: who arrives yields until
// all are there, or for so long that a Store which lets them run one after the
// other goes on.
type meeting struct {
	parties int32
	arrived atomic.Int32
}

const patience = 200

func (m *meeting) arrive() {
	m.arrived.Add(1)
	for i := 0; i < patience && m.arrived.Load() < m.parties; i++ {
		runtime.Gosched()
	}
}

// linger lets others run, so that transactions overlap.
func linger() {
	for range 20 {
		runtime.Gosched()
	}
}
