package container_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vaultaire/vaultaire/container"
)

func TestRangeResolve(t *testing.T) {
	t.Parallel()
	const most = math.MaxInt64
	for name, c := range map[string]struct {
		r      container.Range
		size   int64
		off, n int64
	}{
		"all":                          {container.Range{}, 10, 0, 10},
		"all of nothing":               {container.Range{}, 0, 0, 0},
		"a span":                       {container.Span(2, 3), 10, 2, 3},
		"a span of everything":         {container.Span(0, 10), 10, 0, 10},
		"a span over the end":          {container.Span(8, 5), 10, 8, 2},
		"a span that overflows":        {container.Span(8, most), 10, 8, 2},
		"a span to the last offset":    {container.Span(0, most), most, 0, most},
		"a span of the last byte":      {container.Span(9, 1), 10, 9, 1},
		"from the start":               {container.From(0), 10, 0, 10},
		"from the last byte":           {container.From(9), 10, 9, 1},
		"the last bytes":               {container.Last(3), 10, 7, 3},
		"exactly all as the last":      {container.Last(10), 10, 0, 10},
		"more last bytes than there":   {container.Last(11), 10, 0, 10},
		"vastly more than there":       {container.Last(most), 1, 0, 1},
		"the last byte of the largest": {container.Last(1), most, most - 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			off, n, err := c.r.Resolve(c.size)
			require.NoError(t, err)
			assert.Equal(t, []int64{c.off, c.n}, []int64{off, n})
		})
	}
}

func TestRangeResolveRefusesWhatSelectsNoByte(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r    container.Range
		size int64
	}{
		"a span from the end":         {container.Span(10, 1), 10},
		"a span from behind the end":  {container.Span(11, 1), 10},
		"a span from very far behind": {container.Span(math.MaxInt64, math.MaxInt64), 10},
		"a span of no bytes":          {container.Span(2, 0), 10},
		"a span of nothing":           {container.Span(0, 1), 0},
		"a span of -1 bytes":          {container.Span(2, -1), 10},
		"a span from offset -1":       {container.Span(-1, 5), 10},
		"from the end":                {container.From(10), 10},
		"from the start of nothing":   {container.From(0), 0},
		"from offset -1":              {container.From(-1), 10},
		"the last 0 bytes":            {container.Last(0), 10},
		"the last byte of nothing":    {container.Last(1), 0},
		"the last -1 bytes":           {container.Last(-1), 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			off, n, err := c.r.Resolve(c.size)
			require.ErrorIs(t, err, container.ErrRange)
			assert.Zero(t, off)
			assert.Zero(t, n)
			assert.ErrorContains(t, err, c.r.String(), "the message says what was asked")
		})
	}
}

func TestOnlyTheZeroRangeIsAll(t *testing.T) {
	t.Parallel()
	assert.True(t, container.Range{}.IsAll())
	for _, r := range []container.Range{container.Span(0, 0), container.From(0), container.Last(0)} {
		assert.False(t, r.IsAll(), "%v", r)
	}
}
