package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/drivertest"
)

var _ driver.Driver = (*Folder)(nil)

func TestFolder(t *testing.T) {
	drivertest.Run(t, func(t *testing.T) drivertest.Harness {
		dir := t.TempDir()
		open := func(context.Context) (driver.Driver, error) { return OpenFolder(dir) }
		return drivertest.Harness{Open: open, Reopen: open}
	})
}

func TestTheExampleRuns(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	assert.Equal(t, "five methods", out.String())
}
