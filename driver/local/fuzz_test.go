package local

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/drivertest"
	"github.com/vaultaire/vaultaire/driver/local/vfs/crashfs"
)

// Whatever these tests parse was read from a disk, and may be anything. Nothing
// of it may make a driver panic, or take more memory than so much and this for
// each byte.
const (
	allocatedPerByte = 64
	allocatedAtLeast = 128 << 10 // what is allocated is known in steps
)

// A fuzzedFormat is something that is parsed.
type fuzzedFormat struct {
	seed []byte
	// seal makes the checksum in b right, so that what it covers is looked at.
	seal func(b []byte)
	// remake parses b, and returns what must be equal to b: what it was parsed
	// from, made anew. It returns nil if b is not sound.
	remake func(t testing.TB, b []byte) []byte
}

// fuzzedSegment and fuzzedNonce are where what is fuzzed claims to be.
const (
	fuzzedSegment = 7
	fuzzedNonce   = 0x0123456789abcdef
	fuzzedOffset  = 17 * recordAlign
)

// fuzzedFormats returns everything that a driver parses.
func fuzzedFormats() []fuzzedFormat {
	none := func([]byte) {}
	small := smallRef{segment: fuzzedSegment, offset: fuzzedOffset, size: 100, nonce: 5}
	return []fuzzedFormat{
		{sealedRecord(100), func(b []byte) { sealRecord(b, fuzzedOffset) }, remakeHead},
		{mark{segmentMagic, fuzzedSegment, fuzzedNonce, 1}.append(nil), sealMark, remakeMark},
		{footer{geometry{2}, 200 << 10, 5}.append(nil), sealFooter, remakeFooter},
		{appendEntry(nil, fuzzedNonce, markSize, small), func(b []byte) { sealEntry(b, markSize) }, remakeEntry},
		{[]byte(small.ref()), none, remakeRef},
		{[]byte(blobID{42, 5}.ref()), none, remakeRef},
		{[]byte(numberedName(42, logSuffix)), none, remakeName},
		{[]byte(blobFileName(42)), none, remakeName},
		{[]byte(`{"kind":"` + formatKind + `","version":2,"identity":"x"}`), none, remakeFormat},
		{[]byte("async"), none, remakeSyncMode},
	}
}

// FuzzParse parses bytes as each of the things that a driver reads. What is
// sound and what is made of it anew are the same.
func FuzzParse(f *testing.F) {
	formats := fuzzedFormats()
	for kind, format := range formats {
		f.Add(byte(kind), format.seed, false)
		f.Add(byte(kind), format.seed, true)
		require.NotNil(f, format.remake(f, format.seed), "seed %d", kind)
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte, sealed bool) {
		format := formats[int(kind)%len(formats)]
		if sealed {
			format.seal(b)
		}
		var again []byte
		limit := uint64(allocatedAtLeast + len(b)*allocatedPerByte)
		require.True(t, drivertest.AllocatesAtMost(limit, func() { again = format.remake(t, b) }), "for %d bytes", len(b))
		if again != nil {
			require.Equal(t, string(b[:len(again)]), string(again))
		}
	})
}

func fuzzedID() segmentID { return segmentID{fuzzedSegment, fuzzedNonce} }

// sealedRecord returns the bytes of a record.
func sealedRecord(size int64) []byte {
	b := make([]byte, recordSize(size))
	record{size: size, nonce: 5, created: time.Unix(1, 2)}.putHead(b[:headSize(size)], b[headSize(size):][:size])
	fuzzedID().placeHead(b[:headSize(size)], fuzzedOffset, markSize)
	return b
}

// sealRecord makes sound what may be the head of a record at offset.
func sealRecord(b []byte, offset int64) {
	if len(b) < recordHeader {
		return
	}
	head := headSize(int64(binary.LittleEndian.Uint32(b[8:])))
	if head <= min(int64(len(b)), maxRecordHead) {
		copy(b, recordMagic)
		binary.LittleEndian.PutUint32(b[4:], fuzzedID().recordSum(offset, b[:head]))
	}
}

func remakeHead(t testing.TB, b []byte) []byte {
	r, ok := fuzzedID().parseHead(b, fuzzedOffset)
	if !ok {
		return nil
	}
	require.LessOrEqual(t, r.size, int64(maxSmallBlob))
	require.Zero(t, r.synced%recordAlign)
	// The sums are those of data that is not here.
	head := slices.Clone(b[:headSize(r.size)])
	record{nonce: r.nonce, created: r.created}.putHead(head, nil)
	binary.LittleEndian.PutUint32(head[8:], uint32(r.size))
	fuzzedID().placeHead(head, r.offset, r.synced)
	return head
}

func sealMark(b []byte) {
	if len(b) >= markSize {
		binary.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], castagnoli))
	}
}

func remakeMark(t testing.TB, b []byte) []byte {
	if len(b) < markSize {
		return nil
	}
	for _, magic := range []string{segmentMagic, logMagic, sealMagic} {
		m, err := parseMark([markSize]byte(b), magic)
		if err != nil {
			requireKnown(t, err)
			continue
		}
		again, err := parseMark([markSize]byte(m.append(nil)), magic)
		require.NoError(t, err)
		require.Equal(t, m, again)
		return b[:8] // the rest has room for what later versions may say
	}
	return nil
}

// requireKnown requires that damage is told as what it is.
func requireKnown(t testing.TB, err error) {
	t.Helper()
	if !errors.Is(err, container.ErrCorrupt) && !errors.Is(err, container.ErrInvalid) && !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
	}
}

func sealFooter(b []byte) {
	if len(b) >= footerSize {
		copy(b, blobMagic)
		binary.LittleEndian.PutUint32(b[8:], blobVersion)
		binary.LittleEndian.PutUint32(b[32:], crc32.Checksum(b[:32], castagnoli))
	}
}

func remakeFooter(t testing.TB, b []byte) []byte {
	if len(b) < footerSize {
		return nil
	}
	// The file is as large as it must be, if any is.
	g := geometry{groupBlocks: int64(binary.LittleEndian.Uint32(b[12:]))}
	f, err := parseFooter(b, g.fileSize(int64(binary.LittleEndian.Uint64(b[16:]))))
	if err != nil {
		requireKnown(t, err)
		return nil
	}
	size, end := f.geometry.fileSize(f.size), blocksIn(f.size)
	for _, block := range []int64{0, end / 2, end - 1} {
		if block >= 0 && block < end {
			data, sum := f.geometry.blockOffset(block), f.geometry.sumOffset(block, f.size)
			require.True(t, data >= 0 && data < sum && sum <= size-footerSize-sumSize, "block %d of %+v", block, f)
		}
	}
	return f.append(nil)
}

func sealEntry(b []byte, offset int64) {
	if len(b) >= entrySize {
		binary.LittleEndian.PutUint32(b, entrySum(fuzzedNonce, offset, b))
	}
}

func remakeEntry(t testing.TB, b []byte) []byte {
	if len(b) < entrySize {
		return nil
	}
	ref, ok := parseEntry(b, fuzzedNonce, markSize)
	if !ok {
		return nil
	}
	require.True(t, ref.offset >= 0 && ref.size >= 0 && ref.end() > ref.offset, "%+v", ref)
	again, ok := parseEntry(appendEntry(nil, fuzzedNonce, markSize, ref), fuzzedNonce, markSize)
	require.True(t, ok)
	require.Equal(t, ref, again)
	return b[4:4] // the rest has room for what later versions may say
}

func remakeRef(t testing.TB, b []byte) []byte {
	ref := driver.Ref(b)
	p, ok := parsePosition(ref)
	if !ok {
		return nil
	}
	if r, ok := parseSmallRef(ref); ok {
		require.Equal(t, position{true, r.segment, r.offset, r.nonce}, p)
		return []byte(r.ref())
	}
	id, _ := parseRef(ref)
	require.Equal(t, position{number: id.number, nonce: id.nonce}, p)
	return []byte(id.ref())
}

func remakeName(_ testing.TB, b []byte) []byte {
	if n, ok := parseNumberedName(string(b), logSuffix); ok {
		return []byte(numberedName(n, logSuffix))
	}
	if n, ok := parseHexName(string(b), 16); ok {
		return []byte(blobFileName(n))
	}
	return nil
}

func remakeFormat(t testing.TB, b []byte) []byte {
	format, err := parseFormat(b)
	if err != nil {
		requireKnown(t, err)
		return nil
	}
	text, err := json.Marshal(format)
	require.NoError(t, err)
	again, err := parseFormat(text)
	require.NoError(t, err)
	require.Equal(t, format, again)
	return b[:1] // text has many forms
}

func remakeSyncMode(_ testing.TB, b []byte) []byte {
	var m SyncMode
	if m.UnmarshalText(b) != nil {
		return nil
	}
	return []byte(m.String())
}

// FuzzOpen opens a folder in which the files of a segment, of a deletion log and
// of a blob are anything. What is listed then can be read, or is damaged, and the
// next open finds the same. In files to be sealed, the checksums are right.
func FuzzOpen(f *testing.F) {
	segment := mark{segmentMagic, fuzzedSegment, fuzzedNonce, 0}.append(nil)
	for range 3 {
		segment = append(segment, sealedRecord(100)...)
	}
	end := func(b []byte) []byte {
		return mark{sealMagic, fuzzedSegment, fuzzedNonce, uint64(len(b))}.append(b)
	}
	ended := end(slices.Clone(segment))
	dead := mark{logMagic, fuzzedLog, fuzzedNonce, 0}.append(nil)
	dead = appendEntry(dead, fuzzedNonce, markSize, smallRef{fuzzedSegment, markSize, 100, 5})
	dead = append(dead, make([]byte, 2*markSize)...)
	blob := footer{defaultGeometry, 0, 5}.append(nil)
	f.Add(segment, dead, blob, true)
	f.Add(ended, dead[:markSize], append([]byte("datasums"), blob...), true)
	f.Add(end(append(slices.Clone(segment), "no record"...)), []byte{}, blob, true)
	f.Add([]byte{}, []byte{}, []byte{}, false)
	f.Add(make([]byte, 1000), make([]byte, 1000), make([]byte, 1000), false)
	f.Fuzz(func(t *testing.T, segment, dead, blob []byte, sealed bool) {
		if len(segment)+len(dead)+len(blob) > 1<<20 {
			return
		}
		if sealed {
			sealSegment(segment)
			sealLog(dead)
			sealFooter(blob[max(len(blob)-footerSize, 0):])
		}
		options := Options{FS: crashfs.New(), segmentSize: 16 << 10}
		d, err := Open(t.Context(), "/", options)
		require.NoError(t, err)
		require.NoError(t, d.Close(t.Context()))
		require.NoError(t, options.FS.Mkdir(d.folderPath(0)))
		for name, text := range map[string][]byte{d.segmentPath(fuzzedSegment): segment, d.logPath(fuzzedLog): dead, d.blobPath(5): blob} {
			file, err := options.FS.Create(name)
			require.NoError(t, err)
			_, err = file.Write(text)
			require.NoError(t, errors.Join(err, file.Close()))
		}
		require.True(t, drivertest.AllocatesAtMost(8<<20, func() {
			d, err := Open(t.Context(), "/", options)
			require.NoError(t, err)
			require.NoError(t, d.Close(t.Context()))
		}))
		first := openFuzzed(t, options)
		require.Equal(t, first, openFuzzed(t, options))
	})
}

const fuzzedLog = 3

// sealSegment makes a header, records where there is the start of one, and the
// seal if there is one, sound.
func sealSegment(b []byte) {
	if len(b) < markSize {
		return
	}
	copy(b, mark{segmentMagic, fuzzedSegment, fuzzedNonce, 0}.append(nil))
	for offset := markSize; offset < len(b); offset += recordAlign {
		if bytes.HasPrefix(b[offset:], []byte(recordMagic)) {
			sealRecord(b[offset:], int64(offset))
		}
	}
	if last := b[len(b)-markSize:]; bytes.HasPrefix(last, []byte(sealMagic)) {
		copy(last, mark{sealMagic, fuzzedSegment, fuzzedNonce, uint64(len(b) - markSize)}.append(nil))
	}
}

// sealLog makes a header and entries sound. They are of segments that can be:
// numbers come to an end, which is where a driver that has met the last one is.
func sealLog(b []byte) {
	if len(b) < markSize {
		return
	}
	copy(b, mark{logMagic, fuzzedLog, fuzzedNonce, fuzzedSegment}.append(nil))
	for offset := markSize; offset+entrySize <= len(b); offset += entrySize {
		if [entrySize]byte(b[offset:]) != [entrySize]byte{} {
			clear(b[offset+9 : offset+16])
			sealEntry(b[offset:], int64(offset))
		}
	}
}

// openFuzzed opens a folder, reads all that is listed and returns what that is,
// and closes it after a Put to see that it works.
func openFuzzed(t *testing.T, options Options) (listed []driver.Blob) {
	t.Helper()
	d, err := Open(t.Context(), "/", options)
	require.NoError(t, err)
	for b, err := range d.List(t.Context(), "") {
		require.NoError(t, err)
		listed = append(listed, b)
		r, err := d.Open(t.Context(), b.Ref, 0, -1)
		if err == nil {
			var text []byte
			text, err = io.ReadAll(r)
			err = errors.Join(err, r.Close())
			require.True(t, err != nil || int64(len(text)) == b.Size, "%d bytes of %+v", len(text), b)
		}
		if err != nil {
			require.ErrorIs(t, err, container.ErrCorrupt, "%+v", b)
		}
	}
	ref, err := d.Put(t.Context(), "name", bytes.NewReader([]byte("text")), driver.PutOptions{Size: 4})
	require.NoError(t, err)
	require.NoError(t, d.Delete(t.Context(), ref))
	require.NoError(t, d.Close(t.Context()))
	return listed
}
