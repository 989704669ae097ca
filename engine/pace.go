package engine

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// DefaultBackgroundRate is how many bytes in a second work in the background
// reads and writes, unless WithBackgroundRate says otherwise.
const DefaultBackgroundRate = 64 << 20

// A pace keeps work in the background from taking the disk away from callers.
type pace struct{ limiter *rate.Limiter }

func newPace(bytesPerSecond int64) pace {
	// A tenth of a second at once: who waits for a step does not wait for long.
	step := max(bytesPerSecond/10, 1)
	return pace{rate.NewLimiter(rate.Limit(bytesPerSecond), int(step))}
}

// wait returns when n bytes may be read or written. It goes in steps, and asks
// hurried before each whether it is to return at once.
func (p pace) wait(ctx context.Context, n int64, hurried func() bool) error {
	for n > 0 && !hurried() {
		step := min(n, int64(p.limiter.Burst()))
		turn := p.limiter.ReserveN(time.Now(), int(step))
		select {
		case <-time.After(turn.Delay()):
		case <-ctx.Done():
			turn.Cancel()
			return ctx.Err()
		}
		n -= step
	}
	return ctx.Err()
}

// sweepCost is what looking at a blob counts at least.
const sweepCost = 4 << 10

// pace waits until n bytes may be read or written in the background, unless
// somebody waits for it.
func (r *reclaimer) pace(ctx context.Context, n int64) error {
	return r.engine.pace.wait(ctx, n, func() bool { return r.hurried.Load() > 0 })
}
