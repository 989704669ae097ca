package catalog

import (
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/vaultaire/vaultaire/container"
)

// A Version is one version of an artifact, as its row holds it.
type Version struct {
	unknownFields
	// Sequence orders the versions of a key: the time of the commit in
	// nanoseconds since 1970, or one more than the highest if the clock is
	// behind it.
	Sequence uint64
	ID       ulid.ULID // the public version id, unless Null
	Null     bool      // put while the container kept no versions
	Marker   bool      // a delete marker: there are no bytes
	Modified time.Time
	Size     int64
	Tag      string
	Content  ContentID
	Digests  container.Digests
	Headers  container.ContentHeaders
	Metadata map[string]string
	Class    string
}

// Artifact returns what users see of v.
func (v *Version) Artifact(name, key string) container.Artifact {
	a := v.artifact(name, key)
	a.Digests, a.Metadata = slices.Clone(v.Digests), maps.Clone(v.Metadata)
	return a
}

// artifact is Artifact for a v that is not used again.
func (v *Version) artifact(name, key string) container.Artifact {
	id := container.NullVersion
	if !v.Null {
		id = container.Version(v.ID.String())
	}
	return container.Artifact{
		Container: name,
		Key:       key,
		Version:   id,
		Size:      v.Size,
		Tag:       v.Tag,
		Modified:  v.Modified,
		Digests:   v.Digests,
		Headers:   v.Headers,
		Metadata:  v.Metadata,
		Class:     v.Class,
	}
}

func (v *Version) appendFields(b []byte) []byte {
	b = appendUint(b, 1, v.Sequence)
	if v.ID != (ulid.ULID{}) {
		b = appendString(b, 2, v.ID[:])
	}
	b = appendBool(b, 3, v.Null)
	b = appendBool(b, 4, v.Marker)
	b = appendTime(b, 5, v.Modified)
	b = appendUint(b, 6, uint64(v.Size))
	b = appendString(b, 7, v.Tag)
	if v.Content != (ContentID{}) {
		b = appendString(b, 8, v.Content[:])
	}
	for _, d := range v.Digests {
		b = appendMessage(b, 9, &digestField{Digest: d})
	}
	b = appendString(b, 10, v.Headers.ContentType)
	b = appendString(b, 11, v.Headers.ContentEncoding)
	b = appendString(b, 12, v.Headers.ContentLanguage)
	b = appendString(b, 13, v.Headers.ContentDisposition)
	b = appendString(b, 14, v.Headers.CacheControl)
	b = appendString(b, 15, v.Headers.Expires)
	for _, name := range slices.Sorted(maps.Keys(v.Metadata)) {
		b = appendMessage(b, 16, &metadataField{name: name, value: v.Metadata[name]})
	}
	b = appendString(b, 17, v.Class)
	return append(b, v.unknownFields...)
}

func (v *Version) setField(f field) (bool, error) {
	var err error
	switch {
	case f.isUint(1):
		v.Sequence = f.value
	case f.isBytes(2):
		v.ID, err = f.id()
	case f.isUint(3):
		v.Null = f.value != 0
	case f.isUint(4):
		v.Marker = f.value != 0
	case f.isUint(5):
		v.Modified = f.time()
	case f.isUint(6):
		v.Size = int64(f.value)
	case f.isBytes(7):
		v.Tag = f.text
	case f.isBytes(8):
		v.Content, err = f.id()
	case f.isBytes(9):
		var d digestField
		err = f.message(&d)
		v.Digests = append(v.Digests, d.Digest)
	case f.isBytes(10):
		v.Headers.ContentType = f.text
	case f.isBytes(11):
		v.Headers.ContentEncoding = f.text
	case f.isBytes(12):
		v.Headers.ContentLanguage = f.text
	case f.isBytes(13):
		v.Headers.ContentDisposition = f.text
	case f.isBytes(14):
		v.Headers.CacheControl = f.text
	case f.isBytes(15):
		v.Headers.Expires = f.text
	case f.isBytes(16):
		var m metadataField
		err = f.message(&m)
		if v.Metadata == nil {
			v.Metadata = make(map[string]string)
		}
		v.Metadata[m.name] = m.value
	case f.isBytes(17):
		v.Class = f.text
	default:
		return false, nil
	}
	return true, err
}

// A metadataField is one entry of the user's metadata as a message.
type metadataField struct {
	unknownFields
	name, value string
}

func (m *metadataField) appendFields(b []byte) []byte {
	b = appendString(b, 1, m.name)
	b = appendString(b, 2, m.value)
	return append(b, m.unknownFields...)
}

func (m *metadataField) setField(f field) (bool, error) {
	switch {
	case f.isBytes(1):
		m.name = f.text
	case f.isBytes(2):
		m.value = f.text
	default:
		return false, nil
	}
	return true, nil
}

// A head is the row of a key: its current version, and the highest sequence
// that any version of the key ever had.
type head struct {
	unknownFields
	Highest uint64
	Current Version
}

func (h *head) appendFields(b []byte) []byte {
	b = appendUint(b, 1, h.Highest)
	b = appendMessage(b, 2, &h.Current)
	return append(b, h.unknownFields...)
}

func (h *head) setField(f field) (bool, error) {
	switch {
	case f.isUint(1):
		h.Highest = f.value
	case f.isBytes(2):
		return true, f.message(&h.Current)
	default:
		return false, nil
	}
	return true, nil
}
