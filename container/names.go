package container

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits on names and on what is stored beside an artifact's bytes.
const (
	MaxNameLength     = 255      // bytes in a container's name
	MaxKeyLength      = 1024     // bytes in an artifact's key
	MaxMetadataLength = 7 << 10  // bytes in an artifact's headers and metadata; see ValidateMetadata
	MaxSize           = 50 << 40 // bytes in an artifact: 50 TiB
	MaxConditionTags  = 100      // tags in one list of a Condition
)

// ValidateName returns an [ErrInvalid] that says what is wrong with name as
// the name of a container. A name is 1 to [MaxNameLength] bytes of UTF-8
// without control characters and without "/".
func ValidateName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w: container name is empty", ErrInvalid)
	case len(name) > MaxNameLength:
		return fmt.Errorf("%w: container name has %d bytes, at most %d are accepted", ErrInvalid, len(name), MaxNameLength)
	case !utf8.ValidString(name):
		return fmt.Errorf("%w: container name %q is not UTF-8", ErrInvalid, name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' }):
		return fmt.Errorf("%w: container name %q holds a control character or a slash", ErrInvalid, name)
	}
	return nil
}

// ValidateKey returns an [ErrInvalid] that says what is wrong with key as the
// key of an artifact; one that is too long also matches [ErrTooLarge]. A key is
// 1 to [MaxKeyLength] bytes of UTF-8; no character has a meaning.
func ValidateKey(key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%w: artifact key is empty", ErrInvalid)
	case len(key) > MaxKeyLength:
		return fmt.Errorf("%w: %w: artifact key has %d bytes, at most %d are accepted", ErrInvalid, ErrTooLarge, len(key), MaxKeyLength)
	case !utf8.ValidString(key):
		return fmt.Errorf("%w: artifact key %q is not UTF-8", ErrInvalid, key)
	}
	return nil
}

// entryOverhead is about what an entry takes beside its bytes, so that many small
// ones are not larger than a few large ones.
const entryOverhead = 8

// ValidateMetadata returns an [ErrInvalid] if a name in metadata is empty or not
// UTF-8, and an [ErrTooLarge] if headers and metadata are larger than
// [MaxMetadataLength] together, where each entry of metadata counts 8 bytes more
// than its name and value. Values may be any bytes.
func ValidateMetadata(headers ContentHeaders, metadata map[string]string) error {
	size := 0
	for _, v := range []string{
		headers.ContentType, headers.ContentEncoding, headers.ContentLanguage,
		headers.ContentDisposition, headers.CacheControl, headers.Expires,
	} {
		size += len(v)
	}
	for name, value := range metadata {
		if name == "" || !utf8.ValidString(name) {
			return fmt.Errorf("%w: metadata name %q is empty or not UTF-8", ErrInvalid, name)
		}
		size += len(name) + len(value) + entryOverhead
	}
	if size > MaxMetadataLength {
		return fmt.Errorf("%w: headers and metadata have %d bytes, at most %d are accepted", ErrTooLarge, size, MaxMetadataLength)
	}
	return nil
}
