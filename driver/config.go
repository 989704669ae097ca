package driver

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/vaultaire/vaultaire/container"
)

// Fields says where [Decode] puts the value of each key: a pointer to a
// string, a bool, an int, an int64, a [time.Duration], a []string, a
// map[string]any, or anything that is an [encoding.TextUnmarshaler].
type Fields map[string]any

// Decode sets fields from config. It is where a driver's map[string]any meets
// its Go types:
//
//	opts := Options{Timeout: 30 * time.Second}
//	err := driver.Decode(config, driver.Fields{
//		"endpoint": &opts.Endpoint,
//		"timeout":  &opts.Timeout,
//	})
//
// A field whose key config lacks keeps its value, so defaults are set before
// and required keys are checked after. Whole numbers may come as any Go
// integer or, as JSON has them, as float64 or [json.Number]; durations as a
// string such as "30s" or as a [time.Duration].
//
// All unknown keys and wrong types are reported together, each as an
// ErrInvalid that names the key and what is accepted. The errors of Decode
// itself show types and never values, which may be secrets.
func Decode(config map[string]any, fields Fields) error {
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(config)) {
		target, ok := fields[key]
		if !ok {
			problems = append(problems, unknownKey(key, fields))
			continue
		}
		accepted, err := assign(target, config[key])
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("%w: key %q: %w", container.ErrInvalid, key, err))
		case accepted != "":
			problems = append(problems, fmt.Errorf("%w: key %q is %s; accepted is %s",
				container.ErrInvalid, key, describe(config[key]), accepted))
		}
	}
	return errors.Join(problems...)
}

func unknownKey(key string, fields Fields) error {
	if len(fields) == 0 {
		return fmt.Errorf("%w: unknown key %q; none is accepted", container.ErrInvalid, key)
	}
	var known []string
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		known = append(known, fmt.Sprintf("%q", name))
	}
	return fmt.Errorf("%w: unknown key %q; accepted are %s", container.ErrInvalid, key, strings.Join(known, ", "))
}

// assign sets *target to value. If value does not fit, it returns what would.
func assign(target, value any) (accepted string, err error) {
	switch t := target.(type) {
	case *string:
		return set(t, value, "a string")
	case *bool:
		return set(t, value, "a bool")
	case *[]string:
		list, ok := stringList(value)
		return setIf(ok, t, list, "a list of strings")
	case *map[string]any:
		return set(t, value, "a map")
	case *int64:
		n, ok := wholeNumber(value)
		return setIf(ok, t, n, "a whole number")
	case *int:
		n, ok := wholeNumber(value)
		return setIf(ok && n == int64(int(n)), t, int(n), "a whole number")
	case *time.Duration:
		d, ok := duration(value)
		return setIf(ok, t, d, `a duration such as "1m30s"`)
	case encoding.TextUnmarshaler:
		text, ok := value.(string)
		if !ok {
			return "a string", nil
		}
		return "", t.UnmarshalText([]byte(text))
	default:
		return "", fmt.Errorf("the driver decodes it into a %T, which Decode does not support", target)
	}
}

func set[T any](target *T, value any, accepted string) (string, error) {
	v, ok := value.(T)
	return setIf(ok, target, v, accepted)
}

func setIf[T any](ok bool, target *T, value T, accepted string) (string, error) {
	if !ok {
		return accepted, nil
	}
	*target = value
	return "", nil
}

func wholeNumber(value any) (int64, bool) {
	switch v := reflect.ValueOf(value); {
	case v.CanInt():
		return v.Int(), true
	case v.CanUint():
		return int64(v.Uint()), v.Uint() <= math.MaxInt64
	}
	switch n := value.(type) {
	case float64:
		// Beyond 2^53 a float64 no longer tells neighboring integers apart.
		exact := n == math.Trunc(n) && math.Abs(n) <= 1<<53
		return int64(n), exact
	case json.Number:
		i, err := n.Int64()
		return i, err == nil
	}
	return 0, false
}

func duration(value any) (time.Duration, bool) {
	switch d := value.(type) {
	case time.Duration:
		return d, true
	case string:
		parsed, err := time.ParseDuration(d)
		return parsed, err == nil
	}
	return 0, false
}

func stringList(value any) ([]string, bool) {
	switch list := value.(type) {
	case []string:
		return slices.Clone(list), true
	case []any:
		out := make([]string, 0, len(list))
		for _, item := range list {
			s, ok := item.(string)
			if !ok {
				return nil, false
			}
			out = append(out, s)
		}
		return out, true
	}
	return nil, false
}

// describe names the type of value and keeps the value to itself.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case float64:
		if v != math.Trunc(v) {
			return "a number with a fraction"
		}
		return "a number"
	case string:
		return "a string of another form"
	default:
		return fmt.Sprintf("of type %T", v)
	}
}
