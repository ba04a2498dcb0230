package hub

import (
	"context"
	"errors"
	"fmt"

	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

func revokedError(text string) *wire.Error {
	return &wire.Error{Code: wire.CodeRevoked, Text: "this device's access was taken back: " + text}
}

// mayLeave refuses a revoked device that cannot leave, or has left.
func (s *Session) mayLeave(ctx context.Context, h *wire.Hello) error {
	if h.Version < 2 {
		return revokedError("ask your company; what is on it stays readable")
	}
	info, err := s.store.DeviceByID(ctx, s.dev.ID)
	if err == nil && !info.Left.IsZero() {
		err = revokedError("it left, and cannot come back; ask your company for a new one")
	}
	return err
}

// park keeps what a device that leaves pushes apart from the member's documents. What the order holds is not kept twice:
// the device may have been cut off, or revoked, before it was sent its receipt.
func (s *Session) park(ctx context.Context, f *wire.Push) (got Received, err error) {
	got.Changes = len(f.Items)
	if err := s.readOrder(ctx); err != nil {
		return got, err
	}
	s.mu.Lock()
	waiting := len(s.answers) > 0
	s.mu.Unlock()
	if waiting {
		return got, &wire.Error{Code: wire.CodeOrder, Text: "a push before the answer to the last one"}
	}
	out := answer{frame: wire.Answer{ID: f.ID}}
	items := make([]store.Item, 0, len(f.Items))
	for _, it := range f.Items {
		if !store.MayKeep(it.Doc) {
			out.frame.Refused = append(out.frame.Refused, wire.Refusal{
				Hash: it.Change.Hash(), Code: wire.CodeDocument,
				Text: fmt.Sprintf("document %.40q: its name is longer than the %d bytes that are kept", it.Doc, store.MaxParkedName),
			})
		} else if !s.names.has(it.Change.Hash()) { // only the reading side has them while the device leaves
			items = append(items, store.Item{Doc: it.Doc, Change: it.Change})
		}
	}
	if len(items) > 0 {
		if err := s.store.Park(ctx, s.dev.ID, items); errors.Is(err, store.ErrQuota) {
			return got, &wire.Error{
				Code: wire.CodeFull, Wait: 60000,
				Text: "this device's access was taken back, and the server has no room for what only it has: that stays here until your company makes room",
			}
		} else if err != nil {
			return got, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, out)
	s.pushed(len(f.Items) - len(out.frame.Refused))
	got.Refused = out.frame.Refused
	return got, nil
}

// readOrder notes, once, what the order has after the receipt that the device proved: no change that it pushes stands
// before it. It notes maxHave changes at most, and no more than there is room for; what comes behind them may be kept twice.
// An error ends the connection.
func (s *Session) readOrder(ctx context.Context) error {
	if s.orderRead {
		return nil
	}
	s.orderRead = true
	var list []automerge.Hash
	for at := s.sent.Seq; len(s.names.list) < maxHave; {
		p, err := s.store.Since(ctx, s.dev.Member, at, pageChanges, pageBytes)
		if err != nil {
			return err
		}
		if p.At.Seq == at {
			break
		}
		list = list[:0]
		if p.Segment != nil {
			items, err := p.Segment.Open()
			if err != nil {
				return fmt.Errorf("stored changes of member %s: %w", s.dev.Member, err)
			}
			for i := range items {
				list = append(list, items[i].Change.Hash())
			}
		}
		for i := range p.Changes {
			list = append(list, p.Changes[i].Hash)
		}
		if !s.names.add(list) {
			break
		}
		at = p.At.Seq
	}
	s.names.sort()
	return nil
}

// left notes that the device says that it is empty, and has the connection end.
func (s *Session) left(ctx context.Context) (got Received, err error) {
	if err := s.store.LeaveDevice(ctx, s.dev.ID); err != nil {
		return got, err
	}
	got.Left = true
	return got, revokedError("what only it had is with your company, and it is empty now")
}
