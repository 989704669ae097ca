package engine_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/tenant"
)

func TestAContainerIsMadeOnceAndDeletedEmpty(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	made, err := r.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	_, err = r.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.ErrorIs(t, err, container.ErrExists)
	stat, err := r.StatContainer(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, made, stat)
	r.put(t, "k", "body")
	require.ErrorIs(t, r.DeleteContainer(ctx, "c"), container.ErrNotEmpty)
	require.NoError(t, r.Delete(ctx, "c", "k", engine.DeleteOptions{}))
	require.NoError(t, r.DeleteContainer(ctx, "c"))
	require.ErrorIs(t, r.DeleteContainer(ctx, "c"), container.ErrContainerNotFound)
	_, err = r.StatContainer(ctx, "c")
	require.ErrorIs(t, err, container.ErrContainerNotFound)
}

func TestAPutAndTheDeletionOfItsContainerExcludeEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	for i := range 50 {
		name := fmt.Sprint("c", i)
		_, err := r.CreateContainer(ctx, name, engine.CreateContainerOptions{})
		require.NoError(t, err)
		var wg sync.WaitGroup
		var putErr, deleteErr error
		wg.Go(func() { _, putErr = r.Put(ctx, name, "k", strings.NewReader("x"), engine.PutOptions{}) })
		wg.Go(func() { deleteErr = r.DeleteContainer(ctx, name) })
		wg.Wait()
		if putErr == nil {
			require.ErrorIs(t, deleteErr, container.ErrNotEmpty)
			continue
		}
		require.ErrorIs(t, putErr, container.ErrContainerNotFound)
		require.NoError(t, deleteErr)
	}
}

func TestContainersAreListedInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	var want []string
	for i := range 1203 { // more than one page
		name := fmt.Sprintf("c%04d", i)
		_, err := r.CreateContainer(ctx, name, engine.CreateContainerOptions{})
		require.NoError(t, err)
		want = append(want, name)
	}
	list := func(opts engine.ListContainersOptions) (names []string) {
		for c, err := range r.ListContainers(ctx, opts) {
			require.NoError(t, err)
			names = append(names, c.Name)
		}
		return names
	}
	require.Equal(t, want, list(engine.ListContainersOptions{}))
	require.Equal(t, want[100:200], list(engine.ListContainersOptions{Prefix: "c01"}))
	require.Equal(t, want[1000:], list(engine.ListContainersOptions{StartAfter: "c0999"}))
	require.Equal(t, want[150:200], list(engine.ListContainersOptions{Prefix: "c01", StartAfter: "c0149"}))
	require.Empty(t, list(engine.ListContainersOptions{Prefix: "c01", StartAfter: "c02"}))
}

func TestTenantsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := tenant.NewContext(t.Context(), "alice")
	bob := tenant.NewContext(t.Context(), "bob")
	_, err := r.CreateContainer(alice, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	_, err = r.Put(alice, "c", "k", strings.NewReader("alice's"), engine.PutOptions{})
	require.NoError(t, err)

	_, err = r.StatContainer(bob, "c")
	require.ErrorIs(t, err, container.ErrContainerNotFound)
	_, err = r.Get(bob, "c", "k", engine.GetOptions{})
	require.ErrorIs(t, err, container.ErrContainerNotFound)
	_, err = r.Put(bob, "c", "k", strings.NewReader("bob's"), engine.PutOptions{})
	require.ErrorIs(t, err, container.ErrContainerNotFound)
	require.ErrorIs(t, r.Delete(bob, "c", "k", engine.DeleteOptions{}), container.ErrContainerNotFound)
	_, err = r.ListPage(bob, "c", engine.ListOptions{})
	require.ErrorIs(t, err, container.ErrContainerNotFound)
	for range r.ListContainers(bob, engine.ListContainersOptions{}) {
		t.Fatal("bob sees a container")
	}

	_, err = r.CreateContainer(bob, "c", engine.CreateContainerOptions{})
	require.NoError(t, err, "the same name in another tenant")
	_, err = r.Stat(bob, "c", "k", engine.StatOptions{})
	require.ErrorIs(t, err, container.ErrArtifactNotFound)
	require.NoError(t, r.DeleteContainer(bob, "c"))
	body, err := r.read(alice, "k")
	require.NoError(t, err)
	require.Equal(t, "alice's", body)
}

func TestAPrincipalUsesItsOwnContainersOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	as := func(id string, admin bool) context.Context {
		return tenant.WithPrincipal(t.Context(), tenant.Principal{ID: id, DisplayName: id + "!", Admin: admin})
	}
	ann, ben, root := as("ann", false), as("ben", false), as("root", true)
	c, err := r.CreateContainer(ann, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	require.Equal(t, container.Owner{ID: "ann", DisplayName: "ann!"}, c.Owner)
	for name, call := range map[string]func(ctx context.Context) error{
		"stat container":   func(ctx context.Context) error { _, err := r.StatContainer(ctx, "c"); return err },
		"delete container": func(ctx context.Context) error { return r.DeleteContainer(ctx, "c") },
		"put": func(ctx context.Context) error {
			_, err := r.Put(ctx, "c", "k", strings.NewReader("x"), engine.PutOptions{})
			return err
		},
		"get":    func(ctx context.Context) error { _, err := r.read(ctx, "k"); return err },
		"stat":   func(ctx context.Context) error { _, err := r.Stat(ctx, "c", "k", engine.StatOptions{}); return err },
		"delete": func(ctx context.Context) error { return r.Delete(ctx, "c", "k", engine.DeleteOptions{}) },
		"list":   func(ctx context.Context) error { _, err := r.ListPage(ctx, "c", engine.ListOptions{}); return err },
	} {
		require.ErrorIs(t, call(ben), container.ErrDenied, name)
		require.NotErrorIs(t, call(root), container.ErrDenied, name)
		_, _ = r.CreateContainer(ann, "c", engine.CreateContainerOptions{}) // if root deleted it
		require.NotErrorIs(t, call(t.Context()), container.ErrDenied, name+" by the application")
		_, _ = r.CreateContainer(ann, "c", engine.CreateContainerOptions{})
	}
	_, err = r.CreateContainer(ben, "c", engine.CreateContainerOptions{})
	require.ErrorIs(t, err, container.ErrExists)
	for range r.ListContainers(ben, engine.ListContainersOptions{}) {
		t.Fatal("ben sees ann's container")
	}
}

func TestAResolverThatRequiresATenantRefusesCallsWithoutOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, engine.WithResolver(tenant.Required()))
	_, err := r.CreateContainer(t.Context(), "c", engine.CreateContainerOptions{})
	require.ErrorIs(t, err, container.ErrDenied)
	require.ErrorIs(t, err, tenant.ErrMissing)
	_, err = r.CreateContainer(tenant.NewContext(t.Context(), "x\x00y"), "c", engine.CreateContainerOptions{})
	require.ErrorIs(t, err, container.ErrInvalid)
	_, err = r.CreateContainer(tenant.NewContext(t.Context(), "x"), "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
}

// Or else its trailer would name the wrong owner.
func TestAPutFailsIfItsContainerIsReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	replaced := false
	src := readerFunc(func([]byte) (int, error) {
		if !replaced {
			replaced = true
			require.NoError(t, r.DeleteContainer(t.Context(), "c"))
			r.withContainer(t)
		}
		return 0, io.EOF
	})
	_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{})
	require.ErrorIs(t, err, container.ErrContainerNotFound)
	r.put(t, "k", "body")
}

func TestThePrincipalOfAContainerHasShortNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("x", 513)
	for _, p := range []tenant.Principal{{ID: long}, {ID: "i", DisplayName: long}} {
		_, err := r.CreateContainer(tenant.WithPrincipal(t.Context(), p), "c", engine.CreateContainerOptions{})
		require.ErrorIs(t, err, container.ErrInvalid)
	}
	ctx := tenant.WithPrincipal(t.Context(), tenant.Principal{ID: long[1:], DisplayName: long[1:]})
	_, err := r.CreateContainer(ctx, "c", engine.CreateContainerOptions{})
	require.NoError(t, err)
	metadata := map[string]string{"x": strings.Repeat("x", container.MaxMetadataLength-100)}
	_, err = r.Put(ctx, "c", strings.Repeat("k", container.MaxKeyLength), strings.NewReader(""), engine.PutOptions{Metadata: metadata})
	require.NoError(t, err)
}
