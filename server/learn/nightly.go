package learn

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Nightly runs a night for all companies once a day.
type Nightly struct {
	Learner
	At   time.Duration // after midnight, by the clock of Zone
	Zone *time.Location
	Log  *slog.Logger

	Told  func(*Report)       // of each company; nil: nobody
	Ended func(time.Duration) // how long a night took in all; nil
}

// jitter bounds by how much later than At a night begins, so that the servers of one store seldom begin at once.
const jitter = 5 * time.Minute

// tonight is how old a fitted version is at most that another process has published in the same night.
const tonight = 12 * time.Hour

// Run sleeps until each night and runs it, until ctx ends. A night that the process was not there for is left out: the next one
// learns the same. Nothing that goes wrong in a night ends Run.
func (n *Nightly) Run(ctx context.Context) {
	n.Within = tonight
	for {
		wait := time.Until(next(time.Now().In(n.Zone), n.At)) + rand.N(jitter)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		began := time.Now()
		err := n.All(ctx, nil, false, func(r *Report) {
			n.Log.LogAttrs(ctx, r.level(), "night", slog.Any("fit", r))
			if n.Told != nil {
				n.Told(r)
			}
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			n.Log.Error("night failed", "err", err)
		}
		if n.Ended != nil {
			n.Ended(time.Since(began))
		}
	}
}

// next returns the first time after now at which the clock shows at.
func next(now time.Time, at time.Duration) time.Time {
	for day := 0; ; day++ {
		y, m, d := now.Date()
		t := time.Date(y, m, d+day, 0, int(at/time.Minute), 0, 0, now.Location())
		if t.After(now) {
			return t
		}
	}
}

// level is that of the log line: what an operator should look at stands out.
func (r *Report) level() slog.Level {
	switch r.Outcome {
	case Failed:
		return slog.LevelError
	case Worse, Refused:
		return slog.LevelWarn
	}
	if r.UnreadCount > 0 || r.Warning != "" {
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

// Gently is a Rest, a Learner's and of others who read members' documents, with which one part of so many of the time is worked at most.
func Gently(parts int) func(ctx context.Context, worked time.Duration) error {
	return func(ctx context.Context, worked time.Duration) error {
		t := time.NewTimer(time.Duration(parts-1) * worked)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
