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

func readTags(h http.Header, name string) ([]string, error) {
	tags := parseTags(strings.Join(h.Values(name), ","))
	if len(tags) > container.MaxConditionTags {
		return nil, invalidArgument(name, h.Get(name), "At most %d entity tags are accepted", container.MaxConditionTags)
	}
	return tags, nil
}

// parseTags splits a list of entity tags, which may or may not be quoted.
func parseTags(list string) []string {
	var tags []string
	for list != "" {
		var tag string
		list = strings.TrimLeft(list, " \t,")
		list = strings.TrimPrefix(list, "W/")
		if rest, quoted := strings.CutPrefix(list, `"`); quoted {
			tag, list, _ = strings.Cut(rest, `"`)
			tags = append(tags, tag)
			continue
		}
		tag, list, _ = strings.Cut(list, ",")
		if tag = strings.TrimRight(tag, " \t"); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
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
