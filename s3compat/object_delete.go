package s3compat

import (
	"context"
	"errors"
	"net/http"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
)

// deleteObject is DeleteObject. Deleting what is not there succeeds, unless a
// condition asks for it to be there.
func deleteObject(ctx context.Context, x *exchange) error {
	cond, err := readCondition(x.r.Header)
	if err != nil {
		return err
	}
	if len(cond.IfNoneMatch) > 0 {
		return notImplemented("If-None-Match")
	}
	err = x.h.engine.Delete(ctx, x.target.bucket, x.target.key, engine.DeleteOptions{Condition: cond})
	if err != nil && (!errors.Is(err, container.ErrArtifactNotFound) || !cond.IsZero()) {
		return x.writeFailure(err, cond)
	}
	x.head(http.StatusNoContent)
	return nil
}
