package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/minio/crc64nvme"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/driver"
	"github.com/vaultaire/vaultaire/driver/memory"
	"github.com/vaultaire/vaultaire/engine/catalog"
	"github.com/vaultaire/vaultaire/tenant"
)

// newTrailer returns the trailer of a blob with the body, written at a second.
func newTrailer(number byte, key, body string, at int64) catalog.Trailer {
	id := catalog.ContentID{7: 1, 15: number}
	sum := crc64nvme.New()
	sum.Write([]byte(body))
	return catalog.Trailer{
		Catalog: "lost", Content: id, Tenant: "t", Container: "c", Key: key, Written: time.Unix(at, 0).UTC(),
		Owner: container.Owner{ID: "ann", DisplayName: "Ann"}, Created: time.Unix(1, 0).UTC(),
		Version: catalog.Version{
			Content: id, Size: int64(len(body)), Tag: "tag", Null: true,
			Digests: container.Digests{{Algorithm: container.CRC64NVME, Sum: string(sum.Sum(nil))}},
		},
	}
}

// putBlob stores a blob that ends in the trailer.
func putBlob(t *testing.T, d driver.Driver, body string, trailer catalog.Trailer) driver.Ref {
	t.Helper()
	b, err := trailer.Encode(trailer.EncodedLength())
	require.NoError(t, err)
	ref, err := d.Put(t.Context(), "name", io.MultiReader(strings.NewReader(body), bytes.NewReader(b)), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	return ref
}

// rebuilt is a catalog that was made anew, and what was found.
type rebuilt struct {
	catalog.Scope
	catalog  *catalog.Catalog
	findings []string // kind, driver, ref
	report   catalog.RebuildReport
}

func rebuild(t *testing.T, drivers map[string]driver.Driver, id string) rebuilt {
	t.Helper()
	var r rebuilt
	store := openStore(t)
	var err error
	r.report, err = catalog.Rebuild(t.Context(), store, drivers, catalog.RebuildOptions{
		Catalog: id,
		Found: func(_ context.Context, f catalog.Finding) error {
			require.Equal(t, f.Kind == catalog.Damaged, f.Err != nil)
			r.findings = append(r.findings, fmt.Sprint(f.Kind, " ", f.Driver, " ", f.Ref))
			return nil
		},
	})
	require.NoError(t, err)
	r.catalog = openCatalog(t, store, time.Now)
	r.Scope = r.catalog.Scope("t", tenant.Principal{})
	return r
}

func (r *rebuilt) found(kind catalog.FindingKind, place string, ref driver.Ref) string {
	return fmt.Sprint(kind, " ", place, " ", ref)
}

func TestTheLastBlobOfAKeyIsNamed(t *testing.T) {
	t.Parallel()
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1, 0, 2}} {
		for name, at := range map[string][]int64{"by time": {5, 6, 7}, "by number": {5, 5, 5}} {
			d := memory.New()
			refs := make([]driver.Ref, 3)
			for _, i := range order {
				body := strings.Repeat("x", i+1)
				refs[i] = putBlob(t, d, body, newTrailer(byte(i), "k", body, at[i]))
			}
			r := rebuild(t, map[string]driver.Driver{"d": d}, "")
			v, content, err := r.Get(t.Context(), "c", "k")
			require.NoError(t, err)
			require.Equal(t, []catalog.Replica{{Driver: "d", Ref: refs[2]}}, content.Replicas, name)
			require.Equal(t, int64(3), v.Size)
			require.Equal(t, time.Unix(at[2], 0).UTC(), v.Modified)
			require.ElementsMatch(t, []string{
				r.found(catalog.Superseded, "d", refs[0]), r.found(catalog.Superseded, "d", refs[1]), r.found(catalog.Restored, "d", refs[2]),
			}, r.findings)
			usage, err := r.Usage(t.Context(), "c")
			require.NoError(t, err)
			require.Equal(t, catalog.Usage{Artifacts: 1, Bytes: 3}, usage)
			require.True(t, r.catalog.IsHeld(1))
		}
	}
}

func TestWhatWasInAContainerBeforeItWasMadeAnewStaysAway(t *testing.T) {
	t.Parallel()
	for _, newFirst := range []bool{true, false} {
		d := memory.New()
		before, after := newTrailer(1, "secret", "x", 9), newTrailer(2, "k", "y", 8)
		after.Owner, after.Created = container.Owner{ID: "bob"}, time.Unix(4, 0).UTC()
		var refs [2]driver.Ref
		if newFirst {
			refs[1] = putBlob(t, d, "y", after)
		}
		refs[0] = putBlob(t, d, "x", before)
		if !newFirst {
			refs[1] = putBlob(t, d, "y", after)
		}
		r := rebuild(t, map[string]driver.Driver{"d": d}, "")
		c, err := r.Container(t.Context(), "c")
		require.NoError(t, err)
		require.Equal(t, container.Container{Name: "c", Owner: after.Owner, Created: after.Created}, c)
		_, err = r.Stat(t.Context(), "c", "secret")
		require.ErrorIs(t, err, container.ErrArtifactNotFound)
		require.ElementsMatch(t, []string{r.found(catalog.Superseded, "d", refs[0]), r.found(catalog.Restored, "d", refs[1])}, r.findings)
	}
}

func TestCopiesOnSeveralDriversAreAllNamed(t *testing.T) {
	t.Parallel()
	a, b := memory.New(), memory.New()
	trailer := newTrailer(1, "k", "x", 5)
	want := []catalog.Replica{{Driver: "a", Ref: putBlob(t, a, "x", trailer)}, {Driver: "b", Ref: putBlob(t, b, "x", trailer)}}
	r := rebuild(t, map[string]driver.Driver{"a": a, "b": b}, "")
	_, content, err := r.Get(t.Context(), "c", "k")
	require.NoError(t, err)
	require.Equal(t, want, content.Replicas)
	require.Equal(t, uint64(1), content.Refs)
	require.Equal(t, map[catalog.FindingKind]int64{catalog.Restored: 1}, r.report.Found)

	for name, d := range map[string]*memory.Driver{"a": a, "b": b} {
		identity, err := d.Identity(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.catalog.CheckDriver(t.Context(), name, identity))
		require.ErrorIs(t, r.catalog.CheckDriver(t.Context(), name, "another"), container.ErrInvalid)
	}
}

// stutter lists each blob twice.
type stutter struct{ *memory.Driver }

func (s stutter) List(ctx context.Context, after driver.Ref) iter.Seq2[driver.Blob, error] {
	return func(yield func(driver.Blob, error) bool) {
		for b, err := range s.Driver.List(ctx, after) {
			for range 2 {
				if !yield(b, err) {
					return
				}
			}
		}
	}
}

func TestABlobThatIsListedTwiceIsNamedOnce(t *testing.T) {
	t.Parallel()
	d := stutter{memory.New()}
	ref := putBlob(t, d, "x", newTrailer(1, "k", "x", 5))
	r := rebuild(t, map[string]driver.Driver{"d": d}, "")
	_, content, err := r.Get(t.Context(), "c", "k")
	require.NoError(t, err)
	require.Equal(t, []catalog.Replica{{Driver: "d", Ref: ref}}, content.Replicas)
	require.Equal(t, []string{r.found(catalog.Restored, "d", ref)}, r.findings)
}

func TestOfTwoCopiesOnADriverAReadableOneIsNamed(t *testing.T) {
	t.Parallel()
	trailer := newTrailer(1, "k", "good", 5)
	for _, c := range []struct {
		bodies [2]string
		named  int
		other  catalog.FindingKind
	}{
		{[2]string{"good", "good"}, 0, catalog.Duplicate},
		{[2]string{"good", "evil"}, 0, catalog.Duplicate},
		{[2]string{"evil", "good"}, 1, catalog.Damaged},
		{[2]string{"evil", "EVIL"}, 0, catalog.Damaged},
	} {
		d := memory.New()
		refs := [2]driver.Ref{putBlob(t, d, c.bodies[0], trailer), putBlob(t, d, c.bodies[1], trailer)}
		r := rebuild(t, map[string]driver.Driver{"d": d}, "")
		_, content, err := r.Get(t.Context(), "c", "k")
		require.NoError(t, err)
		require.Equal(t, []catalog.Replica{{Driver: "d", Ref: refs[c.named]}}, content.Replicas)
		require.ElementsMatch(t, []string{
			r.found(catalog.Restored, "d", refs[c.named]), r.found(c.other, "d", refs[1-c.named]),
		}, r.findings, "%v", c.bodies)
	}
}

func TestBlobsThatCannotBeToldAreFoundDamaged(t *testing.T) {
	t.Parallel()
	d := memory.New()
	_, err := d.Put(t.Context(), "x", strings.NewReader("no trailer"), driver.PutOptions{Size: -1})
	require.NoError(t, err)
	for i, change := range []func(*catalog.Trailer){
		func(x *catalog.Trailer) { x.Tenant = "\x00" },
		func(x *catalog.Trailer) { x.Container = "" },
		func(x *catalog.Trailer) { x.Key = "" },
		func(x *catalog.Trailer) { x.Written = time.Time{} },
		func(x *catalog.Trailer) { x.Version.Size = 2 },
		func(x *catalog.Trailer) { x.Version.Content = catalog.ContentID{} },
		func(x *catalog.Trailer) { x.Version.Marker = true },
	} {
		trailer := newTrailer(byte(i), "k", "x", 5)
		change(&trailer)
		putBlob(t, d, "x", trailer)
	}
	r := rebuild(t, map[string]driver.Driver{"d": d}, "")
	require.Equal(t, map[catalog.FindingKind]int64{catalog.Damaged: 8}, r.report.Found)
}

func TestBlobsOfOthersAreNotRestored(t *testing.T) {
	t.Parallel()
	d := memory.New()
	ours := putBlob(t, d, "x", newTrailer(1, "k", "x", 5))
	other, future := newTrailer(2, "k", "x", 6), newTrailer(3, "k", "x", 7)
	other.Catalog, future.Kind = "another", 9
	other.Container, future.Container = "theirs", "nobody's"
	theirs, unknown := putBlob(t, d, "x", other), putBlob(t, d, "x", future)
	drivers := map[string]driver.Driver{"d": d}

	_, err := catalog.Rebuild(t.Context(), openStore(t), drivers, catalog.RebuildOptions{})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `"another" (1), "lost" (2)`)
	_, err = catalog.Rebuild(t.Context(), openStore(t), drivers, catalog.RebuildOptions{Catalog: "third"})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.ErrorContains(t, err, `"another" (1), "lost" (2)`)

	r := rebuild(t, drivers, "lost")
	require.Equal(t, "lost", r.catalog.ID())
	require.ElementsMatch(t, []string{
		r.found(catalog.Restored, "d", ours), r.found(catalog.Foreign, "d", theirs), r.found(catalog.Foreign, "d", unknown),
	}, r.findings)
	for _, name := range []string{"theirs", "nobody's"} {
		_, err := r.Container(t.Context(), name)
		require.ErrorIs(t, err, container.ErrContainerNotFound)
	}
	r = rebuild(t, drivers, "another")
	require.Equal(t, "another", r.catalog.ID())
}

func TestWithoutBlobsTheCatalogIsEmpty(t *testing.T) {
	t.Parallel()
	r := rebuild(t, map[string]driver.Driver{"d": memory.New()}, "")
	require.Empty(t, r.findings)
	require.NotEmpty(t, r.catalog.ID())
}

func TestARebuildThatEndsEarlyLeavesNothingThatOpens(t *testing.T) {
	t.Parallel()
	d := memory.New()
	for i := range byte(3) {
		putBlob(t, d, "x", newTrailer(i, fmt.Sprint(i), "x", 5))
	}
	boom := errors.New("boom")
	for name, found := range map[string]func(context.Context, catalog.Finding) error{
		"error": func(context.Context, catalog.Finding) error { return boom },
		"panic": func(context.Context, catalog.Finding) error { panic(boom) },
	} {
		store := openStore(t)
		_, err := catalog.Rebuild(t.Context(), store, map[string]driver.Driver{"d": d}, catalog.RebuildOptions{Found: found})
		require.ErrorContains(t, err, "boom", name)
		_, err = catalog.Open(t.Context(), store, time.Now)
		require.ErrorIs(t, err, container.ErrInvalid)
		require.ErrorContains(t, err, "rebuild")
		_, err = catalog.Rebuild(t.Context(), store, map[string]driver.Driver{"d": d}, catalog.RebuildOptions{})
		require.ErrorIs(t, err, container.ErrInvalid, "it is not empty")
	}
	store := openStore(t)
	_, err := catalog.Rebuild(t.Context(), store, map[string]driver.Driver{"d": unreachable{d, boom}}, catalog.RebuildOptions{})
	require.ErrorIs(t, err, boom)
	_, err = catalog.Open(t.Context(), store, time.Now)
	require.ErrorIs(t, err, container.ErrInvalid)

	openCatalog(t, openStore(t), time.Now)
	used := openStore(t)
	openCatalog(t, used, time.Now)
	_, err = catalog.Rebuild(t.Context(), used, map[string]driver.Driver{"d": d}, catalog.RebuildOptions{})
	require.ErrorIs(t, err, container.ErrInvalid)
	openCatalog(t, used, time.Now)
}

// unreachable is a driver that lists its blobs and cannot read them.
type unreachable struct {
	*memory.Driver
	err error
}

func (u unreachable) Open(context.Context, driver.Ref, int64, int64) (io.ReadCloser, error) {
	return nil, u.err
}

func TestATailIsReadHoweverLongItIs(t *testing.T) {
	t.Parallel()
	d := memory.New()
	for _, extra := range []int{0, 4000, 6000} {
		for _, size := range []int{0, 1, 100, 5000, 300_000} {
			body := strings.Repeat("x", size)
			trailer := newTrailer(1, "k", body, 5)
			trailer.Version.Metadata = map[string]string{"m": strings.Repeat("m", extra)}
			ref := putBlob(t, d, body, trailer)
			whole := int64(size + trailer.EncodedLength())
			for _, known := range []int64{whole, -1} {
				tail, err := catalog.ReadTail(t.Context(), d, driver.Blob{Ref: ref, Size: known})
				require.NoError(t, err)
				require.Equal(t, trailer.Content, tail.Trailer.Content)
				require.Equal(t, int64(size), tail.Data)
				require.Equal(t, whole, tail.Size)
				require.LessOrEqual(t, tail.Read, max(whole, 20<<10))
			}
			for _, wrong := range []int64{whole - 1, whole + 1, 0, 5} {
				_, err := catalog.ReadTail(t.Context(), d, driver.Blob{Ref: ref, Size: wrong})
				require.ErrorIs(t, err, container.ErrCorrupt)
			}
			var data strings.Builder
			tail, err := catalog.VerifyBlob(t.Context(), d, ref, &data)
			require.NoError(t, err)
			require.Equal(t, whole, tail.Size)
			require.True(t, data.String() == body)
		}
	}
}
