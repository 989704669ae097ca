package s3compat

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// maxMetadata bounds the names and values of user metadata, in bytes.
const maxMetadata = 2 << 10

const metadataPrefix = "X-Amz-Meta-"

// putObject is PutObject.
func putObject(ctx context.Context, x *exchange) error {
	opts, err := putOptions(x.r.Header)
	if err != nil {
		return err
	}
	if err := x.needLength(); err != nil {
		return err
	}
	body, err := x.payload()
	if err != nil {
		return err
	}
	if err := body.limit(maxPut); err != nil {
		return err
	}
	var announced container.Algorithm
	if body.chunked != nil {
		announced = body.chunked.Announced()
	}
	promised, err := readPromises(x.r.Header, announced)
	if err != nil {
		return err
	}
	opts.Size = max(body.size, 0)
	opts.Expect = promised.expect
	opts.Digests = []container.Algorithm{container.MD5}
	if announced != "" {
		opts.Digests = append(opts.Digests, announced)
	}
	opts.Tag = md5Tag
	a, err := x.h.engine.Put(ctx, x.target.bucket, x.target.key, body, opts)
	if err != nil {
		return x.writeFailure(err, opts.Condition)
	}
	x.set("ETag", quote(a.Tag))
	x.setChecksum(a.Digests)
	x.head(http.StatusOK)
	return nil
}

// md5Tag is the ETag of an object that was put in one piece.
func md5Tag(ds container.Digests) string {
	d, _ := ds.Get(container.MD5)
	return d.Hex()
}

// putOptions reads the headers that describe an object.
func putOptions(h http.Header) (opts engine.PutOptions, err error) {
	if err := checkACL(h); err != nil {
		return opts, err
	}
	if opts.Class, err = storageClass(h); err != nil {
		return opts, err
	}
	if opts.Condition, err = readPutCondition(h); err != nil {
		return opts, err
	}
	if opts.Metadata, err = readMetadata(h); err != nil {
		return opts, err
	}
	opts.Headers = container.ContentHeaders{
		ContentType:        h.Get("Content-Type"),
		ContentEncoding:    contentEncoding(h),
		ContentLanguage:    strings.Join(h.Values("Content-Language"), ","),
		ContentDisposition: h.Get("Content-Disposition"),
		CacheControl:       strings.Join(h.Values("Cache-Control"), ","),
		Expires:            h.Get("Expires"),
	}
	if err := container.ValidateMetadata(opts.Headers, opts.Metadata); err != nil {
		return opts, metadataTooLarge(opts.Metadata, container.MaxMetadataLength).because(err)
	}
	return opts, nil
}

// contentEncoding is the encoding that is stored. aws-chunked is one of the
// request, which the object does not have.
func contentEncoding(h http.Header) string {
	var kept []string
	for token := range strings.SplitSeq(strings.Join(h.Values("Content-Encoding"), ","), ",") {
		if token = strings.Trim(token, " \t"); token != "" && !strings.EqualFold(token, "aws-chunked") {
			kept = append(kept, token)
		}
	}
	return strings.Join(kept, ",")
}

// readMetadata reads x-amz-meta-*. Names are kept in lower case, values byte
// for byte; repeated headers are joined.
func readMetadata(h http.Header) (map[string]string, error) {
	metadata := make(map[string]string)
	for name, values := range h {
		if name, ok := strings.CutPrefix(name, metadataPrefix); ok && name != "" {
			metadata[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	if metadataSize(metadata) > maxMetadata {
		return nil, metadataTooLarge(metadata, maxMetadata)
	}
	return metadata, nil
}

func metadataSize(metadata map[string]string) (size int64) {
	for name, value := range metadata {
		size += int64(len(name) + len(value))
	}
	return size
}

func metadataTooLarge(metadata map[string]string, most int64) *apiError {
	return newError(codeMetadataTooLarge, "Size", itoa(metadataSize(metadata)), "MaxSizeAllowed", itoa(most))
}

// writeFailure adds to an error of Put or Delete what S3 tells of it.
func (x *exchange) writeFailure(err error, c container.Condition) error {
	x.recorded = true
	var digest *engine.DigestError
	switch {
	case errors.As(err, &digest):
		return putDigest(digest)
	case errors.Is(err, container.ErrPrecondition):
		return newError(codePreconditionFailed, "Condition", failedCondition(c)).because(err)
	}
	return err
}
