package awschunked

import (
	"crypto/sha256"
	"io"
	"slices"
	"strings"
)

const (
	// maxTrailer bounds what follows the last chunk, in bytes.
	maxTrailer = 16 << 10

	trailerSignature = "x-amz-trailer-signature"
)

// A trailer is what follows the last chunk.
type trailer struct {
	fields    []field // sorted by name
	signature string  // "" if there is none
}

// A field is a header of the trailer: its name in lower case, its value
// without surrounding white space.
type field struct{ name, value string }

// readTrailer reads the rest of the body, to its end: the length of the HTTP
// message says where that is, so nothing can hide behind the trailer.
func readTrailer(src io.Reader) (trailer, error) {
	rest, err := io.ReadAll(io.LimitReader(src, maxTrailer+1))
	if err != nil {
		return trailer{}, framing(err)
	}
	if len(rest) > maxTrailer {
		return trailer{}, errTrailer()
	}
	var t trailer
	for line := range strings.Lines(string(rest)) {
		if err := t.add(line); err != nil {
			return trailer{}, err
		}
	}
	slices.SortFunc(t.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return t, nil
}

// add parses one line, its end included. Nothing but empty lines may follow
// the signature.
func (t *trailer) add(line string) error {
	line, ended := strings.CutSuffix(line, "\n")
	line = strings.TrimSuffix(line, "\r")
	if line == "" && ended {
		return nil
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !ended || t.signature != "" {
		return errTrailer()
	}
	f := field{name: strings.ToLower(strings.Trim(name, " \t")), value: strings.Trim(value, " \t")}
	switch {
	case f.name == "" || f.value == "" || t.has(f.name):
		return errTrailer()
	case f.name == trailerSignature:
		t.signature = f.value
	default:
		t.fields = append(t.fields, f)
	}
	return nil
}

func (t *trailer) has(name string) bool {
	return slices.ContainsFunc(t.fields, func(f field) bool { return f.name == name })
}

// sum returns the SHA-256 of the trailer's canonical form, which is what its
// signature covers.
func (t *trailer) sum() [sha256.Size]byte {
	var b strings.Builder
	for _, f := range t.fields {
		b.WriteString(f.name + ":" + f.value + "\n")
	}
	return sha256.Sum256([]byte(b.String()))
}

// verifyTrailer checks that t is what x-amz-trailer announced, no more and no
// less, and that its signature and its checksum are right.
func (r *Reader) verifyTrailer(t trailer) error {
	if (t.signature != "") != (r.chain != nil) {
		return errTrailer()
	}
	if r.chain != nil {
		if err := r.chain.Trailer(t.sum(), t.signature); err != nil {
			return err
		}
	}
	switch {
	case !r.checksum.announced() && len(t.fields) == 0:
		return nil
	case len(t.fields) != 1 || t.fields[0].name != r.checksum.header:
		return errTrailer()
	case r.missing > 0: // its checksum is wrong, but only because of that
		return errLength()
	}
	return r.checksum.verify(t.fields[0].value)
}
