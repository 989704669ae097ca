package memory_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/drivertest"
	"github.com/vaultaire/vaultaire/driver/memory"
)

func TestDriver(t *testing.T) {
	drivertest.Run(t, func(*testing.T) drivertest.Harness {
		return drivertest.Harness{
			Open:     func(context.Context) (driver.Driver, error) { return memory.New(), nil },
			InMemory: true,
		}
	})
}

func TestOpenConfigAcceptsNoKeys(t *testing.T) {
	t.Parallel()
	_, err := memory.OpenConfig(t.Context(), nil, map[string]any{"dir": "/tmp"})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `unknown key "dir"`)
}

func TestEachDriverHasItsOwnIdentityAndRefs(t *testing.T) {
	t.Parallel()
	identities, refs := make(map[string]bool), make(map[driver.Ref]bool)
	for range 10 {
		d := memory.New()
		id, err := d.Identity(t.Context())
		require.NoError(t, err)
		identities[id] = true
		ref, err := d.Put(t.Context(), "name", strings.NewReader("x"), driver.PutOptions{Size: 1})
		require.NoError(t, err)
		refs[ref] = true
	}
	assert.Len(t, identities, 10)
	assert.Len(t, refs, 10)
}

func TestAClosedReaderFails(t *testing.T) {
	t.Parallel()
	d := memory.New()
	ref, err := d.Put(t.Context(), "name", strings.NewReader("x"), driver.PutOptions{Size: 1})
	require.NoError(t, err)
	r, err := d.Open(t.Context(), ref, 0, -1)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, container.ErrClosed)
	require.NoError(t, r.Close())
}

func Example() {
	ctx := context.Background()
	d := memory.New()
	defer d.Close(ctx)
	ref, _ := d.Put(ctx, "greeting", strings.NewReader("hello, blob"), driver.PutOptions{Size: -1})
	r, _ := d.Open(ctx, ref, 7, 4)
	defer r.Close()
	text, _ := io.ReadAll(r)
	fmt.Println(string(text))
	// Output: blob
}
