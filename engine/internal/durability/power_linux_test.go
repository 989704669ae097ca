package durability

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/driver/local"
	"github.com/vaultaire/vaultaire/engine"
)

// TestAPowerCutOfARealDiskLosesNothingAcknowledged cuts the power of an ext4 file
// system while a process uses an engine on it: what is not on its disk by then,
// journal included, is gone. What is acknowledged is known elsewhere.
func TestAPowerCutOfARealDiskLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	p := newPowerRun(t, local.SyncAlways)
	rounds := times(20, 1000)
	for i := range rounds {
		require.NoError(t, p.round(t), "power cut %d", i)
	}
	t.Logf("power cuts: %d, answered: %d, unanswered: %d, lost: 0", rounds, p.answered, p.unanswered)
}

// What nobody has synced must be lost now and then, or else the power was not
// cut.
func TestAPowerCutOfARealDiskTakesWhatNobodySynced(t *testing.T) {
	t.Parallel()
	p := newPowerRun(t, local.SyncNone)
	const enough = 20
	for i := range enough {
		if err := p.round(t); err != nil {
			t.Logf("found after %d power cuts: %.200s", i+1, err)
			return
		}
	}
	t.Fatalf("not found with %d power cuts", enough)
}

// A powerRun is a disk and what may be on it.
type powerRun struct {
	rng   *rand.Rand
	load  powerLoad
	disk  *realDisk
	model map[string]powerSlot

	answered, unanswered int
}

// A powerSlot is what may be under a key.
type powerSlot struct {
	is    uint64   // acknowledged
	maybe []uint64 // of calls without an answer
}

func newPowerRun(t *testing.T, mode local.SyncMode) *powerRun {
	seed := newSeed(t)
	p := &powerRun{rng: newRand(seed, 0), disk: newRealDisk(t), model: make(map[string]powerSlot)}
	p.load = powerLoad{Dir: p.disk.dir, Mode: mode.String(), Seed: seed}
	eng, err := openOnDisk(t.Context(), p.load.Dir, p.load.Mode)
	require.NoError(t, err)
	_, err = eng.CreateContainer(t.Context(), powerContainer, engine.CreateContainerOptions{})
	require.NoError(t, errors.Join(err, eng.Close(t.Context())))
	return p
}

// round uses the disk until its power is cut, and looks at what it has. The disk
// is mounted before it and after it.
func (p *powerRun) round(t *testing.T) error {
	p.use(t)
	require.NoError(t, p.disk.unmount())
	require.NoError(t, p.disk.mount())
	return p.verify(t.Context())
}

// use has a child use the disk, and cuts its power after so many lines of it.
func (p *powerRun) use(t *testing.T) {
	p.load.Round++
	child, from, to := newChild(t, "power", p.load)
	defer from.Close()
	var stderr bytes.Buffer
	child.Stderr = &stderr
	require.NoError(t, child.Start())
	require.NoError(t, to.Close())
	lines := bufio.NewScanner(from)
	n := 20 + p.rng.IntN(600)
	for ; n > 0 && lines.Scan(); n-- {
		require.NoError(t, p.hear(lines.Text(), true))
	}
	cut := p.disk.cut()
	// What the child says from here on it may say after the cut.
	for lines.Scan() {
		require.NoError(t, p.hear(lines.Text(), false))
	}
	require.Error(t, child.Wait(), "its disk has failed")
	require.NoError(t, cut)
	require.Zero(t, n, "the child has ended by itself:\n%s", &stderr)
}

// hear notes what the child says, which counts if it says it before the cut.
func (p *powerRun) hear(line string, counts bool) error {
	var verb, key string
	var value uint64
	if _, err := fmt.Sscan(line, &verb, &key, &value); err != nil {
		return fmt.Errorf("the child says %q: %w", line, err)
	}
	switch slot := p.model[key]; {
	case verb == "call":
		slot.maybe = append(slot.maybe, value)
		p.model[key] = slot
	case counts: // a key has one call at a time
		p.model[key] = powerSlot{is: value}
		p.answered++
	}
	return nil
}

// verify opens the engine and looks under each key, also when everything else
// was reclaimed.
func (p *powerRun) verify(ctx context.Context) error {
	eng, err := openOnDisk(ctx, p.load.Dir, p.load.Mode)
	if err != nil {
		return err
	}
	if err = p.compare(ctx, eng); err == nil {
		_, err = eng.Reclaim(ctx)
	}
	if err == nil {
		err = p.compare(ctx, eng)
	}
	return errors.Join(err, eng.Close(ctx))
}

// compare settles what may be under each key for what is there.
func (p *powerRun) compare(ctx context.Context, eng *engine.Engine) error {
	found := make(map[string]uint64)
	for entry, err := range eng.List(ctx, powerContainer, engine.ListOptions{}) {
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		key := entry.Name()
		if found[key], err = readPower(ctx, eng, key); err != nil {
			return fmt.Errorf("%s, which has %+v: %w", key, p.model[key], err)
		}
		if _, known := p.model[key]; !known {
			return fmt.Errorf("nobody put %s", key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(p.model)) {
		slot := p.model[key]
		if found[key] != slot.is && !slices.Contains(slot.maybe, found[key]) {
			return fmt.Errorf("%s has value %d, and may have %+v", key, found[key], slot)
		}
		p.unanswered += len(slot.maybe)
		p.model[key] = powerSlot{is: found[key]}
	}
	return nil
}
