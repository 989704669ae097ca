package standard_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/driver/standard"
)

func TestTheRegistryOpensEveryDriverOfTheRootModule(t *testing.T) {
	t.Parallel()
	r := standard.Registry()
	require.Equal(t, []string{"local", "memory"}, r.Kinds())
	for kind, tc := range map[string]struct {
		config map[string]any
		want   driver.Driver
	}{
		"local":  {map[string]any{"dir": t.TempDir()}, (*local.Driver)(nil)},
		"memory": {nil, (*memory.Driver)(nil)},
	} {
		d, err := r.Open(t.Context(), kind, tc.config)
		require.NoError(t, err)
		assert.IsType(t, tc.want, d)
		require.NoError(t, d.Close(t.Context()))
	}
}

func TestEachRegistryIsItsCallersOwn(t *testing.T) {
	t.Parallel()
	require.NoError(t, standard.Registry().Register("tape", memory.OpenConfig))
	assert.NotContains(t, standard.Registry().Kinds(), "tape")
}
