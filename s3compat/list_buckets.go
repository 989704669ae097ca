package s3compat

import (
	"context"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
)

// maxBuckets is the most buckets of one answer.
const maxBuckets = 10_000

// listBuckets is ListBuckets. It shows the buckets that the principal may use:
// for all but administrators, their own.
func listBuckets(ctx context.Context, x *exchange) error {
	limit, err := x.maxBuckets()
	if err != nil {
		return err
	}
	after, err := x.continuation()
	if err != nil {
		return err
	}
	prefix := x.query.Get("prefix")
	buckets, more, err := x.collectBuckets(ctx, engine.ListContainersOptions{Prefix: prefix, StartAfter: after}, limit)
	if err != nil {
		return err
	}
	p := x.identity.credential.Principal
	x.writeXML("ListAllMyBucketsResult", func(w *s3xml.Writer) {
		writeOwner(w, container.Owner{ID: p.ID, DisplayName: p.DisplayName})
		w.Open("Buckets")
		for _, b := range buckets {
			w.Open("Bucket")
			w.Text("Name", b.Name)
			w.Text("CreationDate", xmlTime(b.Created))
			w.Text("BucketRegion", x.h.config.region)
			w.End()
		}
		w.End()
		if more {
			w.Text("ContinuationToken", newToken(buckets[len(buckets)-1].Name))
		}
		if x.query.Has("prefix") {
			w.Text("Prefix", prefix)
		}
	})
	return nil
}

// collectBuckets returns at most limit containers and whether there are more.
// It collects before the first byte is answered, because the answer to a
// failure in the middle has another status.
func (x *exchange) collectBuckets(ctx context.Context, opts engine.ListContainersOptions, limit int) (list []container.Container, more bool, err error) {
	if region := x.query.Get("bucket-region"); region != "" && region != x.h.config.region {
		limit = 0 // all buckets are here
	}
	for c, err := range x.h.engine.ListContainers(ctx, opts) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == limit {
			return list, limit > 0, nil
		}
		list = append(list, c)
	}
	return list, false, nil
}

func (x *exchange) maxBuckets() (int, error) {
	const name = "max-buckets"
	n, given, err := x.number(name, name)
	switch {
	case err != nil:
		return 0, err
	case !given:
		return maxBuckets, nil
	case n < 1 || n > maxBuckets:
		return 0, invalidArgument(name, x.query.Get(name), "Argument %s must be an integer between 1 and %d", name, maxBuckets)
	}
	return n, nil
}
