package durability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
)

// TestALimitOnFileSizesIsSurvived runs an engine in a process that may not make
// files above a size, as under "ulimit -f": what is too large for it is refused,
// and nothing else is.
func TestALimitOnFileSizesIsSurvived(t *testing.T) {
	t.Parallel()
	seed := newSeed(t)
	child, from, to := newChild(t, "confined", confinement{Dir: t.TempDir(), Seed: seed, Cycles: times(3, 100), Limit: 24 << 20})
	var stderr bytes.Buffer
	child.Stderr = &stderr
	require.NoError(t, child.Start())
	require.NoError(t, to.Close())
	said, err := io.ReadAll(from)
	require.NoError(t, err)
	require.NoError(t, child.Wait(), "%s", &stderr)
	t.Logf("%s", said)
}

// A confinement is what the child is to do.
type confinement struct {
	Dir    string
	Seed   uint64
	Cycles int
	Limit  uint64 // bytes in a file
}

// confinedChild meets the limit with a large artifact, and with many small ones
// that a driver keeps together.
func confinedChild(ctx context.Context, argument []byte, out *os.File) error {
	var c confinement
	if err := json.Unmarshal(argument, &c); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: c.Limit, Max: c.Limit}); err != nil {
		return err
	}
	f := &fullRun{most: 100_000, rng: newRand(c.Seed, 0), kept: map[string]fullBody{}, open: func(ctx context.Context) (*engine.Engine, error) {
		return openOnDisk(ctx, c.Dir, local.SyncAlways.String())
	}}
	if err := f.start(ctx); err != nil {
		return err
	}
	for i := range c.Cycles {
		if err := f.confined(ctx, int(c.Limit)); err != nil {
			return fmt.Errorf("cycle %d: %w", i, err)
		}
	}
	if err := f.eng.Close(ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "limits met: %d, put: %d, refused: %d, wrong bytes: 0", c.Cycles, f.puts, f.refused)
	return err
}

func (f *fullRun) confined(ctx context.Context, limit int) error {
	for range 3 {
		err := f.put(ctx, "too large", limit+f.rng.IntN(limit))
		if !errors.Is(err, container.ErrNoSpace) {
			return fmt.Errorf("put above the limit: %w", err)
		}
		f.refused++
		if err := f.put(ctx, fmt.Sprintf("large %d", f.rng.IntN(3)), f.rng.IntN(limit/2)); err != nil {
			return fmt.Errorf("put below the limit: %w", err)
		}
	}
	// Together they are larger than a file may be.
	for used := 0; used < limit+limit/2; {
		size := f.rng.IntN(f.most)
		if err := f.put(ctx, fmt.Sprintf("small %d", f.rng.IntN(2000)), size); err != nil {
			return fmt.Errorf("put %d bytes, after %d in as small pieces: %w", size, used, err)
		}
		used += size
	}
	if err := f.verify(ctx); err != nil {
		return err
	}
	return f.makeRoom(ctx)
}
