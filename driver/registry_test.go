package driver_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
)

// anonymous is a driver that cannot tell its identity.
type anonymous struct{ driver.Driver }

func TestARegistryOpensByKind(t *testing.T) {
	t.Parallel()
	var r driver.Registry
	require.NoError(t, r.Register("memory", memory.OpenConfig))
	require.ErrorIs(t, r.Register("memory", memory.OpenConfig), container.ErrExists)
	require.ErrorIs(t, r.Register("", memory.OpenConfig), container.ErrInvalid)
	require.ErrorIs(t, r.Register("none", nil), container.ErrInvalid)
	assert.Equal(t, []string{"memory"}, r.Kinds())

	d, err := r.Open(t.Context(), "memory", nil)
	require.NoError(t, err)
	require.NoError(t, d.Close(t.Context()))

	_, err = r.Open(t.Context(), "tape", nil)
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `unknown kind "tape"; known are: memory`)

	_, err = r.Open(t.Context(), "memory", map[string]any{"size": 1})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `open "memory"`)
	require.ErrorContains(t, err, `unknown key "size"`)
}

func TestAnOpenFuncMayOpenDriversThroughItsRegistry(t *testing.T) {
	t.Parallel()
	var r driver.Registry
	require.NoError(t, r.Register("memory", memory.OpenConfig))
	require.NoError(t, r.Register("around", func(ctx context.Context, r *driver.Registry, config map[string]any) (driver.Driver, error) {
		var inner map[string]any
		if err := driver.Decode(config, driver.Fields{"inner": &inner}); err != nil {
			return nil, err
		}
		return r.Open(ctx, "memory", inner)
	}))
	d, err := r.Open(t.Context(), "around", map[string]any{"inner": map[string]any{}})
	require.NoError(t, err)
	require.NoError(t, d.Close(t.Context()))
}

func TestIdentityIsEmptyForADriverWithoutOne(t *testing.T) {
	t.Parallel()
	d := memory.New()
	id, err := driver.Identity(t.Context(), d)
	require.NoError(t, err)
	assert.NotEmpty(t, id)

	id, err = driver.Identity(t.Context(), anonymous{d})
	require.NoError(t, err)
	assert.Empty(t, id)

	require.NoError(t, d.Close(t.Context()))
	_, err = driver.Identity(t.Context(), d)
	assert.True(t, errors.Is(err, container.ErrClosed))
}
