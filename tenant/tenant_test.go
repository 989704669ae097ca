package tenant_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/tenant"
)

func TestValidateID(t *testing.T) {
	t.Parallel()
	for _, id := range []tenant.ID{
		tenant.Default, "a", "Acme, Inc.", "a/b", "..", "日本", tenant.ID(strings.Repeat("t", tenant.MaxIDLength)),
	} {
		assert.NoError(t, id.Validate(), "ID %q", id)
	}
	for id, want := range map[tenant.ID]string{
		"":     "empty",
		"a\n":  "control character",
		"\x00": "control character",
		"\x7f": "control character",
		"\xff": "not UTF-8",
		tenant.ID(strings.Repeat("t", tenant.MaxIDLength+1)): "129 bytes, at most 128",
	} {
		err := id.Validate()
		assert.ErrorIs(t, err, tenant.ErrInvalid, "ID %q", id)
		assert.ErrorContains(t, err, want, "ID %q", id)
	}
}

func TestResolversTakeTheTenantFromTheContext(t *testing.T) {
	t.Parallel()
	ctx := tenant.NewContext(t.Context(), "acme")
	for name, r := range map[string]tenant.Resolver{"Optional": tenant.Optional(), "Required": tenant.Required()} {
		id, err := r.Resolve(ctx)
		require.NoError(t, err, name)
		assert.Equal(t, tenant.ID("acme"), id, name)
		id, err = r.Resolve(tenant.NewContext(ctx, "inner"))
		require.NoError(t, err, name)
		assert.Equal(t, tenant.ID("inner"), id, name)
	}
}

func TestResolversWithoutATenantInTheContext(t *testing.T) {
	t.Parallel()
	id, err := tenant.Optional().Resolve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tenant.Default, id)

	id, err = tenant.Required().Resolve(t.Context())
	require.ErrorIs(t, err, tenant.ErrMissing)
	assert.Empty(t, id)
}

func TestAnEmptyTenantInTheContextIsNotNone(t *testing.T) {
	t.Parallel()
	// Whoever put it there meant to name a tenant; falling back would give
	// away the data of the default one.
	id, err := tenant.Optional().Resolve(tenant.NewContext(t.Context(), ""))
	require.NoError(t, err)
	assert.ErrorIs(t, id.Validate(), tenant.ErrInvalid)
}

func TestResolverFuncIsAResolver(t *testing.T) {
	t.Parallel()
	r := tenant.ResolverFunc(func(context.Context) (tenant.ID, error) { return "always", nil })
	id, err := r.Resolve(t.Context())
	require.NoError(t, err)
	assert.Equal(t, tenant.ID("always"), id)
}

func TestPrincipalMayUse(t *testing.T) {
	t.Parallel()
	application := tenant.Principal{}
	alice := tenant.Principal{ID: "alice"}
	admin := tenant.Principal{ID: "root", Admin: true}
	for _, c := range []struct {
		who   tenant.Principal
		owner string
		want  bool
	}{
		{application, "", true},
		{application, "alice", true},
		{alice, "", true},
		{alice, "alice", true},
		{alice, "bob", false},
		{alice, "Alice", false},
		{admin, "", true},
		{admin, "alice", true},
	} {
		assert.Equal(t, c.want, c.who.MayUse(c.owner), "%+v of a container of %q", c.who, c.owner)
	}
}

func TestAContextCarriesThePrincipal(t *testing.T) {
	t.Parallel()
	assert.Zero(t, tenant.PrincipalFromContext(t.Context()))
	alice := tenant.Principal{ID: "alice", DisplayName: "Alice", Admin: true}
	assert.Equal(t, alice, tenant.PrincipalFromContext(tenant.WithPrincipal(t.Context(), alice)))
}
