// Command server is an S3 server over an embedded engine, in one process and
// one directory.
//
//	go run ./examples/server
//
// It listens on 127.0.0.1:9000, keeps everything under ./data, makes keys on its
// first start, and prints what to paste into aws and rclone. Metrics for
// Prometheus are at /-/metrics and a health check is at /-/healthz, since no
// container can be created under the name "-" through S3. A signal stops it after the requests that run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/embedded"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/metrics"
	"github.com/vaultaire/vaultaire/s3compat"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	cfg, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	// What follows is closed in the opposite order, even though ctx has ended.
	closing := context.WithoutCancel(ctx)
	logger := slog.New(slog.NewTextHandler(stderr, nil))
	counts := metrics.New()
	opts := []engine.Option{engine.WithLogger(logger), engine.WithSink(counts)}
	if cfg.events != "" {
		file, openErr := event.OpenJSONLines(ctx, cfg.events)
		if openErr != nil {
			return openErr
		}
		defer func() {
			err = errors.Join(err, file.Close(closing))
			reportLost(logger, file)
		}()
		opts = append(opts, engine.WithSink(file))
	}
	keys, given, err := cfg.givenKeys()
	if err != nil {
		return err
	}
	eng, err := embedded.Open(ctx, cfg.dir, opts...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close(closing)) }()

	if !given {
		if keys, err = cfg.ownKeys(); err != nil {
			return err
		}
	}
	s3, err := s3compat.New(eng, append(cfg.s3, s3compat.WithCredentials(keys.source), s3compat.WithLogger(logger))...)
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return err
	}
	printUsage(stdout, cfg, keys, listener.Addr())
	return serve(ctx, listener, newHandler(eng, counts, s3), logger)
}

// reportLost says how many events the file of events lacks.
func reportLost(logger *slog.Logger, file *event.JSONLines) {
	if n, last := file.Lost(); n > 0 {
		logger.Error("the file of events is not complete", "lost", n, "error", last)
	}
}

// shutdownTime is how long requests may go on after a signal.
const shutdownTime = 30 * time.Second

// serve serves until ctx ends, and then until the requests that run have ended.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, logger *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	logger.Info("stopping")
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	err := server.Shutdown(closing)
	if errors.Is(err, context.DeadlineExceeded) {
		logger.Warn("requests are cut off", "after", shutdownTime)
		err = server.Close()
	}
	return err
}
