package store

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
)

// Who stops waiting while the committer is at work reads nothing that the committer still writes.
func TestGivenUp(t *testing.T) {
	b := newBench(t)
	queued := func(n int) {
		for len(b.queue) < n {
			runtime.Gosched()
		}
	}
	for name, call := range map[string]func(context.Context) (told bool, err error){
		"SetReminder": func(ctx context.Context) (bool, error) {
			return b.SetReminder(ctx, Reminder{Member: b.member}, time.Time{})
		},
		"ClaimNotice": func(ctx context.Context) (bool, error) {
			return b.ClaimNotice(ctx, b.member, "key", time.Now())
		},
		"WebPushKey": func(ctx context.Context) (bool, error) {
			key, err := b.WebPushKey(ctx, []byte("offer"))
			return key != nil, err
		},
		"DiscardParked": func(ctx context.Context) (bool, error) {
			n, err := b.DiscardParked(ctx, b.device)
			return n > 0, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Both wait and become one group. The committer has begun it when the second one is given up.
			release := b.Hold(t.Context())
			begun, free := make(chan struct{}), make(chan struct{})
			go b.do(t.Context(), 1, func(*writer) error { //nolint:errcheck // it does nothing
				close(begun)
				<-free
				return nil
			})
			queued(1)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				// Without an error it was done before anybody gave it up.
				if told, err := call(ctx); err != nil && (told || !errors.Is(err, context.Canceled)) {
					t.Errorf("given up, and told %v, %v", told, err)
				}
			}()
			queued(2)
			release()
			<-begun
			cancel()
			close(free)
			<-ended
		})
	}
}
