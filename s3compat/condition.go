package s3compat

import (
	"net/http"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// readCondition reads the four conditional headers. Dates that are none are
// ignored, as RFC 9110 demands.
func readCondition(h http.Header) (container.Condition, error) {
	var c container.Condition
	var err error
	if c.IfMatch, err = readTags(h, "If-Match"); err != nil {
		return c, err
	}
	if c.IfNoneMatch, err = readTags(h, "If-None-Match"); err != nil {
		return c, err
	}
	for i, tag := range c.IfNoneMatch { // compares weakly: RFC 9110, section 13.1.2
		c.IfNoneMatch[i] = strings.TrimPrefix(tag, weakPrefix)
	}
	c.IfModifiedSince = readDate(h, "If-Modified-Since")
	c.IfUnmodifiedSince = readDate(h, "If-Unmodified-Since")
	return c, nil
}

// readPutCondition is readCondition for PutObject, of which S3 takes If-Match,
// and If-None-Match if it is "*".
func readPutCondition(h http.Header) (container.Condition, error) {
	c, err := readCondition(h)
	if err == nil && len(c.IfNoneMatch) > 0 && (len(c.IfNoneMatch) > 1 || c.IfNoneMatch[0] != container.AnyTag) {
		err = notImplemented("If-None-Match")
	}
	return c, err
}

// readTags reads a list of entity tags. A header that is there and holds none
// is refused: without its condition the request would be another.
func readTags(h http.Header, name string) ([]string, error) {
	values := h[name]
	if len(values) == 0 {
		return nil, nil
	}
	list := strings.Join(values, ",")
	tags, ok := parseTags(list)
	switch {
	case !ok || len(tags) == 0:
		return nil, invalidArgument(name, list, "The list of entity tags is malformed")
	case len(tags) > container.MaxConditionTags:
		return nil, invalidArgument(name, list, "At most %d entity tags are accepted", container.MaxConditionTags)
	}
	return tags, nil
}

const weakPrefix = "W/"

// parseTags splits a list of entity tags, which may or may not be quoted. Weak
// tags keep their prefix and a quoted asterisk its quotes, so that no object has
// such a tag.
func parseTags(list string) (tags []string, ok bool) {
	for {
		list = strings.TrimLeft(list, " \t,")
		if list == "" {
			return tags, true
		}
		rest, weak := strings.CutPrefix(list, weakPrefix)
		var tag string
		if inner, quoted := strings.CutPrefix(rest, `"`); quoted {
			if tag, list, ok = strings.Cut(inner, `"`); !ok {
				return nil, false
			}
			list = strings.TrimLeft(list, " \t")
			if list != "" && list[0] != ',' {
				return nil, false
			}
			if tag == container.AnyTag {
				tag = `"*"`
			}
		} else {
			tag, list, _ = strings.Cut(rest, ",")
			tag = strings.TrimRight(tag, " \t")
			if tag == "" || weak || strings.Contains(tag, `"`) {
				return nil, false
			}
		}
		if weak {
			tag = weakPrefix + tag
		}
		tags = append(tags, tag)
	}
}

func readDate(h http.Header, name string) time.Time {
	t, err := http.ParseTime(h.Get(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// failedCondition names the header that was not met, for the Condition element.
func failedCondition(c container.Condition) string {
	switch {
	case len(c.IfMatch) > 0:
		return "If-Match"
	case len(c.IfNoneMatch) > 0 && c.IfUnmodifiedSince.IsZero():
		return "If-None-Match"
	}
	return "If-Unmodified-Since"
}
