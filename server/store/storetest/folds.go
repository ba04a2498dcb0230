package storetest

import (
	"errors"
	"testing"

	"trio/crdt"
	"trio/server/store"
)

// folds are kept once a member, never taken back by one that was read less far, and what was saved since can be asked for.
func (h Harness) folds(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	a, b := p.tenant(), p.tenant()
	maya, noor, other := p.member(a), p.member(a), p.member(b)
	fold := func(m crdt.MemberID, seq uint64, form byte, data string) store.Fold {
		return store.Fold{Member: m, Seq: seq, Form: [16]byte{form}, Data: []byte(data)}
	}
	_, err := p.FoldOf(ctx, maya)
	want(t, "the fold of nothing", err, store.ErrNotFound)
	p.check(p.SaveFolds(ctx, nil))
	p.check(p.SaveFolds(ctx, []store.Fold{fold(maya, 7, 1, "seven"), fold(noor, 3, 1, ""), fold(other, 1, 1, "theirs"), fold(crdt.MemberID{1}, 1, 1, "nobody")}))
	list, mark, err := p.Folds(ctx, a, 0, 0)
	if err != nil || len(list) != 2 || list[0].Member != maya || string(list[0].Data) != "seven" || list[0].Seq != 7 || list[1].Member != noor || len(list[1].Data) != 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	if list, next, err := p.Folds(ctx, a, mark, 0); err != nil || len(list) != 0 || next != mark {
		t.Errorf("nothing was saved since: %v %d %v", list, next, err)
	}
	p.check(p.SaveFolds(ctx, []store.Fold{fold(maya, 6, 1, "six")}))
	if f, err := p.FoldOf(ctx, maya); err != nil || string(f.Data) != "seven" {
		t.Errorf("one that was read less far took its place: %+v %v", f, err)
	}
	p.check(p.SaveFolds(ctx, []store.Fold{fold(maya, 6, 2, "six, in another way")}))
	list, next, err := p.Folds(ctx, a, mark, 0)
	if err != nil || len(list) != 1 || list[0].Form != [16]byte{2} || list[0].Seq != 6 || next <= mark {
		t.Errorf("%+v %d, %v", list, next, err)
	}
	if list, _, err := p.Folds(ctx, a, 0, 1); err != nil || len(list) != 1 || list[0].Member != noor {
		t.Errorf("a page of one: %+v, %v", list, err)
	}
	var wrong store.Invalid
	if err := p.SaveFolds(ctx, []store.Fold{fold(noor, 9, 1, "x"), {Member: maya, Seq: 9, Data: make([]byte, store.MaxFoldBytes+1)}}); !errors.As(err, &wrong) {
		t.Errorf("one that is too large: %v", err)
	}
	if f, err := p.FoldOf(ctx, noor); err != nil || f.Seq != 3 {
		t.Errorf("half of it was saved: %+v %v", f, err)
	}
	if list, _, err := p.Folds(ctx, -1, 0, 0); err != nil || len(list) != 0 {
		t.Errorf("folds of no company: %v, %v", list, err)
	}
}
