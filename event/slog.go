package event

import (
	"context"
	"log/slog"
	"time"
)

// Slog returns a Sink that logs each event with logger. The message is the name
// of the operation and the time is when it ended. The attributes have the names
// and meanings of the fields that [Event.MarshalJSON] documents, except that
// the duration is one; attributes that would be empty are left out.
//
// The level says who should look:
//
//   - Error: outcome [Failed]. Something of ours is broken.
//   - Warn: [Denied], [Quota], [Throttled]. A caller is kept from something that
//     it may be meant to have.
//   - Info: all others. Callers ask for what is not there, or has changed
//     meanwhile, or is not possible, all day.
//
// Who wants only trouble gives a logger whose handler starts at Warn.
func Slog(logger *slog.Logger) Sink { return slogSink{logger.Handler()} }

type slogSink struct{ handler slog.Handler }

func (s slogSink) Record(ctx context.Context, e Event) {
	level := levelOf(e.Outcome)
	if !s.handler.Enabled(ctx, level) {
		return
	}
	// A record of our own, because a Logger would stamp it with the present,
	// which behind Async is later than the operation.
	var end time.Time
	if !e.Start.IsZero() {
		end = e.Start.Add(e.Duration)
	}
	r := slog.NewRecord(end, level, string(e.Op), 0)
	r.AddAttrs(attrs(e)...)
	_ = s.handler.Handle(ctx, r) // as a Logger does: where else could it be logged?
}

func levelOf(o Outcome) slog.Level {
	switch o {
	case Failed:
		return slog.LevelError
	case Denied, Quota, Throttled:
		return slog.LevelWarn
	default:
		return slog.LevelInfo
	}
}

func attrs(e Event) []slog.Attr {
	as := make([]slog.Attr, 0, 14)
	as = append(as, slog.String("outcome", string(e.Outcome)))
	for _, a := range []struct{ name, value string }{
		{"id", e.ID},
		{"tenant", string(e.Tenant)},
		{"principal", e.Principal},
		{"container", e.Container},
		{"artifact", e.Artifact},
		{"version", string(e.Version)},
		{"driver", e.Driver},
		{"request_id", e.Request.ID},
		{"remote_addr", e.Request.RemoteAddr},
		{"api", e.Request.API},
	} {
		if a.value != "" {
			as = append(as, slog.String(a.name, a.value))
		}
	}
	as = append(as, slog.Duration("duration", e.Duration))
	if e.Bytes != 0 {
		as = append(as, slog.Int64("bytes", e.Bytes))
	}
	if e.Err != nil {
		as = append(as, slog.Any("error", e.Err))
	}
	return as
}
