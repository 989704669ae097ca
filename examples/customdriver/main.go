// Command customdriver shows a whole driver in five methods, driver.go, how to
// prove it, driver_test.go, and an engine over it.
//
//	go run ./examples/customdriver
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog/pebblestore"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "customdriver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	eng, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(ctx)) }()
	if _, err := eng.CreateContainer(ctx, "c", engine.CreateContainerOptions{}); err != nil {
		return err
	}
	if _, err := eng.Put(ctx, "c", "k", strings.NewReader("five methods are enough"), engine.PutOptions{}); err != nil {
		return err
	}
	r, err := eng.Get(ctx, "c", "k", engine.GetOptions{Range: container.Span(0, 12)})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(out, r)
	return err
}

// open opens an engine that keeps bytes in dir and names in memory.
func open(ctx context.Context, dir string) (*engine.Engine, error) {
	folder, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	store, err := pebblestore.OpenMemory(ctx)
	if err != nil {
		return nil, errors.Join(err, folder.Close(ctx))
	}
	eng, err := engine.New(ctx, engine.WithCatalog(store), engine.WithDriver("folder", folder))
	if err != nil {
		return nil, errors.Join(err, store.Close(ctx), folder.Close(ctx))
	}
	return eng, nil
}
