package engine_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
	"github.com/vaultaire/vaultaire/engine"
	"github.com/vaultaire/vaultaire/event"
)

func TestAnArtifactComesBackAsItWasPut(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	headers := container.ContentHeaders{
		ContentType: "text/plain", ContentEncoding: "gzip", ContentLanguage: "de",
		ContentDisposition: "inline", CacheControl: "no-store", Expires: "never",
	}
	metadata := map[string]string{"color": "blue", "shape": "\xff"}
	for _, size := range []int{0, 1, 4095, 65536, 65537, 3 << 20} {
		body := randomBytes(uint64(size), size)
		key := fmt.Sprint("size-", size)
		put, err := r.Put(t.Context(), "c", key, iotest.HalfReader(strings.NewReader(string(body))), engine.PutOptions{
			Size: int64(size), Headers: headers, Metadata: metadata, Class: "COLD",
			Digests: []container.Algorithm{container.MD5},
		})
		require.NoError(t, err)
		require.Equal(t, int64(size), put.Size)
		require.Equal(t, headers, put.Headers)
		require.Equal(t, metadata, put.Metadata)
		require.Equal(t, "COLD", put.Class)
		require.Equal(t, container.NullVersion, put.Version)
		sum := md5.Sum(body)
		got, ok := put.Digests.Get(container.MD5)
		require.True(t, ok)
		require.Equal(t, hex.EncodeToString(sum[:]), got.Hex())
		_, ok = put.Digests.Get(container.CRC64NVME)
		require.True(t, ok, "CRC64NVME is always kept")

		stat, err := r.Stat(t.Context(), "c", key, engine.StatOptions{})
		require.NoError(t, err)
		require.Equal(t, put, stat)
		reader, err := r.Get(t.Context(), "c", key, engine.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, put, reader.Artifact())
		all, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		sameBytes(t, body, all)
	}
}

func TestARangeReadsWhatItSelects(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	body := string(randomBytes(1, 200_000))
	r.put(t, "k", body)
	for _, tc := range []struct {
		r    container.Range
		want string
	}{
		{container.Range{}, body},
		{container.Span(0, 1), body[:1]},
		{container.Span(65535, 2), body[65535:65537]},
		{container.Span(199_999, 50), body[199_999:]},
		{container.From(131_072), body[131_072:]},
		{container.Last(7), body[199_993:]},
		{container.Last(1 << 40), body},
	} {
		reader, err := r.Get(t.Context(), "c", "k", engine.GetOptions{Range: tc.r})
		require.NoError(t, err, tc.r)
		off, n := reader.Range()
		var b strings.Builder
		written, err := reader.WriteTo(&b)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		require.Equal(t, n, written)
		require.Equal(t, body[off:off+n], b.String())
		sameBytes(t, []byte(tc.want), []byte(b.String()))
	}
	for _, bad := range []container.Range{container.From(200_000), container.Span(1<<62, 1<<62), container.Last(0)} {
		_, err := r.Get(t.Context(), "c", "k", engine.GetOptions{Range: bad})
		require.ErrorIs(t, err, container.ErrRange)
		var state *container.StateError
		require.ErrorAs(t, err, &state)
		require.Equal(t, int64(200_000), state.Current.Size)
		_, err = r.Stat(t.Context(), "c", "k", engine.StatOptions{Range: bad})
		require.ErrorIs(t, err, container.ErrRange)
	}
}

func TestAPutReplacesAndADeleteRemoves(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	first := r.put(t, "k", "one")
	second := r.put(t, "k", "two")
	assert.NotEqual(t, first.Tag, second.Tag)
	assert.Equal(t, "two", r.get(t, "k"))
	require.NoError(t, r.Delete(t.Context(), "c", "k", engine.DeleteOptions{}))
	_, err := r.Stat(t.Context(), "c", "k", engine.StatOptions{})
	require.ErrorIs(t, err, container.ErrArtifactNotFound)
	require.ErrorIs(t, r.Delete(t.Context(), "c", "k", engine.DeleteOptions{}), container.ErrArtifactNotFound)
	r.reclaim(t)
	assert.Zero(t, r.blobs(t))
}

func TestWhatIsWrongWithTheBytesIsNotStored(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable cut")
	sum := func(a container.Algorithm, n int) container.Digests {
		return container.Digests{{Algorithm: a, Sum: strings.Repeat("\x01", n)}}
	}
	long := strings.Repeat("x", 100_000)
	for name, tc := range map[string]struct {
		src  io.Reader
		opts engine.PutOptions
		want error
	}{
		"shorter than promised":     {strings.NewReader("12345"), engine.PutOptions{Size: 6}, container.ErrLength},
		"longer than promised":      {strings.NewReader("1234567"), engine.PutOptions{Size: 6}, container.ErrLength},
		"much longer":               {strings.NewReader(long), engine.PutOptions{Size: 6}, container.ErrLength},
		"wrong MD5":                 {strings.NewReader(long), engine.PutOptions{Expect: sum(container.MD5, 16)}, container.ErrDigest},
		"wrong CRC64NVME":           {strings.NewReader(long), engine.PutOptions{Expect: sum(container.CRC64NVME, 8)}, container.ErrDigest},
		"digest of another length":  {strings.NewReader(long), engine.PutOptions{Expect: sum(container.SHA256, 3)}, container.ErrDigest},
		"unknown algorithm":         {strings.NewReader("x"), engine.PutOptions{Expect: sum("ROT13", 3)}, container.ErrInvalid},
		"source fails half way":     {io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), engine.PutOptions{}, broken},
		"source fails at once":      {iotest.ErrReader(broken), engine.PutOptions{}, container.ErrSource},
		"source wraps the end":      {iotest.ErrReader(fmt.Errorf("closed: %w", io.EOF)), engine.PutOptions{}, container.ErrSource},
		"source panics":             {panicking{}, engine.PutOptions{}, container.ErrSource},
		"impossible promise":        {strings.NewReader("x"), engine.PutOptions{Size: -1}, container.ErrInvalid},
		"promise of too much":       {strings.NewReader("x"), engine.PutOptions{Size: container.MaxSize + 1}, container.ErrTooLarge},
		"too much metadata":         {strings.NewReader("x"), engine.PutOptions{Metadata: map[string]string{"a": long}}, container.ErrTooLarge},
		"tag of the caller's, bad":  {strings.NewReader("x"), engine.PutOptions{Tag: func(container.Digests) string { return `"` }}, container.ErrInvalid},
		"tag function that panics":  {strings.NewReader("x"), engine.PutOptions{Tag: func(container.Digests) string { panic("no") }}, nil},
		"class of too many letters": {strings.NewReader("x"), engine.PutOptions{Class: long}, container.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t).withContainer(t)
			r.put(t, "k", "before")
			_, err := r.Put(t.Context(), "c", "k", tc.src, tc.opts)
			require.Error(t, err)
			if tc.want != nil {
				require.ErrorIs(t, err, tc.want)
			}
			var wrapped *container.Error
			require.ErrorAs(t, err, &wrapped)
			assert.Equal(t, "k", wrapped.Artifact)
			assert.Equal(t, "before", r.get(t, "k"))
			r.reclaim(t)
			assert.Equal(t, 1, r.blobs(t))
		})
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("source") }

func TestExpectedDigestsThatAreRightAreKept(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	sum := md5.Sum([]byte("hello"))
	want := container.Digest{Algorithm: container.MD5, Sum: string(sum[:])}
	a, err := r.Put(t.Context(), "c", "k", strings.NewReader("hello"), engine.PutOptions{
		Size: 5, Expect: container.Digests{want},
		Tag: func(ds container.Digests) string { d, _ := ds.Get(container.MD5); return d.Hex() },
	})
	require.NoError(t, err)
	require.Equal(t, want.Hex(), a.Tag)
}

func TestConditionsAreCheckedOnReadsAndWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	ctx := t.Context()
	a := r.put(t, "k", "one")
	put := func(key string, cond container.Condition) error {
		_, err := r.Put(ctx, "c", key, strings.NewReader("new"), engine.PutOptions{Condition: cond})
		return err
	}
	require.ErrorIs(t, put("k", container.Condition{IfNoneMatch: []string{container.AnyTag}}), container.ErrPrecondition)
	require.ErrorIs(t, put("k", container.Condition{IfMatch: []string{"other"}}), container.ErrPrecondition)
	require.ErrorIs(t, put("new", container.Condition{IfMatch: []string{"other"}}), container.ErrArtifactNotFound)
	require.ErrorIs(t, r.Delete(ctx, "c", "k", engine.DeleteOptions{Condition: container.Condition{IfMatch: []string{"x"}}}), container.ErrPrecondition)
	_, err := r.Stat(ctx, "c", "k", engine.StatOptions{Condition: container.Condition{IfNoneMatch: []string{a.Tag}}})
	require.ErrorIs(t, err, container.ErrNotModified)
	_, err = r.Get(ctx, "c", "k", engine.GetOptions{Condition: container.Condition{IfUnmodifiedSince: a.Modified.Add(-time.Hour)}})
	require.ErrorIs(t, err, container.ErrPrecondition)
	require.Equal(t, "one", r.get(t, "k"))
	require.NoError(t, put("k", container.Condition{IfMatch: []string{a.Tag}}))
	require.NoError(t, put("new", container.Condition{IfNoneMatch: []string{container.AnyTag}}))
}

func TestARefusedPutDoesNotReadItsSource(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	r.put(t, "k", "one")
	src := iotest.ErrReader(errors.New("must not be read"))
	_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{Condition: container.Condition{IfNoneMatch: []string{"*"}}})
	require.ErrorIs(t, err, container.ErrPrecondition)
	_, err = r.Put(t.Context(), "absent", "k", src, engine.PutOptions{})
	require.ErrorIs(t, err, container.ErrContainerNotFound)
}

func TestOfManyConditionalPutsExactlyOneWins(t *testing.T) {
	t.Parallel()
	const writers = 64
	r := newRig(t).withContainer(t)
	for round := range 20 {
		key := fmt.Sprint("k", round)
		cond := container.Condition{IfNoneMatch: []string{container.AnyTag}}
		if round%2 == 1 {
			cond = container.Condition{IfMatch: []string{r.put(t, key, "base").Tag}}
		}
		var wg sync.WaitGroup
		errs := make([]error, writers)
		for i := range writers {
			wg.Go(func() {
				_, errs[i] = r.Put(t.Context(), "c", key, strings.NewReader(fmt.Sprint("writer ", i)), engine.PutOptions{Condition: cond})
			})
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			if err == nil {
				require.Equal(t, -1, winner, "two writers won")
				winner = i
				continue
			}
			require.ErrorIs(t, err, container.ErrPrecondition)
		}
		require.Equal(t, fmt.Sprint("writer ", winner), r.get(t, key))
	}
	r.reclaim(t)
	require.Equal(t, 20, r.blobs(t), "the losers' blobs are gone, the winners' are there")
}

func TestNamesAreChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	for _, key := range []string{"", strings.Repeat("x", 1025), "\xff"} {
		_, err := r.Put(t.Context(), "c", key, strings.NewReader(""), engine.PutOptions{})
		require.ErrorIs(t, err, container.ErrInvalid, "%q", key)
	}
	for _, name := range []string{"", strings.Repeat("x", 256), "\xff", "a/b", "a\x00b"} {
		_, err := r.CreateContainer(t.Context(), name, engine.CreateContainerOptions{})
		require.ErrorIs(t, err, container.ErrInvalid, "%q", name)
	}
	for _, key := range []string{
		strings.Repeat("x", 1024), "a", "a/b", "a//b", "/a", "a/../b", "..", "\x00", "\x00\xc2\x80\x00", "ключ", "😀", "\n",
	} {
		r.put(t, key, "body of "+key)
	}
	for e, err := range r.List(t.Context(), "c", engine.ListOptions{}) {
		require.NoError(t, err)
		require.Equal(t, "body of "+e.Artifact.Key, r.get(t, e.Artifact.Key))
	}
}

func TestManySmallEntriesOfMetadataAreRefusedBeforeTheSourceIsRead(t *testing.T) {
	t.Parallel()
	r := newRig(t).withContainer(t)
	metadata := make(map[string]string)
	for i := range 3000 {
		metadata[fmt.Sprintf("%x", i)] = ""
	}
	src := readerFunc(func([]byte) (int, error) { t.Error("the source was read"); return 0, io.EOF })
	_, err := r.Put(t.Context(), "c", "k", src, engine.PutOptions{Metadata: metadata})
	require.ErrorIs(t, err, container.ErrTooLarge)
}

func TestANameThatIsTooLongIsNotCarriedAbout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("x", 1<<20)
	_, err := r.Stat(t.Context(), long, long, engine.StatOptions{})
	require.ErrorIs(t, err, container.ErrInvalid)
	require.Less(t, len(err.Error()), 4<<10)
	e := r.events.Only(t, event.StatArtifact, event.Invalid)
	require.Len(t, e.Container, container.MaxNameLength)
	require.Len(t, e.Artifact, container.MaxKeyLength)
}
