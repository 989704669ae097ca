package sigv4

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/s3compat/internal/sigv4/sigv4test"
)

func TestABodyWithItsPromisedSumEnds(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "Welcome to Amazon S3.", strings.Repeat("a", 100_000)} {
		for _, size := range []int64{-1, int64(len(body))} {
			for _, sum := range []string{sigv4test.Sum(body), strings.ToUpper(sigv4test.Sum(body))} {
				require.NoError(t, iotest.TestReader(NewHashReader(strings.NewReader(body), sum, size), []byte(body)))
				got, err := io.ReadAll(NewHashReader(iotest.OneByteReader(strings.NewReader(body)), sum, size))
				require.NoError(t, err)
				require.Equal(t, body, string(got))
			}
		}
	}
}

func TestABodyWithAnotherSumDoesNotEnd(t *testing.T) {
	t.Parallel()
	sum := sigv4test.Sum("promised")
	for name, body := range map[string]io.Reader{
		"other bytes":  strings.NewReader("promises"),
		"fewer bytes":  strings.NewReader("promise"),
		"more bytes":   strings.NewReader("promised!"),
		"nothing":      strings.NewReader(""),
		"data and EOF": iotest.DataErrReader(strings.NewReader("promises")),
	} {
		for _, size := range []int64{-1, 8} {
			_, err := io.ReadAll(NewHashReader(body, sum, size))
			e := requireError(t, err, XAmzContentSHA256Mismatch)
			require.Equal(t, sum, e.ClientSHA256, name)
			require.NotEqual(t, sum, e.ComputedSHA256, name)
			body = strings.NewReader("something else")
		}
	}
}

func TestAConsumerThatOnlyCountsDoesNotGetTheLastBytes(t *testing.T) {
	t.Parallel()
	r := NewHashReader(strings.NewReader("promises"), sigv4test.Sum("promised"), 8)
	_, err := io.ReadFull(r, make([]byte, 8))
	requireError(t, err, XAmzContentSHA256Mismatch)
	_, again := r.Read(make([]byte, 1))
	require.Equal(t, err, again)
}

func TestAFailureOfTheBodyPasses(t *testing.T) {
	t.Parallel()
	failure := errors.New("connection lost")
	r := NewHashReader(io.MultiReader(strings.NewReader("prom"), iotest.ErrReader(failure)), sigv4test.Sum("promised"), 8)
	got, err := io.ReadAll(r)
	require.ErrorIs(t, err, failure)
	require.Equal(t, "prom", string(got))
	_, err = NewHashReader(strings.NewReader(""), "x", -1).Read(nil)
	requireError(t, err, InvalidArgument)
}
