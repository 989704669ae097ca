package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vaultaire/vaultaire/container"
)

func fullVersion() Version {
	return Version{
		Sequence: 1 << 60,
		ID:       ulid.MustParse("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
		Null:     true,
		Marker:   true,
		Modified: time.Unix(0, 1<<60).UTC(),
		Size:     1 << 40,
		Tag:      "tag",
		Content:  newContentID(1<<63, 7),
		Digests:  container.Digests{{Algorithm: container.MD5, Sum: "\x00\xff"}, {Algorithm: container.CRC32, Sum: "1234"}},
		Headers: container.ContentHeaders{
			ContentType: "a", ContentEncoding: "b", ContentLanguage: "c",
			ContentDisposition: "d", CacheControl: "e", Expires: "f",
		},
		Metadata: map[string]string{"k": "v", "empty": "", "bytes": "\xff"},
		Class:    "COLD",
	}
}

// rows holds one full row, or part of one, of each type, and a zero one to decode
// into.
func rows() map[string][2]message {
	version := fullVersion()
	return map[string][2]message{
		"digest":   {&digestField{Digest: version.Digests[0]}, &digestField{}},
		"metadata": {&metadataField{name: "k", value: "v"}, &metadataField{}},
		"replica":  {&Replica{Driver: "a", Ref: "r1"}, &Replica{}},
		"extent":   {&Extent{Content: newContentID(1, 2), Offset: 3, Length: 4}, &Extent{}},
		"head":     {&head{Highest: 9, Current: version}, &head{}},
		"version":  {&version, &Version{}},
		"content": {&Content{
			Refs: 3, Size: 12,
			Replicas: []Replica{{Driver: "a", Ref: "r1"}, {Driver: "b", Ref: "r2"}},
			Extents:  []Extent{{Content: newContentID(1, 2), Offset: 3, Length: 4}},
		}, &Content{}},
		"container": {&containerRow{Created: time.Unix(5, 6).UTC(), Owner: container.Owner{ID: "i", DisplayName: "d"}}, &containerRow{}},
		"condemned": {&condemnedRow{Epoch: 1 << 40}, &condemnedRow{}},
		"barrier":   {&barrierRow{Epoch: 1 << 40}, &barrierRow{}},
		"undo": {&undoRow{
			Tenant: "t", Container: "n", Key: "k", Content: newContentID(1, 2),
			Previous: &head{Highest: 9, Current: version},
		}, &undoRow{}},
		"incarnation": {&incarnationRow{Started: time.Unix(5, 6).UTC(), Clean: true, Held: true}, &incarnationRow{}},
		"trailer": {&Trailer{
			Catalog: "c", Content: newContentID(1, 2), Tenant: "t", Container: "n", Key: "k",
			Written: time.Unix(7, 8).UTC(), Version: version,
			Kind: 1, Owner: container.Owner{ID: "i", DisplayName: "d"}, Created: time.Unix(5, 6).UTC(),
		}, &Trailer{}},
	}
}

func TestARowComesBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	for name, row := range rows() {
		require.NoError(t, decodeRow(encodeRow(row[0]), row[1]), name)
		diff := cmp.Diff(row[0], row[1], cmp.AllowUnexported(
			head{}, Version{}, Content{}, Replica{}, Extent{}, containerRow{}, incarnationRow{}, Trailer{},
			condemnedRow{}, barrierRow{}, undoRow{}, digestField{}, metadataField{}),
			cmpopts.EquateEmpty())
		require.Empty(t, diff, name)
	}
}

func TestAnEarlierProgramKeepsTheFieldsItDoesNotKnow(t *testing.T) {
	t.Parallel()
	for name, row := range rows() {
		later := encodeRow(row[0])
		later = protowire.AppendTag(later, 1000, protowire.BytesType)
		later = protowire.AppendString(later, "from the future")
		later = protowire.AppendTag(later, 1001, protowire.Fixed32Type)
		later = protowire.AppendFixed32(later, 42)
		require.NoError(t, decodeRow(later, row[1]), name)
		require.Equal(t, later, encodeRow(row[1]), name)
	}
}

func TestARowOfAnotherFormatIsRefused(t *testing.T) {
	t.Parallel()
	for name, row := range rows() {
		require.ErrorIs(t, decodeRow(nil, row[1]), container.ErrCorrupt, name)
		require.ErrorIs(t, decodeRow([]byte{rowFormat + 1}, row[1]), container.ErrCorrupt, name)
		b := encodeRow(row[0])
		require.ErrorIs(t, decodeRow(b[:len(b)-1], row[1]), container.ErrCorrupt, name)
	}
}

func TestATrailerIsReadFromTheEndOfABlob(t *testing.T) {
	t.Parallel()
	want := *rows()["trailer"][0].(*Trailer)
	length := want.EncodedLength() + 99
	b, err := want.Encode(length)
	require.NoError(t, err)
	require.Len(t, b, length)
	n, err := TrailerLength(b[length-TrailerFooterLength:])
	require.NoError(t, err)
	require.Equal(t, length, n)
	got, err := DecodeTrailer(b)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(want, got, cmp.AllowUnexported(Trailer{}, Version{}), cmpopts.EquateEmpty()))

	_, err = want.Encode(want.EncodedLength() - 1)
	require.Error(t, err)
	for i := range b {
		if i >= want.EncodedLength()-TrailerFooterLength && i < length-TrailerFooterLength {
			continue // padding, which nobody reads
		}
		flipped := append([]byte(nil), b...)
		flipped[i] ^= 1
		_, err := DecodeTrailer(flipped)
		require.ErrorIs(t, err, container.ErrCorrupt, "byte %d", i)
	}
}
