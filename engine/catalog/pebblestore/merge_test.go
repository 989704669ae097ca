package pebblestore

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// merged adds operands, oldest first, from the newest on or from the oldest on.
func merged(t *testing.T, newestFirst bool, operands ...[]byte) []byte {
	t.Helper()
	if newestFirst {
		m, err := newMerger().Merge(nil, operands[len(operands)-1])
		require.NoError(t, err)
		for i := len(operands) - 2; i >= 0; i-- {
			require.NoError(t, m.MergeOlder(operands[i]))
		}
		result, _, err := m.Finish(true)
		require.NoError(t, err)
		return result
	}
	m, err := newMerger().Merge(nil, operands[0])
	require.NoError(t, err)
	for _, operand := range operands[1:] {
		require.NoError(t, m.MergeNewer(operand))
	}
	result, _, err := m.Finish(false)
	require.NoError(t, err)
	return result
}

func TestTheMergersNameIsKeptOnDisk(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "vaultaire.sum.int64.v1", newMerger().Name)
}

func TestPartsOfASumMayBeAddedInAnyOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var total int64
		var operands [][]byte
		for range 2 + rng.IntN(8) {
			delta := int64(rng.Uint64()) // sums of these overflow
			total += delta
			operands = append(operands, encodeCounter(delta))
		}
		cut := 1 + rng.IntN(len(operands)-1)
		for _, newestFirst := range []bool{true, false} {
			older := merged(t, newestFirst, operands[:cut]...)
			newer := merged(t, !newestFirst, operands[cut:]...)
			assert.Equal(t, encodeCounter(total), merged(t, newestFirst, older, newer), "seed %d", seed)
		}
	}
	assert.Equal(t, encodeCounter(math.MaxInt64),
		merged(t, true, encodeCounter(math.MaxInt64), encodeCounter(1), encodeCounter(-1)),
		"a total that fits, over a part that does not")
}

func TestAnOperandThatIsNoCounterCountsNothing(t *testing.T) {
	t.Parallel()
	assert.Equal(t, encodeCounter(3), merged(t, true, []byte("not a counter"), encodeCounter(3)))
}
