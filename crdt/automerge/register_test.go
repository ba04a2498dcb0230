package automerge

import (
	"slices"
	"testing"
)

func TestApplyOp(t *testing.T) {
	id := func(n uint64, a ActorID) OpID { return OpID{n, a} }
	put := func(n uint64, a ActorID, v Value) Entry { return Entry{ID: id(n, a), Action: Put, Value: v} }
	text := func(s string) Value { return Value{Kind: KindString, Str: s} }
	count := func(n int64) Value { return Value{Kind: KindCounter, Num: n} }
	for _, c := range []struct {
		name    string
		visible []Entry
		id      OpID
		op      Op
		want    []Entry
	}{
		{"first put", nil, id(1, "a"), Op{Action: Put, Value: text("x")}, []Entry{put(1, "a", text("x"))}},
		{
			"put over",
			[]Entry{put(1, "a", text("x"))},
			id(2, "b"),
			Op{Action: Put, Value: text("y"), Pred: []OpID{id(1, "a")}},
			[]Entry{put(2, "b", text("y"))},
		},
		{
			"concurrent puts stand in the order of their ids",
			[]Entry{put(5, "b", text("x")), put(7, "a", text("z"))},
			id(5, "c"),
			Op{Action: Put, Value: text("y")},
			[]Entry{put(5, "b", text("x")), put(5, "c", text("y")), put(7, "a", text("z"))},
		},
		{
			"put over one of two",
			[]Entry{put(1, "a", text("x")), put(1, "b", text("y"))},
			id(2, "a"),
			Op{Action: Put, Value: text("z"), Pred: []OpID{id(1, "a")}},
			[]Entry{put(1, "b", text("y")), put(2, "a", text("z"))},
		},
		{
			"delete",
			[]Entry{put(1, "a", text("x")), put(1, "b", text("y"))},
			id(2, "a"),
			Op{Action: Delete, Pred: []OpID{id(1, "a")}},
			[]Entry{put(1, "b", text("y"))},
		},
		{"delete of what is gone", nil, id(2, "a"), Op{Action: Delete, Pred: []OpID{id(1, "a")}}, nil},
		{
			"object",
			[]Entry{put(1, "a", text("x"))},
			id(2, "a"),
			Op{Action: MakeText, Pred: []OpID{id(1, "a")}},
			[]Entry{{ID: id(2, "a"), Action: MakeText}},
		},
		{
			"increment",
			[]Entry{put(1, "a", count(5))},
			id(2, "a"),
			Op{Action: Increment, Value: Value{Kind: KindInt, Num: -7}, Pred: []OpID{id(1, "a")}},
			[]Entry{put(1, "a", count(-2))},
		},
		{
			"increment of all that count, the rest goes",
			[]Entry{put(1, "a", count(5)), put(1, "b", text("x")), put(1, "c", count(1)), put(1, "d", count(0))},
			id(2, "a"),
			Op{Action: Increment, Value: Value{Kind: KindInt, Num: 1}, Pred: []OpID{id(1, "a"), id(1, "b"), id(1, "c")}},
			[]Entry{put(1, "a", count(6)), put(1, "c", count(2)), put(1, "d", count(0))},
		},
		{
			"increment wraps",
			[]Entry{put(1, "a", count(1<<63-1))},
			id(2, "a"),
			Op{Action: Increment, Value: Value{Kind: KindUint, Num: 1}, Pred: []OpID{id(1, "a")}},
			[]Entry{put(1, "a", count(-1<<63))},
		},
		{
			"mark",
			[]Entry{put(1, "a", count(1))},
			id(2, "a"),
			Op{Action: Mark, Pred: []OpID{id(1, "a")}},
			[]Entry{put(1, "a", count(1))},
		},
	} {
		got := ApplyOp(slices.Clone(c.visible), c.id, &c.op)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", c.name, got, c.want)
		}
		w, ok := Winner(got)
		if ok != (len(c.want) > 0) || ok && w != c.want[len(c.want)-1] {
			t.Errorf("%s: winner %v, %v", c.name, w, ok)
		}
	}
}
