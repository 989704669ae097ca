package driver_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A level is a type that knows its own text.
type level int

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "high" {
		return errors.New("accepted is high")
	}
	*l = 3
	return nil
}

// everything has a field of each type that Decode supports.
type everything struct {
	text   string
	flag   bool
	number int
	wide   int64
	wait   time.Duration
	list   []string
	nested map[string]any
	level  level
}

func (e *everything) fields() driver.Fields {
	return driver.Fields{
		"text": &e.text, "flag": &e.flag, "number": &e.number, "wide": &e.wide,
		"wait": &e.wait, "list": &e.list, "nested": &e.nested, "level": &e.level,
	}
}

func TestDecodeSetsEachType(t *testing.T) {
	t.Parallel()
	want := everything{
		text: "a", flag: true, number: -7, wide: 1 << 40, wait: 90 * time.Second,
		list: []string{"x", "y"}, nested: map[string]any{"kind": "memory"}, level: 3,
	}
	for name, config := range map[string]map[string]any{
		"from Go": {
			"text": "a", "flag": true, "number": -7, "wide": int64(1 << 40), "wait": 90 * time.Second,
			"list": []string{"x", "y"}, "nested": map[string]any{"kind": "memory"}, "level": "high",
		},
		"from JSON": fromJSON(t, `{"text": "a", "flag": true, "number": -7, "wide": 1099511627776, "wait": "1m30s",
			"list": ["x", "y"], "nested": {"kind": "memory"}, "level": "high"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got everything
			require.NoError(t, driver.Decode(config, got.fields()))
			assert.Equal(t, want, got)
		})
	}
}

func fromJSON(t *testing.T, text string) map[string]any {
	t.Helper()
	var config map[string]any
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	return config
}

func TestDecodeLeavesWhatIsNotConfigured(t *testing.T) {
	t.Parallel()
	got := everything{text: "default", wait: time.Second}
	require.NoError(t, driver.Decode(map[string]any{"number": json.Number("12")}, got.fields()))
	assert.Equal(t, everything{text: "default", wait: time.Second, number: 12}, got)
	require.NoError(t, driver.Decode(nil, got.fields()))
}

func TestDecodeNamesTheKeyWhatWasFoundAndWhatIsAccepted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		key    string
		value  any
		errors []string
	}{
		{"txt", "a", []string{`unknown key "txt"`, `accepted are "flag", "level", "list", "nested", "number", "text", "wait", "wide"`}},
		{"Text", "a", []string{`unknown key "Text"`}},
		{"text", 1, []string{`key "text" is of type int`, "accepted is a string"}},
		{"text", nil, []string{`key "text" is null`, "accepted is a string"}},
		{"flag", "true", []string{`key "flag"`, "accepted is a bool"}},
		{"number", "5", []string{`key "number"`, "accepted is a whole number"}},
		{"number", 1.5, []string{`key "number" is a number with a fraction`, "accepted is a whole number"}},
		{"wide", 1e300, []string{`key "wide"`, "accepted is a whole number"}},
		{"wide", uint64(1 << 63), []string{`key "wide" is of type uint64`, "accepted is a whole number"}},
		{"wait", 5, []string{`key "wait" is of type int`, `accepted is a duration such as "1m30s"`}},
		{"wait", "5 parsecs", []string{`key "wait" is a string of another form`, "accepted is a duration"}},
		{"list", []any{"a", 1}, []string{`key "list" is of type []interface {}`, "accepted is a list of strings"}},
		{"list", "a", []string{`key "list"`, "accepted is a list of strings"}},
		{"nested", []any{}, []string{`key "nested"`, "accepted is a map"}},
		{"level", 3, []string{`key "level" is of type int`, "accepted is a string"}},
		{"level", "low", []string{`key "level"`, "accepted is high"}},
	} {
		var got everything
		err := driver.Decode(map[string]any{tc.key: tc.value}, got.fields())
		require.ErrorIs(t, err, container.ErrInvalid, "%s: %v", tc.key, tc.value)
		for _, text := range tc.errors {
			assert.ErrorContains(t, err, text)
		}
		assert.Equal(t, everything{}, got, "%s: %v", tc.key, tc.value)
	}
}

func TestDecodeReportsAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	var got everything
	err := driver.Decode(map[string]any{"text": 1, "colour": "red", "wait": true}, got.fields())
	for _, key := range []string{`"text"`, `"colour"`, `"wait"`} {
		assert.ErrorContains(t, err, "key "+key)
	}
}

func TestDecodeNeverShowsAValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, value := range []any{secret, []string{secret}, []any{secret, 1}, map[string]any{secret: secret}} {
		var got everything
		for _, key := range []string{"flag", "number", "wide", "wait", "unknown"} {
			err := driver.Decode(map[string]any{key: value}, got.fields())
			require.Error(t, err)
			assert.NotContains(t, err.Error(), secret)
		}
	}
}

func TestDecodeRefusesATargetThatItDoesNotSupport(t *testing.T) {
	t.Parallel()
	var f float32
	err := driver.Decode(map[string]any{"ratio": 0.5}, driver.Fields{"ratio": &f})
	assert.ErrorContains(t, err, "*float32, which Decode does not support")
	assert.ErrorContains(t, driver.Decode(map[string]any{"a": 1}, nil), "none is accepted")
}
