package catalog

import (
	"bytes"
	"encoding/binary"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver/drivertest"
	"github.com/vaultaire/vaultaire/tenant"
)

// Whatever is decoded here was read from a disk, and may be anything. A decoder
// never panics, and never takes more memory than this for each byte: a content
// with nothing but empty replicas, of two bytes each, comes close.
const (
	allocatedPerByte = 256
	allocatedAtLeast = 128 << 10 // what is allocated is known in steps
)

func requireProportion(t *testing.T, size int, decode func()) {
	t.Helper()
	require.True(t, drivertest.AllocatesAtMost(uint64(allocatedAtLeast+size*allocatedPerByte), decode),
		"allocates too much for %d bytes", size)
}

// FuzzRow decodes bytes as a row of each type.
func FuzzRow(f *testing.F) {
	names := slices.Sorted(maps.Keys(rows()))
	for kind, name := range names {
		f.Add(byte(kind), encodeRow(rows()[name][0]))
	}
	// What takes the most memory for each byte.
	for name, num := range map[string]byte{"content": 3, "version": 9, "undo": 5} {
		f.Add(byte(slices.Index(names, name)), append([]byte{rowFormat}, bytes.Repeat([]byte{num<<3 | 2, 0}, 2<<10)...))
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		name := names[int(kind)%len(names)]
		decode := func(b []byte) (message, error) {
			m := rows()[name][1]
			return m, decodeRow(b, m)
		}
		var m message
		var err error
		requireProportion(t, len(b), func() { m, err = decode(b) })
		if err != nil {
			require.ErrorIs(t, err, container.ErrCorrupt)
			return
		}
		// What was read can be written, and is then what it was.
		row := encodeRow(m)
		again, err := decode(row)
		require.NoError(t, err)
		require.Equal(t, row, encodeRow(again))
		// And it refers to no byte of what it was read from.
		clear(b)
		require.Equal(t, row, encodeRow(m))
	})
}

// FuzzTrailer decodes bytes as the end of a blob. Those to be sealed get lengths
// and a checksum that are right, so that the row behind them is looked at.
func FuzzTrailer(f *testing.F) {
	trailer := rows()["trailer"][0].(*Trailer)
	b, err := trailer.Encode(trailer.EncodedLength() + 10)
	require.NoError(f, err)
	f.Add(b, false)
	f.Add(b, true)
	f.Add(append([]byte("data"), b...), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if sealed && len(b) >= TrailerFooterLength && len(b) <= MaxTrailerLength {
			sealTrailer(b)
		}
		var got Trailer
		var err error
		requireProportion(t, len(b), func() { got, err = DecodeTrailer(b) })
		tail, tailErr := decodeTail(b, int64(len(b)), int64(len(b)))
		if tailErr == nil {
			require.True(t, tail.Data >= 0 && tail.Data <= int64(len(b))-TrailerFooterLength, "%d of %d bytes", tail.Data, len(b))
		} else {
			require.ErrorIs(t, tailErr, container.ErrCorrupt)
		}
		if err != nil {
			require.ErrorIs(t, err, container.ErrCorrupt)
			return
		}
		require.NoError(t, tailErr)
		require.Equal(t, Tail{Trailer: got, Size: int64(len(b)), Read: int64(len(b))}, tail)
		encoded, err := got.Encode(got.EncodedLength())
		require.NoError(t, err)
		again, err := DecodeTrailer(encoded)
		require.NoError(t, err)
		require.Equal(t, encodeRow(&got), encodeRow(&again))
	})
}

// sealTrailer makes b a trailer as far as its footer says, of a row that is as
// long as the footer had it, or shorter.
func sealTrailer(b []byte) {
	footer := b[len(b)-TrailerFooterLength:]
	row := binary.BigEndian.Uint32(footer) % uint32(len(b)-TrailerFooterLength+1)
	binary.BigEndian.PutUint32(footer, row)
	binary.BigEndian.PutUint32(footer[4:], uint32(len(b)))
	binary.BigEndian.PutUint32(footer[8:], trailerSum(b[:row], footer))
	copy(footer[12:], trailerMagic[:])
}

// FuzzKey parses bytes as a key of each table whose keys are parsed. What is
// parsed and what it was made of are the same.
func FuzzKey(f *testing.F) {
	s := (&Catalog{}).Scope("t", tenant.Principal{})
	f.Add(s.headKey("container", "a\x00key"))
	f.Add(s.condemnedKey(newContentID(1, 2)))
	f.Add(Incarnation(1).key())
	f.Fuzz(func(t *testing.T, k []byte) {
		if len(k) == 0 {
			return // a store has no such key
		}
		var made []byte
		var err error
		requireProportion(t, len(k), func() { made, err = remakeKey(k) })
		if err != nil {
			require.ErrorIs(t, err, container.ErrCorrupt)
			return
		}
		require.Equal(t, k, made)
	})
}

// remakeKey parses a key and makes it again. Keys that nobody parses stay what
// they are.
func remakeKey(k []byte) ([]byte, error) {
	scope := func(id tenant.ID) Scope { return (&Catalog{}).Scope(id, tenant.Principal{}) }
	switch k[0] {
	case tableHead:
		id, name, key, err := parseHeadKey(k)
		return scope(id).headKey(name, key), err
	case tableCondemned:
		id, content, err := parseCondemnedKey(k)
		return scope(id).condemnedKey(content), err
	case tableIncarnation:
		i, err := parseIncarnationKey(k)
		return i.key(), err
	}
	return k, nil
}

func TestEveryMessageIsFuzzedWithAllItsFields(t *testing.T) {
	t.Parallel()
	var have []string
	for name, row := range rows() {
		full := reflect.ValueOf(row[0]).Elem()
		assert.IsType(t, row[0], row[1], name)
		have = append(have, full.Type().Name())
		for i := range full.NumField() {
			if full.Type().Field(i).Name != "unknownFields" {
				assert.False(t, full.Field(i).IsZero(), "%s lacks its field %s", name, full.Type().Field(i).Name)
			}
		}
	}
	assert.ElementsMatch(t, declaredMessages(t), have)
}

// declaredMessages returns the names of the types that implement message.
func declaredMessages(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if method, ok := decl.(*ast.FuncDecl); ok && method.Name.Name == "setField" {
				names = append(names, method.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name)
			}
		}
	}
	return names
}
