package s3compat

import (
	"context"
	"errors"
	"net/http"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// deleteObject is DeleteObject.
func deleteObject(ctx context.Context, x *exchange) error {
	cond, err := readCondition(x.r.Header)
	if err != nil {
		return err
	}
	if len(cond.IfNoneMatch) > 0 {
		return notImplemented("If-None-Match")
	}
	if err := x.deleteKey(ctx, x.target.key, cond); err != nil {
		return x.writeFailure(err, cond)
	}
	x.head(http.StatusNoContent)
	return nil
}

// deleteKey deletes a key of the request's bucket. Deleting what is not there
// succeeds, unless a condition asks for it to be there.
func (x *exchange) deleteKey(ctx context.Context, key string, cond container.Condition) error {
	err := x.h.engine.Delete(ctx, x.target.bucket, key, engine.DeleteOptions{Condition: cond})
	if errors.Is(err, container.ErrArtifactNotFound) && cond.IsZero() {
		return nil
	}
	return err
}
