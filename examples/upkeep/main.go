// Command upkeep does to an engine's directory, while nobody has it open, what
// keeps it well:
//
//	upkeep -dir data scrub          read everything, and name what is damaged
//	upkeep -dir data -to copy backup
//	upkeep -dir data rebuild        make a lost catalog anew
//
// A service does the first two with its own engine, while it is in use.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/engine/embedded"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("upkeep", flag.ContinueOnError)
	dir := flags.String("dir", "data", "directory of the engine")
	to := flags.String("to", "backup", "directory that a backup goes to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch flags.Arg(0) {
	case "scrub":
		return withEngine(ctx, *dir, func(eng *engine.Engine) error { return scrub(ctx, eng, out) })
	case "backup":
		return withEngine(ctx, *dir, func(eng *engine.Engine) error { return embedded.Backup(ctx, eng, *to) })
	case "rebuild":
		return rebuild(ctx, *dir, out)
	}
	return fmt.Errorf("what is to be done is %q; accepted are scrub, backup and rebuild", flags.Arg(0))
}

func withEngine(ctx context.Context, dir string, use func(*engine.Engine) error) error {
	eng, err := embedded.Open(ctx, dir)
	if err != nil {
		return err
	}
	return errors.Join(use(eng), eng.Close(context.WithoutCancel(ctx)))
}

func scrub(ctx context.Context, eng *engine.Engine, out io.Writer) error {
	report, err := eng.Scrub(ctx, engine.ScrubOptions{})
	for _, d := range report.Damage {
		fmt.Fprintf(out, "damaged: %s/%s of tenant %s: %v\n", d.Container, d.Artifact, d.Tenant, d.Err)
	}
	fmt.Fprintf(out, "%d artifacts, %d bytes, %d damaged\n", report.Artifacts, report.Bytes, report.Damaged)
	if err == nil && report.Damaged > 0 {
		err = container.ErrCorrupt
	}
	return err
}

func rebuild(ctx context.Context, dir string, out io.Writer) error {
	report, err := embedded.Rebuild(ctx, dir, catalog.RebuildOptions{
		Found: func(_ context.Context, f catalog.Finding) error {
			_, err := fmt.Fprintf(out, "%s: %s/%s of tenant %s, written %v\n", f.Kind, f.Container, f.Key, f.Tenant, f.Written)
			return err
		},
	})
	fmt.Fprintf(out, "%d restored\n", report.Found[catalog.Restored])
	return err
}
