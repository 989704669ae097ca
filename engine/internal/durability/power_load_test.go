package durability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// A powerLoad is what a child does until the power is cut.
type powerLoad struct {
	Dir   string
	Mode  string // of syncing
	Seed  uint64
	Round int
}

const (
	powerContainer = "power"
	powerClients   = 6
	powerKeys      = 5 // of each client
)

// powerChild puts and deletes, and says each call before it makes it and again
// when it is done. A value is a number, of which its bytes follow; 0 is nothing.
// It ends when the disk fails.
func powerChild(ctx context.Context, argument []byte, out *os.File) error {
	var l powerLoad
	if err := json.Unmarshal(argument, &l); err != nil {
		return err
	}
	eng, err := openOnDisk(ctx, l.Dir, l.Mode)
	if err != nil {
		return err
	}
	var wait sync.WaitGroup
	errs := make([]error, powerClients)
	for i := range powerClients {
		wait.Go(func() { errs[i] = l.client(ctx, eng, i, out) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

// client makes calls, one after the other, on keys of its own.
func (l powerLoad) client(ctx context.Context, eng *engine.Engine, number int, out io.Writer) error {
	rng := newRand(l.Seed+uint64(l.Round), uint64(number))
	for n := 1; ; n++ {
		key := fmt.Sprintf("client-%d-key-%d", number, rng.IntN(powerKeys))
		value := uint64(l.Round)<<32 | uint64(number)<<24 | uint64(n)
		if rng.IntN(4) == 0 {
			value = 0
		}
		if _, err := fmt.Fprintf(out, "call %s %d\n", key, value); err != nil {
			return err
		}
		if err := putPower(ctx, eng, key, value); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "done %s %d\n", key, value); err != nil {
			return err
		}
	}
}

func putPower(ctx context.Context, eng *engine.Engine, key string, value uint64) error {
	if value == 0 {
		err := eng.Delete(ctx, powerContainer, key, engine.DeleteOptions{})
		if errors.Is(err, container.ErrArtifactNotFound) {
			return nil
		}
		return err
	}
	opts := engine.PutOptions{Metadata: map[string]string{"value": fmt.Sprint(value)}}
	_, err := eng.Put(ctx, powerContainer, key, newBody(value, powerSize(value)), opts)
	return err
}

// powerSize returns how many bytes a value has: often few, sometimes so many that
// they get a file.
func powerSize(value uint64) int {
	rng := newRand(value, 0)
	return rng.IntN([]int{2000, 2000, 2000, 60_000, 400_000}[rng.IntN(5)])
}

// readPower returns the value of an artifact that has all its bytes.
func readPower(ctx context.Context, eng *engine.Engine, key string) (value uint64, err error) {
	r, err := eng.Get(ctx, powerContainer, key, engine.GetOptions{})
	if err != nil {
		return 0, err
	}
	text := r.Artifact().Metadata["value"]
	got, err := readAll(r, 0)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(text, &value); err != nil {
		return 0, fmt.Errorf("the value is said to be %q: %w", text, err)
	}
	if !bytes.Equal(got, pattern(value, powerSize(value))) {
		return 0, fmt.Errorf("value %d has %d bytes that are not its own", value, len(got))
	}
	return value, nil
}
