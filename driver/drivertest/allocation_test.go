package drivertest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/driver/drivertest"
)

func TestAllocationsAreBounded(t *testing.T) {
	var kept []byte
	allocate := func() { kept = make([]byte, 16<<20) }
	assert.False(t, drivertest.AllocatesAtMost(15<<20, allocate))
	assert.True(t, drivertest.AllocatesAtMost(64<<20, allocate))
	assert.Len(t, kept, 16<<20)
}
