package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
	"github.com/vaultaire/vaultaire/tenant"
)

// An engine of parts: a catalog and a driver, here both in memory.
func Example() {
	ctx := context.Background()
	store, err := pebblestore.OpenMemory(ctx)
	if err != nil {
		log.Fatal(err)
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("ram", memory.New()))
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(ctx)

	acme := tenant.NewContext(ctx, "acme")
	if _, err := eng.CreateContainer(acme, "photos", engine.CreateContainerOptions{}); err != nil {
		log.Fatal(err)
	}
	if _, err := eng.Put(acme, "photos", "cats/1.txt", strings.NewReader("meow"), engine.PutOptions{}); err != nil {
		log.Fatal(err)
	}
	r, err := eng.Get(acme, "photos", "cats/1.txt", engine.GetOptions{Range: container.From(1)})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	_, _ = io.Copy(os.Stdout, r)
	fmt.Println()

	other := tenant.NewContext(ctx, "other")
	_, err = eng.Stat(other, "photos", "cats/1.txt", engine.StatOptions{})
	fmt.Println(errors.Is(err, container.ErrNotFound))
	// Output:
	// eow
	// true
}

// A condition makes sure that nobody has changed what one is about to replace.
func ExampleEngine_Put_condition() {
	ctx := context.Background()
	store, err := pebblestore.OpenMemory(ctx)
	if err != nil {
		log.Fatal(err)
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("ram", memory.New()))
	if err != nil {
		log.Fatal(err)
	}
	defer eng.Close(ctx)
	if _, err := eng.CreateContainer(ctx, "c", engine.CreateContainerOptions{}); err != nil {
		log.Fatal(err)
	}
	first, err := eng.Put(ctx, "c", "state", strings.NewReader("1"), engine.PutOptions{})
	if err != nil {
		log.Fatal(err)
	}
	onlyIfUnchanged := engine.PutOptions{Condition: container.Condition{IfMatch: []string{first.Tag}}}
	_, err = eng.Put(ctx, "c", "state", strings.NewReader("2"), onlyIfUnchanged)
	fmt.Println(err)
	_, err = eng.Put(ctx, "c", "state", strings.NewReader("3"), onlyIfUnchanged)
	fmt.Println(errors.Is(err, container.ErrPrecondition))
	// Output:
	// <nil>
	// true
}
