package durability

import (
	"bytes"
	"context"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/engine"
)

// seedVariable repeats a run of a suite.
const seedVariable = "DURABILITY_SEED"

// newSeed returns what a suite's randomness depends on, and says it if the
// suite fails.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedVariable)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with %s=%d", seedVariable, seed)
		}
	})
	return seed
}

// times returns how often a suite does something: normally n times, with the tag
// soak so many times, and a twentieth of it under the race detector.
func times(n, soak int) int {
	if soaking {
		n = soak
	}
	if racing {
		n = max(n/20, 1)
	}
	return n
}

// newRand returns randomness that depends on seed and on which of its streams
// is asked for.
func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// hash turns the name of a part of a suite into a stream of randomness.
func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name) // never fails
	return h.Sum64()
}

// pattern returns size bytes that belong to id: no 16 of them are found in the
// pattern of another id, or elsewhere in this one.
func pattern(id uint64, size int) []byte {
	b := make([]byte, size)
	_, _ = io.ReadFull(newBody(id, size), b) // never fails
	return b
}

// newBody returns a reader of a pattern.
func newBody(id uint64, size int) io.Reader {
	var seed [32]byte
	copy(seed[:], strconv.FormatUint(id, 10))
	return io.LimitReader(rand.NewChaCha8(seed), int64(size))
}

// closeEngine closes an engine at the end of a test.
func closeEngine(t *testing.T, eng *engine.Engine) {
	t.Cleanup(func() { require.NoError(t, eng.Close(context.Background())) })
}

// readAll reads a Reader to its end in steps of up to step bytes, 0 for a WriteTo,
// and closes it.
func readAll(r *engine.Reader, step int) ([]byte, error) {
	defer r.Close()
	var b bytes.Buffer
	if step == 0 {
		_, err := r.WriteTo(&b)
		return b.Bytes(), err
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{&b}, struct{ io.Reader }{r}, make([]byte, step))
	return b.Bytes(), err
}
