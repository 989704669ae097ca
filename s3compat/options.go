package s3compat

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// DefaultRegion is the region of a handler that is not told another.
const DefaultRegion = "us-east-1"

// An Option configures a [Handler].
type Option func(*config) error

type config struct {
	credentials      CredentialSource
	region           string
	domains          []string // lower case, without ports
	basePath         string
	idempotentCreate bool
	clock            func() time.Time
	logger           *slog.Logger
}

// newConfig applies opts and reports everything that is wrong with them.
func newConfig(opts []Option) (*config, error) {
	c := &config{
		region: DefaultRegion,
		clock:  time.Now,
		logger: slog.New(slog.DiscardHandler),
	}
	var errs []error
	for _, opt := range opts {
		if opt == nil {
			errs = append(errs, fmt.Errorf("%w: an option is nil", container.ErrInvalid))
			continue
		}
		errs = append(errs, opt(c))
	}
	if err := errors.Join(errs...); err != nil || c.credentials != nil {
		return c, err
	}
	return nil, fmt.Errorf("%w: WithCredentials is missing", container.ErrInvalid)
}

// WithCredentials says whose signatures are accepted. It is required.
func WithCredentials(source CredentialSource) Option {
	return func(c *config) error {
		if source == nil {
			return fmt.Errorf("%w: WithCredentials needs a source", container.ErrInvalid)
		}
		c.credentials = source
		if static, ok := source.(*staticCredentials); ok {
			return static.err
		}
		return nil
	}
}

// WithRegion sets the one region that the handler is: the region in signatures,
// and the location of every bucket. The default is [DefaultRegion].
func WithRegion(region string) Option {
	return func(c *config) error {
		if region == "" || strings.Trim(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return fmt.Errorf("%w: region %q; wanted letters, digits and hyphens, such as %q", container.ErrInvalid, region, DefaultRegion)
		}
		c.region = region
		return nil
	}
}

// WithVirtualHosts accepts virtual-host style for the given domains: a request
// to the host photos.s3.example.com is about the bucket photos if
// s3.example.com is among them. Path style stays accepted. Ports do not count.
func WithVirtualHosts(domains ...string) Option {
	return func(c *config) error {
		var errs []error
		for _, domain := range domains {
			d := strings.ToLower(strings.Trim(domain, "."))
			if d == "" || strings.ContainsAny(d, "/: \t") {
				errs = append(errs, fmt.Errorf("%w: domain %q; wanted a host name without a port", container.ErrInvalid, domain))
				continue
			}
			c.domains = append(c.domains, d)
		}
		return errors.Join(errs...)
	}
}

// WithBasePath names what a proxy in front of the process removes from the
// front of each path, unescaped, such as "/storage": clients have signed it. A
// prefix that this process strips itself needs no mention.
func WithBasePath(path string) Option {
	return func(c *config) error {
		if path != "" && !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") {
			return fmt.Errorf("%w: base path %q; wanted one that begins with a slash and does not end with one", container.ErrInvalid, path)
		}
		c.basePath = path
		return nil
	}
}

// WithIdempotentCreate answers 200 to the creation of a bucket that the
// principal owns already, as Amazon does in us-east-1. Without it the answer is
// 409 BucketAlreadyOwnedByYou, as everywhere else.
func WithIdempotentCreate() Option {
	return func(c *config) error {
		c.idempotentCreate = true
		return nil
	}
}

// WithClock replaces [time.Now], by which the age of signatures is judged.
func WithClock(now func() time.Time) Option {
	return func(c *config) error {
		if now == nil {
			return fmt.Errorf("%w: WithClock needs a clock", container.ErrInvalid)
		}
		c.clock = now
		return nil
	}
}

// WithLogger says where failures go whose cause the client is not told. The
// default is nowhere.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return fmt.Errorf("%w: WithLogger needs a logger", container.ErrInvalid)
		}
		c.logger = logger
		return nil
	}
}
