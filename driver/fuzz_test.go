package driver_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/drivertest"
)

// FuzzDecode decodes configurations. What is refused is refused as invalid, and
// what was decoded and is encoded again is decoded to the same.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"text": "a", "flag": true, "number": -7, "wide": 1099511627776, "wait": "1m30s"}`), false)
	f.Add([]byte(`{"list": ["x", "y"], "nested": {"kind": "memory"}, "level": "high"}`), true)
	f.Add([]byte(`{"number": 1e300, "wide": 9007199254740993, "wait": "5 parsecs", "list": [1], "colour": null}`), true)
	f.Fuzz(func(t *testing.T, text []byte, numbers bool) {
		var config map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		if numbers {
			d.UseNumber()
		}
		if d.Decode(&config) != nil {
			return
		}
		var got everything
		var err error
		limit := uint64(256<<10 + 4096*len(text)) // each error names all that is accepted
		require.True(t, drivertest.AllocatesAtMost(limit, func() { err = driver.Decode(config, got.fields()) }))
		if err != nil {
			require.ErrorIs(t, err, container.ErrInvalid)
			return
		}
		remade := map[string]any{}
		for key, field := range got.fields() {
			remade[key] = reflect.ValueOf(field).Elem().Interface()
		}
		delete(remade, "level") // which has no form but its text
		if level, ok := config["level"]; ok {
			remade["level"] = level
		}
		var again everything
		require.NoError(t, driver.Decode(remade, again.fields()))
		require.Equal(t, got, again)
	})
}
