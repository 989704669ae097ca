package durability

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/tenant"
)

// A caller is on whose behalf an operation runs.
type caller struct {
	tenant    tenant.ID
	principal tenant.Principal
}

const invalidTenant tenant.ID = "\x01"

// check returns how every call of the caller ends, if it cannot be allowed.
func (c caller) check() error {
	if c.tenant == invalidTenant {
		return container.ErrInvalid
	}
	return nil
}

func (c caller) context(ctx context.Context) context.Context {
	if c.tenant != tenant.Default {
		ctx = tenant.NewContext(ctx, c.tenant)
	}
	if c.principal.ID != "" {
		ctx = tenant.WithPrincipal(ctx, c.principal)
	}
	return ctx
}

// A chooser makes random choices for operations, among few, so that they meet.
type chooser struct {
	*rand.Rand
	keys []string
}

func newChooser(rng *rand.Rand) chooser {
	c := chooser{rng, nil}
	const keys = 48
	for len(c.keys) < keys {
		c.keys = append(c.keys, c.newKey())
	}
	return c
}

// newKey makes a key of pieces that are hard on listings: delimiters, what comes
// right before and behind them, and the lowest and highest characters.
func (c chooser) newKey() string {
	pieces := []string{
		"a", "b", "ab", "/", "/", "//", "a/", "a//b", ".", "0", "\x00", "\x7f", "é", "\uffff", "\U0010ffff", " ", "%2F", "~",
	}
	if c.IntN(24) == 0 {
		return strings.Repeat(pick(c, pieces[:3]), container.MaxKeyLength)[:container.MaxKeyLength]
	}
	var b strings.Builder
	for range 1 + c.IntN(5) {
		b.WriteString(pick(c, pieces))
	}
	return b.String()
}

func pick[T any](c chooser, of []T) T { return of[c.IntN(len(of))] }

// oneIn reports true once in n times.
func (c chooser) oneIn(n int) bool { return c.IntN(n) == 0 }

func (c chooser) caller() caller {
	who := caller{tenant: pick(c, []tenant.ID{tenant.Default, "acme", "ténant/2"})}
	if c.oneIn(6) {
		who.principal = pick(c, []tenant.Principal{{ID: "ann", DisplayName: "Ann"}, {ID: "bob"}, {ID: "root", Admin: true}})
	}
	if c.oneIn(200) {
		who.tenant = invalidTenant
	}
	return who
}

func (c chooser) name() string {
	if c.oneIn(80) {
		return pick(c, []string{"", "a/b", "a\x00", "\xff", strings.Repeat("n", container.MaxNameLength+1), "never made"})
	}
	return pick(c, []string{"a", "b b", "é", strings.Repeat("n", container.MaxNameLength)})
}

func (c chooser) key() string {
	if c.oneIn(80) {
		return pick(c, []string{"", "\xff", strings.Repeat("k", container.MaxKeyLength+1), "never put"})
	}
	return pick(c, c.keys)
}

// part returns the beginning of a key, or something like one.
func (c chooser) part() string {
	if c.oneIn(3) {
		return pick(c, []string{"", "/", "a", "zz", "\xff", strings.Repeat("k", container.MaxKeyLength+5)})
	}
	key := pick(c, c.keys)
	n := c.IntN(len(key) + 1)
	for n < len(key) && !utf8.RuneStart(key[n]) && !c.oneIn(4) {
		n++
	}
	return key[:n]
}

// size returns the size of an artifact: small ones, those around the sizes at
// which something in an engine or in a driver changes, and what is left of such a
// size by a trailer of some length.
func (c chooser) size() int {
	const block, packed = 64 << 10, 128 << 10
	switch p := c.IntN(100); {
	case p < 60:
		return c.IntN(600)
	case p < 75:
		return pick(c, []int{0, 1, 15, 16, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097})
	case p < 94:
		return c.IntN(6000)
	case p < 97:
		return pick(c, []int{block, packed, 2 * packed}) + c.IntN(3) - 1
	case p < 99:
		return pick(c, []int{block, packed}) - c.IntN(2000)
	default:
		return 3*block + c.IntN(6*block)
	}
}

// condition returns one that fits an artifact, or just not; a may be nil.
func (c chooser) condition(a *modelArtifact) (cond container.Condition) {
	if !c.oneIn(3) {
		return cond
	}
	tag, modified := "none", time.Unix(1_800_000_000, 0)
	if a != nil {
		tag, modified = a.Tag, a.Modified
	}
	tags := func() []string {
		return pick(c, [][]string{{tag}, {"other"}, {"other", tag}, {"*"}, {strings.ToUpper(tag) + "x"}})
	}
	since := func() time.Time {
		return modified.Add(pick(c, []time.Duration{0, -time.Second, time.Second, -time.Millisecond, time.Hour}))
	}
	for range 1 + c.IntN(2) {
		switch c.IntN(4) {
		case 0:
			cond.IfMatch = tags()
		case 1:
			cond.IfNoneMatch = tags()
		case 2:
			cond.IfModifiedSince = since()
		case 3:
			cond.IfUnmodifiedSince = since()
		}
	}
	if c.oneIn(60) {
		cond.IfMatch = make([]string, container.MaxConditionTags+1)
	}
	return cond
}

// byteRange returns a range around the bounds of size bytes, and what it selects
// of them; ok is false if that is nothing.
func (c chooser) byteRange(size int64) (r container.Range, off, n int64, ok bool) {
	near := func() int64 {
		x := pick(c, []int64{0, size, size / 2, 64 << 10, c.Int64N(size + 1)}) + c.Int64N(3) - 1
		return max(x, 0)
	}
	switch a, b := near(), near(); c.IntN(6) {
	case 0:
		r, off, n = container.Span(a, b), a, min(b, size-a)
	case 1:
		r, off, n = container.From(a), a, size-a
	case 2:
		r, off, n = container.Last(a), max(size-a, 0), min(a, size)
	default:
		return container.Range{}, 0, size, true
	}
	return r, off, n, n > 0
}

func (c chooser) listOptions() engine.ListOptions {
	opts := engine.ListOptions{Limit: c.IntN(6)}
	if c.oneIn(2) {
		opts.Prefix = c.part()
	}
	if c.oneIn(2) {
		opts.Delimiter = pick(c, []string{"/", "/", "//", "a", "\x00", "é", "ab"})
	}
	if c.oneIn(2) {
		opts.StartAfter = c.part()
	}
	if c.oneIn(100) {
		opts.Limit = pick(c, []int{-1, 1000, 1001})
	}
	return opts
}
