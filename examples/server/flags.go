package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/vaultaire/vaultaire/s3compat"
)

// A config is what the command line says.
type config struct {
	addr, dir, events    string
	accessKey, secretKey string
	credentials          string // a file
	region, domain       string
	s3                   []s3compat.Option
}

func parseFlags(args []string, stderr io.Writer) (*config, error) {
	cfg := new(config)
	var idempotentCreate bool
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.addr, "addr", "127.0.0.1:9000", "address to listen on")
	flags.StringVar(&cfg.dir, "dir", "data", "directory that keeps everything")
	flags.StringVar(&cfg.accessKey, "access-key", "", "access key of the only credential; needs -secret-key")
	flags.StringVar(&cfg.secretKey, "secret-key", "", "secret of the only credential; needs -access-key")
	flags.StringVar(&cfg.credentials, "credentials", "", "JSON `file` with a list of credentials")
	flags.StringVar(&cfg.region, "region", s3compat.DefaultRegion, "region that clients sign for")
	flags.StringVar(&cfg.domain, "domain", "", "domain whose subdomains are buckets (virtual-host style)")
	flags.StringVar(&cfg.events, "events", "", "`file` to append each operation's event to, as lines of JSON")
	flags.BoolVar(&idempotentCreate, "idempotent-create", false, "answer 200 to the creation of a bucket that one owns already")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q; everything is a flag", flags.Arg(0))
	case cfg.dir == "":
		return nil, errors.New("-dir names no directory")
	case (cfg.accessKey == "") != (cfg.secretKey == ""):
		return nil, errors.New("-access-key and -secret-key go together")
	case cfg.accessKey != "" && cfg.credentials != "":
		return nil, errors.New("-credentials and -access-key exclude each other")
	}
	cfg.s3 = append(cfg.s3, s3compat.WithRegion(cfg.region))
	if cfg.domain != "" {
		cfg.s3 = append(cfg.s3, s3compat.WithVirtualHosts(cfg.domain))
	}
	if idempotentCreate {
		cfg.s3 = append(cfg.s3, s3compat.WithIdempotentCreate())
	}
	return cfg, nil
}
