package container_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/container"
)

func TestValidateName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a", ".", "..", "A b", "日本", "\u00a0", "%2F", `\`, strings.Repeat("n", container.MaxNameLength),
	} {
		assert.NoError(t, container.ValidateName(name), "name %q", name)
	}
	for name, want := range map[string]string{
		"":      "empty",
		"a/b":   "slash",
		"a\x00": "control character",
		"a\n":   "control character",
		"\x1f":  "control character",
		"\x7f":  "control character",
		"\xff":  "not UTF-8",
		strings.Repeat("n", container.MaxNameLength+1): "256 bytes, at most 255",
		strings.Repeat("日", 86):                        "258 bytes", // bytes count, not characters
	} {
		err := container.ValidateName(name)
		assert.ErrorIs(t, err, container.ErrInvalid, "name %q", name)
		assert.ErrorContains(t, err, want, "name %q", name)
	}
}

func TestValidateKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"a", "/", "//", "a/../b", ".", "a/", "\x00", "\n", "日本", "\U0010ffff",
		strings.Repeat("k", container.MaxKeyLength),
	} {
		assert.NoError(t, container.ValidateKey(key), "key %q", key)
	}
	for key, want := range map[string]string{
		"":             "empty",
		"a\xff":        "not UTF-8",
		"\xed\xa0\x80": "not UTF-8", // half of a surrogate pair
	} {
		err := container.ValidateKey(key)
		assert.ErrorIs(t, err, container.ErrInvalid, "key %q", key)
		assert.NotErrorIs(t, err, container.ErrTooLarge, "key %q", key)
		assert.ErrorContains(t, err, want, "key %q", key)
	}
	err := container.ValidateKey(strings.Repeat("k", container.MaxKeyLength+1))
	assert.ErrorIs(t, err, container.ErrInvalid)
	assert.ErrorIs(t, err, container.ErrTooLarge)
	assert.ErrorContains(t, err, "1025 bytes, at most 1024")
}

func TestValidateMetadataLimitsTheSumOfAllSizes(t *testing.T) {
	t.Parallel()
	of := func(n int) string { return strings.Repeat("v", n) }
	// 6 headers of 100 bytes, a name of 4 bytes, 8 for the entry, and a value that
	// fills up.
	headers := container.ContentHeaders{
		ContentType: of(100), ContentEncoding: of(100), ContentLanguage: of(100),
		ContentDisposition: of(100), CacheControl: of(100), Expires: of(100),
	}
	room := container.MaxMetadataLength - 612
	assert.NoError(t, container.ValidateMetadata(headers, map[string]string{"name": of(room)}))
	assert.ErrorIs(t, container.ValidateMetadata(headers, map[string]string{"name": of(room + 1)}), container.ErrTooLarge)
	assert.ErrorIs(t, container.ValidateMetadata(headers, map[string]string{"longer": of(room)}), container.ErrTooLarge)
	assert.NoError(t, container.ValidateMetadata(container.ContentHeaders{}, nil))
}

func TestValidateMetadataRefusesNamesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a\xff"} {
		err := container.ValidateMetadata(container.ContentHeaders{}, map[string]string{name: "v"})
		assert.ErrorIs(t, err, container.ErrInvalid, "name %q", name)
	}
}
