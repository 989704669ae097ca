package s3compat

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/s3compat/internal/s3xml"
)

// createBucket is CreateBucket.
func createBucket(ctx context.Context, x *exchange) error {
	if !validBucketName(x.target.bucket) {
		return newError(codeInvalidBucketName, "BucketName", x.target.bucket)
	}
	if err := checkACL(x.r.Header); err != nil {
		return err
	}
	if err := checkOwnership(x.r.Header); err != nil {
		return err
	}
	if err := x.readBucketConfiguration(); err != nil {
		return err
	}
	_, err := x.h.engine.CreateContainer(ctx, x.target.bucket, engine.CreateContainerOptions{})
	if errors.Is(err, container.ErrExists) {
		err = x.bucketExists(ctx, err)
	}
	if err != nil {
		return err
	}
	x.set("Location", "/"+x.target.bucket)
	x.head(http.StatusOK)
	return nil
}

// bucketExists returns how the creation of a bucket ends that exists: it
// depends on whose it is. The engine has recorded the refusal.
func (x *exchange) bucketExists(ctx context.Context, exists error) error {
	x.recorded = true
	c, err := x.h.engine.StatContainer(ctx, x.target.bucket)
	switch {
	case errors.Is(err, container.ErrContainerNotFound): // deleted in between
		return newError(codeOperationAborted).because(exists)
	case err != nil && !errors.Is(err, container.ErrDenied):
		return err
	case err != nil || c.Owner.ID != x.identity.credential.Principal.ID:
		return newError(codeBucketAlreadyExists, "BucketName", x.target.bucket).because(exists)
	case x.h.config.idempotentCreate:
		return nil
	}
	return newError(codeBucketAlreadyOwnedByYou, "BucketName", x.target.bucket).because(exists)
}

// checkOwnership accepts the one setting of x-amz-object-ownership that says
// how things are here: everything in a bucket is its owner's.
func checkOwnership(h http.Header) error {
	const name = "X-Amz-Object-Ownership"
	switch value := h.Get(name); value {
	case "", "BucketOwnerEnforced":
		return nil
	case "BucketOwnerPreferred", "ObjectWriter":
		return notImplemented(name)
	default:
		return invalidArgument(strings.ToLower(name), value, "Invalid Argument")
	}
}

// readBucketConfiguration reads the body of CreateBucket, if there is one.
func (x *exchange) readBucketConfiguration() error {
	limits := s3xml.Limits{Bytes: 64 << 10, Depth: 8, Elements: 200, Text: maxText}
	config, err := x.readXML("CreateBucketConfiguration", limits)
	if err != nil {
		return err
	}
	if repeats(config.Children, "") {
		return newError(codeMalformedXML)
	}
	location, given := "", false
	for _, e := range config.Children {
		switch e.Name {
		case "LocationConstraint":
			location, given = e.Text, true
		case "Bucket", "Location", "Tags":
			return newError(codeNotImplemented, "ResourceType", strings.ToUpper(e.Name))
		default:
			return newError(codeMalformedXML)
		}
	}
	return x.h.config.checkLocation(location, given)
}

// checkLocation accepts this handler's region, spelled as Amazon has it: in
// us-east-1 no constraint, elsewhere one that names the region.
func (c *config) checkLocation(location string, given bool) error {
	if location == "EU" {
		location = "eu-west-1"
	}
	switch {
	case !given && c.region == DefaultRegion, given && location == c.region && c.region != DefaultRegion:
		return nil
	case !given:
		return newError(codeIllegalLocationConstraint)
	case location != DefaultRegion && looksLikeRegion(location):
		return newError(codeIllegalLocationConstraint).saying(
			"The %s location constraint is incompatible for the region specific endpoint this request was sent to.", location)
	}
	return newError(codeInvalidLocationConstraint, "LocationConstraint", location)
}

// looksLikeRegion reports whether s has the form of Amazon's names of regions,
// such as eu-west-1.
func looksLikeRegion(s string) bool {
	parts := strings.Split(s, "-")
	last := parts[len(parts)-1]
	return len(parts) >= 3 && len(last) == 1 && '1' <= last[0] && last[0] <= '9' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz-123456789") == ""
}

// headBucket is HeadBucket. Its x-amz-bucket-region is set by route.
func headBucket(ctx context.Context, x *exchange) error {
	if _, err := x.h.engine.StatContainer(ctx, x.target.bucket); err != nil {
		return err
	}
	x.head(http.StatusOK)
	return nil
}

// deleteBucket is DeleteBucket.
func deleteBucket(ctx context.Context, x *exchange) error {
	if err := x.h.engine.DeleteContainer(ctx, x.target.bucket); err != nil {
		return err
	}
	x.head(http.StatusNoContent)
	return nil
}

// getBucketLocation is GetBucketLocation. The default region is written as
// nothing, which is how it was before regions had names.
func getBucketLocation(ctx context.Context, x *exchange) error {
	if _, err := x.h.engine.StatContainer(ctx, x.target.bucket); err != nil {
		return err
	}
	x.writeXML("LocationConstraint", func(w *s3xml.Writer) {
		if x.h.config.region != DefaultRegion {
			w.Chars(x.h.config.region)
		}
	})
	return nil
}

// getEmpty returns the operation that reads a setting which no bucket here can
// have changed. fields are the names and values of its elements.
func getEmpty(root string, fields ...string) func(context.Context, *exchange) error {
	return func(ctx context.Context, x *exchange) error {
		if _, err := x.h.engine.StatContainer(ctx, x.target.bucket); err != nil {
			return err
		}
		x.writeXML(root, func(w *s3xml.Writer) {
			for i := 0; i+1 < len(fields); i += 2 {
				w.Text(fields[i], fields[i+1])
			}
		})
		return nil
	}
}

// getBucketACL is GetBucketAcl: everything is the owner's.
func getBucketACL(ctx context.Context, x *exchange) error {
	c, err := x.h.engine.StatContainer(ctx, x.target.bucket)
	if err != nil {
		return err
	}
	x.writeACL(c.Owner)
	return nil
}

// getObjectACL is GetObjectAcl: an object is its bucket's owner's.
func getObjectACL(ctx context.Context, x *exchange) error {
	c, err := x.h.engine.StatContainer(ctx, x.target.bucket)
	if err != nil {
		return err
	}
	if _, err := x.h.engine.Stat(ctx, x.target.bucket, x.target.key, engine.StatOptions{}); err != nil {
		return err
	}
	x.writeACL(c.Owner)
	return nil
}

func (x *exchange) writeACL(owner container.Owner) {
	x.writeXML("AccessControlPolicy", func(w *s3xml.Writer) {
		writeOwner(w, owner)
		w.Open("AccessControlList")
		if owner.ID != "" {
			w.Open("Grant")
			w.OpenWith("Grantee", `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"`)
			writeOwnerFields(w, owner)
			w.End()
			w.Text("Permission", "FULL_CONTROL")
			w.End()
		}
		w.End()
	})
}
