package engine_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

// rebuild makes a catalog from the blobs of d, and returns an engine over it.
func rebuild(t *testing.T, d driver.Driver) (*rig, catalog.RebuildReport) {
	t.Helper()
	store := keepOpen{mustMemory(t)}
	report, err := catalog.Rebuild(t.Context(), store, map[string]driver.Driver{"main": d}, catalog.RebuildOptions{})
	require.NoError(t, err)
	return newRigOver(t, store, d), report
}

// An owned context is that of a principal of a tenant.
func owned(ctx context.Context, id, principal string) context.Context {
	return tenant.WithPrincipal(tenant.NewContext(ctx, tenant.ID(id)), tenant.Principal{ID: principal, DisplayName: "the " + principal})
}

// A rebuildModel is what an engine holds: artifacts and bodies.
type rebuildModel map[[3]string]rebuildEntry

type rebuildEntry struct {
	artifact container.Artifact
	body     string
}

func (m rebuildModel) check(t *testing.T, r *rig) {
	t.Helper()
	for name, want := range m {
		reader, err := r.Get(owned(t.Context(), name[0], "ann"), name[1], name[2], engine.GetOptions{})
		require.NoError(t, err, name)
		b, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		sameBytes(t, []byte(want.body), b)
		got := reader.Artifact()
		require.Empty(t, cmp.Diff(want.artifact, got, cmpopts.IgnoreFields(container.Artifact{}, "Modified"), cmpopts.EquateEmpty()))
		require.LessOrEqual(t, want.artifact.Modified.Sub(got.Modified).Abs(), 5*time.Second)
	}
}

// list returns the names of all artifacts of the tenants and containers.
func (m rebuildModel) list(t *testing.T, r *rig, tenants, containers []string) (names [][3]string) {
	t.Helper()
	for _, id := range tenants {
		for _, c := range containers {
			for entry, err := range r.List(owned(t.Context(), id, "ann"), c, engine.ListOptions{}) {
				require.NoError(t, err)
				names = append(names, [3]string{id, c, entry.Name()})
			}
		}
	}
	return names
}

func TestACatalogIsMadeAnewFromBlobs(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(seed, 11))
			store, d := keepOpen{mustMemory(t)}, keepDriver{memory.New()}
			r := newRigOver(t, store, d)
			tenants, containers := []string{"acme", "globex"}, []string{"one", "two"}
			for _, id := range tenants {
				for _, c := range containers {
					_, err := r.CreateContainer(owned(t.Context(), id, "ann"), c, engine.CreateContainerOptions{})
					require.NoError(t, err)
				}
			}
			model, deleted := make(rebuildModel), make(map[[3]string]bool)
			for i := range 300 {
				name := [3]string{tenants[rng.IntN(2)], containers[rng.IntN(2)], fmt.Sprint("key", rng.IntN(30))}
				ctx := owned(t.Context(), name[0], "ann")
				switch n := rng.IntN(20); {
				case n < 13:
					body := string(randomBytes(rng.Uint64(), rng.IntN(10_000)))
					a, err := r.Put(ctx, name[1], name[2], strings.NewReader(body), engine.PutOptions{
						Metadata: map[string]string{"i": fmt.Sprint(i)},
						Headers:  container.ContentHeaders{ContentType: "text/x-" + fmt.Sprint(i)},
						Class:    "COLD",
						Digests:  []container.Algorithm{container.SHA256},
					})
					require.NoError(t, err)
					model[name] = rebuildEntry{a, body}
					delete(deleted, name)
				case n < 17:
					if _, ok := model[name]; ok {
						require.NoError(t, r.Delete(ctx, name[1], name[2], engine.DeleteOptions{}))
						delete(model, name)
						deleted[name] = true
					}
				case n == 17:
					require.NoError(t, r.Close(t.Context()))
					r = newRigOver(t, store, d)
				default:
					r.reclaim(t)
					clear(deleted)
				}
			}
			if seed%2 == 0 {
				r.reclaim(t)
				clear(deleted)
			}
			require.NoError(t, r.Close(t.Context()))
			blobs := countBlobs(t, d)

			anew, report := rebuild(t, d)
			require.Equal(t, engine.CatalogOf(r.Engine).ID(), report.Catalog)
			require.Equal(t, report.Catalog, engine.CatalogOf(anew.Engine).ID())
			model.check(t, anew)
			for _, name := range model.list(t, anew, tenants, containers) {
				_, live := model[name]
				require.True(t, live || deleted[name], "%v is there, and was neither put nor deleted lately", name)
			}
			found := report.Found
			require.GreaterOrEqual(t, found[catalog.Restored], int64(len(model)))
			require.LessOrEqual(t, found[catalog.Restored], int64(len(model)+len(deleted)))
			require.Equal(t, int64(blobs), found[catalog.Restored]+found[catalog.Superseded])
			require.Len(t, found, min(len(found), 2))
			require.Equal(t, engine.ReclaimReport{Held: found[catalog.Superseded]}, anew.reclaim(t))
			require.Zero(t, anew.scrub(t).Damaged)
			for _, id := range tenants {
				for _, c := range containers {
					usage, err := engine.CatalogOf(anew.Engine).Scope(tenant.ID(id), tenant.Principal{}).Usage(t.Context(), c)
					require.NoError(t, err)
					var want catalog.Usage
					for _, name := range model.list(t, anew, []string{id}, []string{c}) {
						a, err := anew.Stat(owned(t.Context(), id, "ann"), c, name[2], engine.StatOptions{})
						require.NoError(t, err)
						want.Artifacts++
						want.Bytes += a.Size
					}
					require.Equal(t, want, usage)
					_, err = anew.Stat(owned(t.Context(), id, "bob"), c, "key1", engine.StatOptions{})
					require.ErrorIs(t, err, container.ErrDenied)
				}
			}

			// It goes on like any other.
			ctx := owned(t.Context(), "acme", "ann")
			for name := range model {
				if name[0] == "acme" {
					_, err := anew.Put(ctx, name[1], name[2], strings.NewReader("later"), engine.PutOptions{})
					require.NoError(t, err)
					delete(model, name)
				}
			}
			require.NoError(t, anew.ReleaseOrphans(t.Context()))
			anew.reclaim(t)
			model.check(t, anew)
			require.Equal(t, len(model.list(t, anew, tenants, containers)), anew.blobs(t))
		})
	}
}
