package awschunked

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

// FuzzReader looks for a body that panics, that ends well with another length
// than announced, that is read differently in small pieces, or that fails with
// an error of another type.
func FuzzReader(f *testing.F) {
	f.Add("3\r\nabc\r\n0\r\n"+crcLine("abc")+"\r\n\r\n", "3", true)
	f.Add("3\r\nabc\r\n0\r\n\r\n", "3", false)
	f.Add("2000\r\n"+strings.Repeat("a", 8192)+"\r\n1\r\nb\r\n0\r\n\r\n", "8193", false)
	f.Add("0\r\n\n\r\nx: y\r\n", "0", false)
	f.Add("ffffffffffffffffff\r\n", "1", false)
	f.Fuzz(func(t *testing.T, body, length string, checksum bool) {
		h := http.Header{"X-Amz-Decoded-Content-Length": {length}}
		if checksum {
			h.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
		}
		read := func(src io.Reader) (string, error) {
			r, err := NewReader(src, h, sigv4.UnsignedChunksTrailer, nil)
			if err != nil {
				return "", err
			}
			data, err := io.ReadAll(r)
			if err == nil && int64(len(data)) != r.Size() {
				t.Fatalf("%d bytes, announced were %d", len(data), r.Size())
			}
			return string(data), err
		}
		whole, err := read(strings.NewReader(body))
		pieces, err2 := read(iotest.OneByteReader(strings.NewReader(body)))
		if (err == nil) != (err2 == nil) || err == nil && whole != pieces {
			t.Fatalf("%q, %v in one; %q, %v in pieces", whole, err, pieces, err2)
		}
		var typed *Error
		if err != nil && !errors.As(err, &typed) {
			t.Fatalf("not a typed error: %v", err)
		}
	})
}
