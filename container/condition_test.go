package container_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vaultaire/vaultaire/container"
)

// The current version in these tests was committed within a second, to show
// that times are compared by the second.
var (
	modified = time.Date(2026, 3, 1, 12, 0, 0, 700_000_000, time.UTC)
	same     = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600))
	before   = same.Add(-time.Second)
	after    = same.Add(time.Second)
	current  = container.Artifact{Tag: "t1", Modified: modified}

	hit  = []string{"t0", "t1"}
	miss = []string{"t0", "T1"}
	star = []string{container.AnyTag}
)

// The steps are those of RFC 9110, section 13.2.2.
func TestCheckReadFollowsTheOrderOfPrecedence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		condition container.Condition
		want      error
	}{
		"no condition is met": {container.Condition{}, nil},

		"step 1: If-Match, hit":                {container.Condition{IfMatch: hit}, nil},
		"step 1: If-Match, any":                {container.Condition{IfMatch: star}, nil},
		"step 1: If-Match, miss":               {container.Condition{IfMatch: miss}, container.ErrPrecondition},
		"step 1: hit, so step 2 is left out":   {container.Condition{IfMatch: hit, IfUnmodifiedSince: before}, nil},
		"step 1: miss, though step 2 is met":   {container.Condition{IfMatch: miss, IfUnmodifiedSince: after}, container.ErrPrecondition},
		"step 1: miss goes before step 3":      {container.Condition{IfMatch: miss, IfNoneMatch: hit}, container.ErrPrecondition},
		"step 2: unmodified since before":      {container.Condition{IfUnmodifiedSince: before}, container.ErrPrecondition},
		"step 2: unmodified since that second": {container.Condition{IfUnmodifiedSince: same}, nil},
		"step 2: unmodified since later":       {container.Condition{IfUnmodifiedSince: after}, nil},
		"step 2: failure goes before step 3":   {container.Condition{IfUnmodifiedSince: before, IfNoneMatch: hit}, container.ErrPrecondition},

		"step 3: If-None-Match, miss":            {container.Condition{IfNoneMatch: miss}, nil},
		"step 3: If-None-Match, hit":             {container.Condition{IfNoneMatch: hit}, container.ErrNotModified},
		"step 3: If-None-Match, any":             {container.Condition{IfNoneMatch: star}, container.ErrNotModified},
		"step 3: after step 1":                   {container.Condition{IfMatch: hit, IfNoneMatch: hit}, container.ErrNotModified},
		"step 3: after step 2":                   {container.Condition{IfUnmodifiedSince: same, IfNoneMatch: hit}, container.ErrNotModified},
		"step 3: miss, so step 4 is left out":    {container.Condition{IfNoneMatch: miss, IfModifiedSince: after}, nil},
		"step 3: hit, though step 4 is met":      {container.Condition{IfNoneMatch: hit, IfModifiedSince: before}, container.ErrNotModified},
		"step 4: modified since before":          {container.Condition{IfModifiedSince: before}, nil},
		"step 4: modified since that second":     {container.Condition{IfModifiedSince: same}, container.ErrNotModified},
		"step 4: modified since later":           {container.Condition{IfModifiedSince: after}, container.ErrNotModified},
		"step 4: after step 1":                   {container.Condition{IfMatch: hit, IfModifiedSince: same}, container.ErrNotModified},
		"step 4: modified and unmodified at one": {container.Condition{IfUnmodifiedSince: same, IfModifiedSince: before}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertIs(t, c.condition.CheckRead(current), c.want)
		})
	}
}

func TestCheckWriteFollowsTheOrderOfPrecedence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		condition container.Condition
		want      error // for a key that has an artifact
		absent    error // for one that has none
	}{
		"no condition is met":                 {container.Condition{}, nil, nil},
		"If-Match, hit":                       {container.Condition{IfMatch: hit}, nil, container.ErrArtifactNotFound},
		"If-Match, any":                       {container.Condition{IfMatch: star}, nil, container.ErrArtifactNotFound},
		"If-Match, miss":                      {container.Condition{IfMatch: miss}, container.ErrPrecondition, container.ErrArtifactNotFound},
		"If-None-Match, miss":                 {container.Condition{IfNoneMatch: miss}, nil, nil},
		"If-None-Match, hit":                  {container.Condition{IfNoneMatch: hit}, container.ErrPrecondition, nil},
		"If-None-Match, any":                  {container.Condition{IfNoneMatch: star}, container.ErrPrecondition, nil},
		"If-Match and If-None-Match, hit":     {container.Condition{IfMatch: hit, IfNoneMatch: hit}, container.ErrPrecondition, container.ErrArtifactNotFound},
		"unmodified since before":             {container.Condition{IfUnmodifiedSince: before}, container.ErrPrecondition, nil},
		"unmodified since that second":        {container.Condition{IfUnmodifiedSince: same}, nil, nil},
		"If-Match leaves out unmodified":      {container.Condition{IfMatch: hit, IfUnmodifiedSince: before}, nil, container.ErrArtifactNotFound},
		"If-Modified-Since is for reads only": {container.Condition{IfModifiedSince: after}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assertIs(t, c.condition.CheckWrite(&current), c.want)
			assertIs(t, c.condition.CheckWrite(nil), c.absent)
		})
	}
}

// assertIs asserts that err matches want, and is not the more precise
// ErrNotModified when ErrPrecondition is wanted.
func assertIs(t *testing.T, err, want error) {
	t.Helper()
	if want == nil {
		assert.NoError(t, err)
		return
	}
	assert.ErrorIs(t, err, want)
	if want == container.ErrPrecondition {
		assert.NotErrorIs(t, err, container.ErrNotModified)
	}
}

func TestConditionIsZeroOnlyIfItAsksNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []container.Condition{{}, {IfMatch: []string{}, IfNoneMatch: []string{}}} {
		assert.True(t, c.IsZero(), "%+v", c)
	}
	for _, c := range []container.Condition{
		{IfMatch: hit}, {IfNoneMatch: hit}, {IfModifiedSince: same}, {IfUnmodifiedSince: same},
	} {
		assert.False(t, c.IsZero(), "%+v", c)
	}
}
