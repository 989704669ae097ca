package sigv4test

import (
	"fmt"
	"strings"
)

// Chunks describes an aws-chunked body for [Signer.Chunks].
type Chunks struct {
	Size    int      // of a chunk, in bytes; 0 means all data in one
	Seed    string   // the signature of the request; "" leaves the chunks unsigned
	Trailer []string // "name:value", in lower case and sorted
	// EndTrailer writes a trailer even if Trailer is empty.
	EndTrailer bool
}

// Chunks frames data as an aws-chunked body.
func (s Signer) Chunks(data string, c Chunks) string {
	var b strings.Builder
	size := c.Size
	if size == 0 {
		size = max(len(data), 1)
	}
	previous := c.Seed
	chunk := func(part string) {
		fmt.Fprintf(&b, "%x", len(part))
		if c.Seed != "" {
			previous = s.Signature(strings.Join([]string{
				"AWS4-HMAC-SHA256-PAYLOAD", s.iso(), s.scope(), previous, Sum(""), Sum(part),
			}, "\n"))
			b.WriteString(";chunk-signature=" + previous)
		}
		b.WriteString("\r\n")
		if part != "" {
			b.WriteString(part + "\r\n")
		}
	}
	for ; data != ""; data = data[min(size, len(data)):] {
		chunk(data[:min(size, len(data))])
	}
	chunk("")
	if len(c.Trailer) > 0 || c.EndTrailer {
		s.trailer(&b, c, previous)
	}
	b.WriteString("\r\n")
	return b.String()
}

func (s Signer) trailer(b *strings.Builder, c Chunks, previous string) {
	canonical := ""
	for _, line := range c.Trailer {
		b.WriteString(line + "\r\n")
		canonical += line + "\n"
	}
	if c.Seed != "" {
		signature := s.Signature(strings.Join([]string{
			"AWS4-HMAC-SHA256-TRAILER", s.iso(), s.scope(), previous, Sum(canonical),
		}, "\n"))
		b.WriteString("x-amz-trailer-signature:" + signature + "\r\n")
	}
}
