package s3compat

import (
	"math"
	"strings"

	"github.com/vaultaire/vaultaire/container"
)

// parseRange reads a Range header. One that is malformed, of another unit, or
// of several ranges selects everything, as RFC 9110, section 14.2, allows and
// Amazon does.
func parseRange(header string) container.Range {
	const unit = "bytes="
	if len(header) < len(unit) || !strings.EqualFold(header[:len(unit)], unit) {
		return container.Range{}
	}
	first, last, ok := strings.Cut(strings.Trim(header[len(unit):], " \t"), "-")
	from, fromOK := parseOffset(first)
	to, toOK := parseOffset(last)
	switch {
	case !ok:
		return container.Range{}
	case first == "" && toOK:
		return container.Last(to)
	case fromOK && last == "":
		return container.From(from)
	case fromOK && toOK && from <= to:
		return container.Span(from, to-from+1)
	}
	return container.Range{}
}

// parseOffset parses decimal digits. A number that is too large becomes the
// largest whose successor is one too: every object is shorter.
func parseOffset(digits string) (int64, bool) {
	if digits == "" {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		if n > (math.MaxInt64-1-int64(d))/10 {
			n = math.MaxInt64 - 1
			continue
		}
		n = n*10 + int64(d)
	}
	return n, true
}
