// Command quickstart keeps a few bytes in an engine and reads them back, without
// any HTTP.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

func main() {
	if err := run(context.Background(), "data", os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, out io.Writer) error {
	eng, err := embedded.Open(ctx, dir)
	if err != nil {
		return err
	}
	defer eng.Close(ctx)

	_, err = eng.CreateContainer(ctx, "letters", engine.CreateContainerOptions{})
	if err != nil && !errors.Is(err, container.ErrExists) {
		return err
	}
	_, err = eng.Put(ctx, "letters", "2026/hello.txt", strings.NewReader("Hello, Vaultaire!\n"), engine.PutOptions{})
	if err != nil {
		return err
	}
	for entry, err := range eng.List(ctx, "letters", engine.ListOptions{Prefix: "2026/"}) {
		if err != nil {
			return err
		}
		fmt.Fprintln(out, entry.Artifact.Key, entry.Artifact.Size, "bytes")
	}
	r, err := eng.Get(ctx, "letters", "2026/hello.txt", engine.GetOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(out, r)
	return err
}
