package pebblestore

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func chunk(note uint64, data string) []byte {
	b := make([]byte, notedHeader, notedHeader+len(data))
	binary.LittleEndian.PutUint16(b[chunkSize:], uint16(len(data)))
	b[chunkKind] = firstNotedKind
	binary.LittleEndian.PutUint64(b[chunkNote:], note)
	b = append(b, data...)
	binary.LittleEndian.PutUint32(b, chunkChecksum(b))
	return b
}

func TestNotesAreCorrected(t *testing.T) {
	t.Parallel()
	before := bytes.Join([][]byte{chunk(10, "a"), chunk(500, "b"), chunk(501, "c")}, nil)
	after := bytes.Join([][]byte{chunk(10, "a"), chunk(500, "b"), chunk(500, "c")}, nil)
	end := make([]byte, plainHeader)
	end[chunkKind] = firstPlainKind
	plain := append(bytes.Clone(end), "data"...)
	binary.LittleEndian.PutUint16(plain[chunkSize:], 4)
	binary.LittleEndian.PutUint32(plain, chunkChecksum(plain))
	given := bytes.Clone(before)
	for name, tail := range map[string][]byte{"open": nil, "closed": end, "without notes": plain} {
		got, ok := correctNotes(append(bytes.Clone(given), tail...), 1000, 500)
		require.True(t, ok, name)
		assert.Equal(t, append(bytes.Clone(after), tail...), got, name)
	}
	for _, left := range []int{1, 5, plainHeader, notedHeader - 1} { // of a block, too little for a chunk
		got, ok := correctNotes(append(make([]byte, left), before...), logBlock-int64(left), 500)
		require.True(t, ok, left)
		assert.Equal(t, append(make([]byte, left), after...), got)
	}
	got, ok := correctNotes(append(bytes.Clone(plain), before...), logBlock-int64(len(plain)), 500)
	require.True(t, ok)
	assert.Equal(t, append(bytes.Clone(plain), after...), got)
	for name, strange := range map[string][]byte{
		"no chunk":             make([]byte, 100),
		"another kind":         append(bytes.Clone(before), 0, 0, 0, 0, 0, 0, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
		"half a chunk":         before[:len(before)-1],
		"half a header":        before[:len(before)-len(chunk(0, "c"))+5],
		"another checksum":     append(bytes.Clone(before), make([]byte, 4)...)[1:],
		"over the block's end": chunk(1, string(make([]byte, 999))),
	} {
		off := int64(1000)
		if name == "over the block's end" {
			off = logBlock - 100
		}
		_, ok := correctNotes(strange, off, 500)
		assert.False(t, ok, name)
	}
}

// A later Pebble may write its log in another way. Then it is synced as Pebble
// says.
func TestALogThatIsNotUnderstoodIsSyncedAlways(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	fence := newFence(disk, ".", &poison{log: slog.New(slog.DiscardHandler)})
	file, err := fence.Create("log", categoryLog)
	require.NoError(t, err)
	dir, err := fence.OpenDir("")
	require.NoError(t, err)
	require.NoError(t, dir.Sync())
	fence.lazy.Add(1)
	durable := func() string {
		b, err := disk.CrashClone(vfs.CrashCloneCfg{}).Open("log")
		require.NoError(t, err)
		defer b.Close()
		content := make([]byte, 100)
		n, _ := b.Read(content)
		return string(content[:n])
	}
	write := func(s string) {
		_, err := file.Write([]byte(s))
		require.NoError(t, err)
		require.NoError(t, file.Sync())
	}
	write("one ")
	assert.Empty(t, durable(), "the sync was left out")
	write("two ")
	assert.Equal(t, "one two ", durable())
	write("three")
	assert.Equal(t, "one two three", durable())
	require.NoError(t, file.Close())
	require.NoError(t, dir.Close())
}
