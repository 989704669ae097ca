package local

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNobodyIsToldThatARoundSucceededWhichPanicked(t *testing.T) {
	t.Parallel()
	r := rounds[int]{run: func(items []int) error {
		if items[0] == 0 {
			panic("in a round")
		}
		return nil
	}, limit: 1}
	const n = 5
	panicked, failed := make(chan any, n), make(chan error, n)
	require.NoError(t, r.alone(func() error {
		for range n {
			go func() {
				defer func() { panicked <- recover() }()
				failed <- r.do(0)
			}()
		}
		for gathered := 0; gathered < n; runtime.Gosched() {
			gathered = r.gathered()
		}
		return nil
	}))
	panics := 0
	for range n {
		if <-panicked != nil {
			panics++
		}
	}
	assert.Equal(t, 1, panics)
	for range n - 1 {
		require.ErrorIs(t, <-failed, errPanicked)
	}
	require.NoError(t, r.do(1), "the next round runs")
}
