package s3compat

import (
	"context"
	"strconv"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
)

// maxKeys is the most entries of one answer.
const maxKeys = 1000

// A listing is a request of ListObjects in either version.
type listing struct {
	prefix, delimiter string
	after             string // entries come after it
	limit             int
	encode            bool // encoding-type=url
	showOwner         bool
	page              engine.Page
}

// listObjects is ListObjects, the first version.
func listObjects(ctx context.Context, x *exchange) error {
	l, err := x.listing()
	if err != nil {
		return err
	}
	marker := x.query.Get("marker")
	l.after, l.showOwner = marker, true
	if err := l.read(ctx, x); err != nil {
		return err
	}
	x.writeXML("ListBucketResult", func(w *s3xml.Writer) {
		w.Text("Name", x.target.bucket)
		w.Text("Prefix", l.text(l.prefix))
		w.Text("Marker", l.text(marker))
		if l.page.Next != "" && l.delimiter != "" {
			w.Text("NextMarker", l.text(l.page.Next))
		}
		l.write(w)
	})
	return nil
}

// listObjectsV2 is ListObjectsV2.
func listObjectsV2(ctx context.Context, x *exchange) error {
	if kind := x.query.Get("list-type"); kind != "2" {
		return invalidArgument("list-type", kind, "Invalid List Type specified in Request")
	}
	l, err := x.listing()
	if err != nil {
		return err
	}
	token, err := x.continuation()
	if err != nil {
		return err
	}
	l.showOwner = x.query.Get("fetch-owner") == "true"
	l.after = x.query.Get("start-after")
	if x.query.Has("continuation-token") {
		l.after = token
	}
	if err := l.read(ctx, x); err != nil {
		return err
	}
	x.writeXML("ListBucketResult", func(w *s3xml.Writer) {
		w.Text("Name", x.target.bucket)
		w.Text("Prefix", l.text(l.prefix))
		if x.query.Has("start-after") {
			w.Text("StartAfter", l.text(x.query.Get("start-after")))
		}
		if x.query.Has("continuation-token") {
			w.Text("ContinuationToken", x.query.Get("continuation-token"))
		}
		if l.page.Next != "" {
			w.Text("NextContinuationToken", newToken(l.page.Next))
		}
		w.Int("KeyCount", int64(len(l.page.Entries)))
		l.write(w)
	})
	return nil
}

// listing reads the parameters that both versions have.
func (x *exchange) listing() (*listing, error) {
	l := &listing{
		prefix:    x.query.Get("prefix"),
		delimiter: x.query.Get("delimiter"),
		limit:     maxKeys,
	}
	if encoding := x.query.Get("encoding-type"); encoding == "url" {
		l.encode = true
	} else if encoding != "" {
		return nil, invalidArgument("encoding-type", encoding, "Invalid Encoding Method specified in Request")
	}
	n, given, err := x.number("max-keys", "maxKeys")
	if given {
		l.limit = min(n, maxKeys)
	}
	return l, err
}

// number reads a parameter that is a count. field is what Amazon calls it where
// it is negative.
func (x *exchange) number(name, field string) (n int, given bool, err error) {
	text := x.query.Get(name)
	if text == "" {
		return 0, false, nil
	}
	value, err := strconv.ParseInt(text, 10, 32)
	switch {
	case err != nil:
		return 0, false, invalidArgument(name, text, "Provided %s not an integer or within integer range", name)
	case value < 0:
		return 0, false, invalidArgument(field, text, "Argument %s must be an integer between 0 and 2147483647", field)
	}
	return int(value), true, nil
}

// continuation reads the continuation token, if there is one.
func (x *exchange) continuation() (string, error) {
	const name = "continuation-token"
	if !x.query.Has(name) {
		return "", nil
	}
	after, ok := parseToken(x.query.Get(name))
	if !ok {
		return "", invalidArgument(name, x.query.Get(name), "The continuation token provided is incorrect")
	}
	return after, nil
}

// read reads the page. One of no entries is read as one of a single entry, to
// learn whether the bucket may be listed at all.
func (l *listing) read(ctx context.Context, x *exchange) (err error) {
	l.page, err = x.h.engine.ListPage(ctx, x.target.bucket, engine.ListOptions{
		Prefix:     l.prefix,
		Delimiter:  l.delimiter,
		StartAfter: l.after,
		Limit:      max(l.limit, 1),
	})
	if l.limit == 0 {
		l.page.Entries, l.page.Next = nil, ""
	}
	return err
}

// write writes what both versions end with.
func (l *listing) write(w *s3xml.Writer) {
	w.Int("MaxKeys", int64(l.limit))
	if l.delimiter != "" {
		w.Text("Delimiter", l.text(l.delimiter))
	}
	if l.encode {
		w.Text("EncodingType", "url")
	}
	w.Bool("IsTruncated", l.page.Next != "")
	for _, e := range l.page.Entries {
		if !e.IsPrefix() {
			l.writeObject(w, e.Artifact)
		}
	}
	for _, e := range l.page.Entries {
		if e.IsPrefix() {
			w.Open("CommonPrefixes")
			w.Text("Prefix", l.text(e.Prefix))
			w.End()
		}
	}
}

func (l *listing) writeObject(w *s3xml.Writer, a container.Artifact) {
	w.Open("Contents")
	w.Text("Key", l.text(a.Key))
	w.Text("LastModified", xmlTime(a.Modified))
	w.Text("ETag", quote(a.Tag))
	if sum, _, ok := storedChecksum(a.Digests); ok {
		w.Text("ChecksumAlgorithm", string(sum.Algorithm))
		w.Text("ChecksumType", fullObject)
	}
	w.Int("Size", a.Size)
	if l.showOwner {
		writeOwner(w, l.page.Container.Owner)
	}
	w.Text("StorageClass", classOr(a.Class))
	w.End()
}

// text is a name as the answer spells it.
func (l *listing) text(name string) string {
	if l.encode {
		return encodeName(name)
	}
	return name
}

// encodeName is encoding-type=url: everything but letters, digits, "-", "_",
// ".", "~" and "/" is percent encoded, the blank and the plus included.
func encodeName(name string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/':
			b = append(b, c)
		default:
			b = append(b, '%', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
