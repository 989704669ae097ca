package sigv4

import (
	"net/http"
	"time"
)

const timeFormat = "20060102T150405Z"

// A timestamp is the time that a request was signed at.
type timestamp struct {
	time time.Time
	sent string // as the client wrote it
}

// iso returns the form in which the time is signed.
func (t timestamp) iso() string { return t.time.Format(timeFormat) }

// date returns the day that the credential's scope must name.
func (t timestamp) date() string { return t.iso()[:len("20060102")] }

// parseTimestamp reads x-amz-date or, without that, Date.
func parseTimestamp(h http.Header) (timestamp, error) {
	var parse = parseISO
	values := h.Values("X-Amz-Date")
	if len(values) == 0 {
		values, parse = h.Values("Date"), parseDate
	}
	if len(values) == 1 {
		if t, err := parse(values[0]); err == nil {
			return timestamp{time: t.UTC(), sent: values[0]}, nil
		}
	}
	return timestamp{}, &Error{
		Kind:    AccessDenied,
		Message: "AWS authentication requires a valid Date or x-amz-date header",
	}
}

func parseISO(s string) (time.Time, error) {
	t, err := time.Parse(timeFormat, s)
	if err == nil && len(s) != len(timeFormat) {
		// time.Parse lets a fraction of a second pass that the format does not
		// have, and which the signed form would lose.
		err = &time.ParseError{Layout: timeFormat, Value: s}
	}
	return t, err
}

// parseDate accepts the formats of HTTP, and that of x-amz-date, which the
// documentation allows in a Date header as well.
func parseDate(s string) (time.Time, error) {
	if t, err := parseISO(s); err == nil {
		return t, nil
	}
	return http.ParseTime(s)
}
