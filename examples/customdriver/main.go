// Command customdriver shows a whole driver in five methods, driver.go, and
// how to prove it, driver_test.go. It stores a blob and reads a part of it.
//
//	go run ./examples/customdriver
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/vaultaire/vaultaire/driver"
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
	d, err := OpenFolder(dir)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := d.Close(ctx); err == nil {
			err = closeErr
		}
	}()
	ref, err := d.Put(ctx, "examples/1", strings.NewReader("five methods are enough"), driver.PutOptions{Size: -1})
	if err != nil {
		return err
	}
	r, err := d.Open(ctx, ref, 5, 7)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(out, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, " are in blob %.8s...\n", ref)
	return err
}
