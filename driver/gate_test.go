package driver_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

func TestAGateTurnsCallsAwayOnceClosed(t *testing.T) {
	t.Parallel()
	var gate driver.Gate
	require.NoError(t, gate.Enter())
	gate.Leave()
	require.NoError(t, gate.Close(t.Context()))
	require.ErrorIs(t, gate.Enter(), container.ErrClosed)
	require.NoError(t, gate.Close(t.Context()))
}

func TestAGateWaitsForCallsInside(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate driver.Gate
		require.NoError(t, gate.Enter())
		require.NoError(t, gate.Enter())
		closed := make(chan error, 2)
		for range 2 {
			go func() { closed <- gate.Close(t.Context()) }()
		}
		synctest.Wait()
		require.ErrorIs(t, gate.Enter(), container.ErrClosed)
		gate.Leave()
		synctest.Wait()
		assert.Empty(t, closed)
		gate.Leave()
		require.NoError(t, <-closed)
		require.NoError(t, <-closed)
	})
}

func TestAGateWaitsNoLongerThanTheContext(t *testing.T) {
	t.Parallel()
	var gate driver.Gate
	require.NoError(t, gate.Enter())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, gate.Close(ended), context.Canceled)
	require.ErrorIs(t, gate.Enter(), container.ErrClosed)
	gate.Leave()
	require.NoError(t, gate.Close(ended), "nothing is left to wait for")
}
