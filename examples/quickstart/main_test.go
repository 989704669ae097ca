package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuickstartRuns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		var out strings.Builder
		require.NoError(t, run(t.Context(), dir, &out))
		require.Equal(t, "2026/hello.txt 18 bytes\nHello, Vaultaire!\n", out.String())
	}
}
