package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/minio/crc64nvme"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
)

// A Tail is how a blob ends.
type Tail struct {
	Trailer Trailer
	Data    int64 // bytes before the trailer
	Size    int64 // of the whole blob
	Read    int64 // bytes that were read to find out
}

// tailStep is what is read at first. Nearly every trailer is shorter.
const tailStep = 4 << 10

// ReadTail reads the end of a blob of d. It returns an ErrCorrupt if that is not
// a trailer, or what the driver reports; an ErrNotFound if the blob is gone. A
// blob of which the driver does not know the size is read to its end.
func ReadTail(ctx context.Context, d driver.Driver, blob driver.Blob) (Tail, error) {
	if blob.Size < 0 {
		return readBlob(ctx, d, blob.Ref, io.Discard)
	}
	end, err := readLast(ctx, d, blob, min(blob.Size, tailStep))
	if err != nil {
		return Tail{}, err
	}
	read := int64(len(end))
	length, err := lengthOfTrailer(end)
	if err != nil {
		return Tail{}, err
	}
	if length > read && length <= blob.Size {
		if end, err = readLast(ctx, d, blob, length); err != nil {
			return Tail{}, err
		}
		read += length
	}
	return decodeTail(end, blob.Size, read)
}

// decodeTail reads the trailer that end ends with.
func decodeTail(end []byte, size, read int64) (Tail, error) {
	length, err := lengthOfTrailer(end)
	if err != nil {
		return Tail{}, err
	}
	if length > int64(len(end)) {
		return Tail{}, fmt.Errorf("catalog: %w: blob of %d bytes has a trailer of %d", container.ErrCorrupt, size, length)
	}
	t, err := DecodeTrailer(end[int64(len(end))-length:])
	return Tail{Trailer: t, Data: size - length, Size: size, Read: read}, err
}

func lengthOfTrailer(end []byte) (int64, error) {
	n, err := TrailerLength(end[max(len(end)-TrailerFooterLength, 0):])
	return int64(n), err
}

// readLast reads the last n bytes of a blob whose size is known.
func readLast(ctx context.Context, d driver.Driver, blob driver.Blob, n int64) ([]byte, error) {
	body, err := d.Open(ctx, blob.Ref, blob.Size-n, n)
	if err != nil {
		return nil, shorter(err)
	}
	b := make([]byte, n)
	_, err = io.ReadFull(body, b)
	return b, shorter(errors.Join(err, body.Close()))
}

// shorter says what it means if a blob ends before the size that it has.
func shorter(err error) error {
	if errors.Is(err, container.ErrRange) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("catalog: %w: blob ends before the size that it is listed with: %w", container.ErrCorrupt, err)
	}
	return err
}

var buffers = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// VerifyBlob reads a whole blob of d, passes what stands before its trailer to
// also, and compares it with the trailer. If it is not what was put, that is an
// ErrCorrupt; other errors are those of ReadTail and of also.
func VerifyBlob(ctx context.Context, d driver.Driver, ref driver.Ref, also io.Writer) (Tail, error) {
	sum := crc64nvme.New()
	tail, err := readBlob(ctx, d, ref, io.MultiWriter(sum, also))
	if err != nil {
		return tail, err
	}
	v := &tail.Trailer.Version
	want, ok := v.Digests.Get(container.CRC64NVME)
	switch {
	case tail.Data != v.Size:
		return tail, fmt.Errorf("catalog: %w: blob has %d bytes of %d", container.ErrCorrupt, tail.Data, v.Size)
	case !ok || want.Sum != string(sum.Sum(nil)):
		return tail, fmt.Errorf("catalog: %w: blob has another %s than was put", container.ErrCorrupt, container.CRC64NVME)
	}
	return tail, nil
}

// readBlob reads a whole blob and writes what stands before its trailer to data.
// Its errors are those of ReadTail and of data.
func readBlob(ctx context.Context, d driver.Driver, ref driver.Ref, data io.Writer) (Tail, error) {
	body, err := d.Open(ctx, ref, 0, -1)
	if err != nil {
		return Tail{}, err
	}
	buffer := buffers.Get().(*[64 << 10]byte)
	defer buffers.Put(buffer)
	end := lastBytes{before: data}
	size, err := io.CopyBuffer(&end, struct{ io.Reader }{body}, buffer[:])
	if err := errors.Join(err, body.Close()); err != nil {
		return Tail{}, err
	}
	tail, err := decodeTail(end.kept, size, size)
	if err == nil {
		_, err = data.Write(end.kept[:int64(len(end.kept))-(size-tail.Data)])
	}
	return tail, err
}

// lastBytes is a writer that keeps the last MaxTrailerLength bytes, and passes on
// those before them.
type lastBytes struct {
	before io.Writer
	kept   []byte
}

func (l *lastBytes) Write(p []byte) (int, error) {
	l.kept = append(l.kept, p...)
	excess := len(l.kept) - MaxTrailerLength
	if excess <= 0 {
		return len(p), nil
	}
	_, err := l.before.Write(l.kept[:excess])
	l.kept = l.kept[:copy(l.kept, l.kept[excess:])]
	return len(p), err
}
