package s3compat

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/event"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4"
)

const (
	// maxDeletes is the most keys of one DeleteObjects.
	maxDeletes = 1000
	// deleteWorkers is how many of them are deleted at a time: enough to share
	// the catalog's fsyncs, too few to keep others out.
	deleteWorkers = 32
)

// deleteLimits let 1000 keys of 1024 bytes through, escaped byte by byte.
var deleteLimits = s3xml.Limits{Bytes: 8 << 20, Depth: 3, Elements: 8 * maxDeletes, Text: maxText}

// maxText is the most text of an element: more than any key or value that could
// be accepted.
const maxText = 8 << 10

// A deletion is one key of a DeleteObjects, and how it went.
type deletion struct {
	key         string
	condition   container.Condition
	unsupported string // an element that asks for what is not implemented
	err         *apiError
}

// deleteObjects is DeleteObjects.
func deleteObjects(ctx context.Context, x *exchange) error {
	promised, err := readPromises(x.r.Header, "")
	if err != nil {
		return err
	}
	if len(promised.expect) == 0 && x.identity.payload.Mode != sigv4.HashedPayload {
		return invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	deletions, quiet, err := x.readDeletions()
	if err != nil {
		return err
	}
	// A bucket that is absent or somebody else's is an error of the request, not
	// one of each key.
	if _, err := x.h.engine.StatContainer(ctx, x.target.bucket); err != nil {
		return err
	}
	x.recorded = true
	var group errgroup.Group
	group.SetLimit(deleteWorkers)
	for i := range deletions {
		group.Go(func() error {
			x.delete(ctx, &deletions[i])
			return nil
		})
	}
	_ = group.Wait()
	x.writeXML("DeleteResult", func(w *s3xml.Writer) { writeDeletions(w, deletions, quiet) })
	return nil
}

// readDeletions reads the body.
func (x *exchange) readDeletions() (list []deletion, quiet bool, err error) {
	root, err := x.readXML("Delete", deleteLimits)
	if err != nil {
		return nil, false, err
	}
	if root.Name == "" {
		return nil, false, newError(codeMissingRequestBody)
	}
	if repeats(root.Children, "Object") {
		return nil, false, newError(codeMalformedXML)
	}
	for _, e := range root.Children {
		switch e.Name {
		case "Quiet":
			quiet = strings.EqualFold(strings.TrimSpace(e.Text), "true")
		case "Object":
			d, err := newDeletion(e)
			if err != nil {
				return nil, false, err
			}
			list = append(list, d)
		default:
			return nil, false, newError(codeMalformedXML)
		}
	}
	if len(list) == 0 || len(list) > maxDeletes {
		return nil, false, newError(codeMalformedXML).because(
			fmt.Errorf("%d keys, 1 to %d are accepted", len(list), maxDeletes))
	}
	return list, quiet, nil
}

func newDeletion(object s3xml.Element) (d deletion, err error) {
	if repeats(object.Children, "") {
		return d, newError(codeMalformedXML)
	}
	for _, e := range object.Children {
		switch e.Name {
		case "Key":
			d.key = e.Text
		case "ETag":
			// One that is empty must not make the deletion unconditional.
			tags, ok := parseTags(e.Text)
			if !ok || len(tags) != 1 {
				return d, newError(codeMalformedXML)
			}
			d.condition.IfMatch = tags
		case "VersionId", "LastModifiedTime", "Size":
			if e.Text != "" {
				d.unsupported = e.Name
			}
		default:
			return d, newError(codeMalformedXML)
		}
	}
	if d.key == "" {
		return d, newError(codeMalformedXML)
	}
	return d, nil
}

// delete deletes one key. It leaves exactly one event, and no panic.
func (x *exchange) delete(ctx context.Context, d *deletion) {
	if err := x.tryDelete(ctx, d); err != nil {
		d.err = asAPIError(err, target{objectLevel, x.target.bucket, d.key})
		x.logFailure(ctx, d.err, err)
	}
}

func (x *exchange) tryDelete(ctx context.Context, d *deletion) (err error) {
	defer x.survive(&err)
	if err := d.refusal(); err != nil {
		_ = x.h.engine.Refuse(ctx, event.DeleteArtifact, x.target.bucket, d.key, err)
		return err
	}
	return x.deleteKey(ctx, d.key, d.condition)
}

func (d *deletion) refusal() error {
	if d.unsupported != "" {
		return newError(codeNotImplemented, "ResourceType", strings.ToUpper(d.unsupported))
	}
	return validateKey(d.key)
}

func writeDeletions(w *s3xml.Writer, list []deletion, quiet bool) {
	for _, d := range list {
		switch {
		case d.err != nil:
			w.Open("Error")
			w.Text("Key", d.key)
			w.Text("Code", string(d.err.code))
			w.Text("Message", d.err.row().message)
			w.End()
		case !quiet:
			w.Open("Deleted")
			w.Text("Key", d.key)
			w.End()
		}
	}
}
