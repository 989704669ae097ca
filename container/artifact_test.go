package container_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/container"
)

func TestACloneSharesNothingThatCanBeChanged(t *testing.T) {
	t.Parallel()
	artifact := func() container.Artifact {
		return container.Artifact{
			Key:      "a",
			Digests:  container.Digests{{Algorithm: container.CRC32C, Sum: "1234"}},
			Metadata: map[string]string{"color": "red"},
		}
	}
	a := artifact()
	clone := a.Clone()
	assert.Equal(t, a, clone)
	clone.Digests[0].Sum = "5678"
	clone.Metadata["color"] = "blue"
	assert.Equal(t, artifact(), a)
}

func TestEntryIsEitherAnArtifactOrAPrefix(t *testing.T) {
	t.Parallel()
	artifact := container.Entry{Artifact: container.Artifact{Key: "a"}}
	assert.False(t, artifact.IsPrefix())
	assert.Equal(t, "a", artifact.Name())
	prefix := container.Entry{Prefix: "a/"}
	assert.True(t, prefix.IsPrefix())
	assert.Equal(t, "a/", prefix.Name())
}

func TestDigestsAreFoundByAlgorithmAndWrittenAsText(t *testing.T) {
	t.Parallel()
	digests := container.Digests{
		{Algorithm: container.MD5, Sum: "ignored"},
		{Algorithm: container.CRC32, Sum: "\x00\x01\xfe\xff"},
	}
	d, ok := digests.Get(container.CRC32)
	assert.True(t, ok)
	assert.Equal(t, "0001feff", d.Hex())
	assert.Equal(t, "AAH+/w==", d.Base64())
	_, ok = digests.Get(container.SHA256)
	assert.False(t, ok)
}
