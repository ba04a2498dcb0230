package automerge_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/crdt/automerge"
)

// What official engines do with changes that no engine makes (npm 3.5.0 and automerge-go of 2023-09-03, by the
// experiments below). They keep operations and not bytes: a saved document holds operations with their successors, and
// loading makes the changes anew and compares hashes. So whatever does not come back bit for bit is taken, shown, synced,
// and found out only when the file is opened again, which then cannot be opened at all. That is the end of
//
//   - every other encoding of the same fields: runs not merged, columns that are empty, unknown or written out needlessly
//   - predecessors that do not exist, that stand under another key, element or object, or that put no value
//   - what an action does not keep: a delete's value, flags and names of marks elsewhere, an increment by a uint
//   - deletes of nothing, insertions over something, writes to the head of a list
//   - objects and elements that do not exist: npm reports an error, yet the change is a head from then on
//   - all of that if it is merely not in the change's own history, as soon as it comes before what it works on
//   - the end of a mark that does not follow its beginning, by number and by place (npm)
//   - a change without its writer's previous one in its history (npm; automerge-go refuses that one when it comes later)
//   - a time of -2^63, once a time follows that differs by more than 63 bits can say
//   - an operation counter far ahead: npm takes time and memory for each number left out, seconds from 2^22, and gives up
//     at 2^24 and above
//
// An actor that nobody has seen, in a predecessor or object, makes npm hang. Keys on lists and elements on maps take
// automerge-go's process down. npm cannot read tables. Unknown kinds, empty keys, extreme integers, NaN, counters that
// overflow, increments of what is no counter, redundant dependencies and changes without operations do no harm, and are
// read alike by all three; a timestamp beyond 8.64e15 ms is an invalid Date in JavaScript.
//
// What cannot be parsed is refused by npm with an error; automerge-go takes no notice of it, and says nothing.

// poisonBase is the history that each poisoned change meets: a1 wrote what follows in two changes.
//
//	1 k = "one"          9 map.x = 1          17 other map
//	2 n = counter 10    10 text               18 list[2] = map
//	3 list              11, 12 "hi"           19 mark begin in text
//	4, 5 list elements  13 gone = "g"         20 mark end
//	6 list2             14 delete gone        21 list[0] = "put" (over 4)
//	7 list2 element     15 increment n        22 map.c = counter 1
//	8 map               16 k2 = "two"         23, 24 map.y, twice; the first is written over
func poisonBase(t *testing.T) []*automerge.Change {
	t.Helper()
	root := func(a automerge.Action, key string, v automerge.Value, pred ...uint64) automerge.Op {
		return automerge.Op{Key: key, Action: a, Value: v, Pred: ids(pred...)}
	}
	one := &automerge.Change{Actor: "a1", Seq: 1, StartOp: 1, Ops: []automerge.Op{
		root(automerge.Put, "k", text("one")),
		root(automerge.Put, "n", num(automerge.KindCounter, 10)),
		root(automerge.MakeList, "list", automerge.Value{}),
		{Obj: id(3), IsList: true, Insert: true, Action: automerge.Put, Value: text("A")},
		{Obj: id(3), IsList: true, Insert: true, Elem: id(4), Action: automerge.Put, Value: text("B")},
		root(automerge.MakeList, "list2", automerge.Value{}),
		{Obj: id(6), IsList: true, Insert: true, Action: automerge.Put, Value: text("X")},
		root(automerge.MakeMap, "map", automerge.Value{}),
		{Obj: id(8), Key: "x", Action: automerge.Put, Value: num(automerge.KindInt, 1)},
		root(automerge.MakeText, "text", automerge.Value{}),
		{Obj: id(10), IsList: true, Insert: true, Action: automerge.Put, Value: text("h")},
		{Obj: id(10), IsList: true, Insert: true, Elem: id(11), Action: automerge.Put, Value: text("i")},
		root(automerge.Put, "gone", text("g")),
	}}
	seal(t, one)
	two := &automerge.Change{Actor: "a1", Seq: 2, StartOp: 14, Deps: []automerge.Hash{one.Hash()}, Ops: []automerge.Op{
		root(automerge.Delete, "gone", automerge.Value{}, 13),
		root(automerge.Increment, "n", num(automerge.KindInt, 1), 2),
		root(automerge.Put, "k2", text("two")),
		root(automerge.MakeMap, "map2", automerge.Value{}),
		{Obj: id(3), IsList: true, Insert: true, Elem: id(5), Action: automerge.MakeMap},
		{Obj: id(10), IsList: true, Insert: true, Action: automerge.Mark, Mark: "bold", Expand: true, Value: automerge.Value{Kind: automerge.KindTrue}},
		{Obj: id(10), IsList: true, Insert: true, Elem: id(11), Action: automerge.Mark},
		{Obj: id(3), IsList: true, Elem: id(4), Action: automerge.Put, Value: text("put"), Pred: ids(4)},
		{Obj: id(8), Key: "c", Action: automerge.Put, Value: num(automerge.KindCounter, 1)},
		{Obj: id(8), Key: "y", Action: automerge.Put, Value: text("y1")},
		{Obj: id(8), Key: "y", Action: automerge.Put, Value: text("y2"), Pred: ids(23)},
	}}
	seal(t, two)
	return []*automerge.Change{one, two}
}

func id(n uint64) automerge.OpID { return automerge.OpID{Counter: n, Actor: "a1"} }

func ids(n ...uint64) []automerge.OpID {
	var list []automerge.OpID
	for _, n := range n {
		list = append(list, id(n))
	}
	return list
}

func seal(t *testing.T, c *automerge.Change) {
	t.Helper()
	if err := c.Seal(); err != nil {
		t.Fatal(err)
	}
}

// poison is a change on top of the base, by b2, from operation 25 on.
type poison struct {
	name   string
	change automerge.Change
	cols   func(map[uint64]string)
	early  bool     // given before the second change of the base
	refuse string   // part of what we say; "" where the change is fine
	npm    reaction // healthy where nothing is said
	golang reaction
}

func ops(list ...automerge.Op) automerge.Change { return automerge.Change{Ops: list} }

func putOp(key string, v automerge.Value, pred ...uint64) automerge.Op {
	return automerge.Op{Key: key, Action: automerge.Put, Value: v, Pred: ids(pred...)}
}

func poisons() []poison {
	str := text("v")
	del := func(o automerge.Op) automerge.Op { o.Action, o.Value = automerge.Delete, automerge.Value{}; return o }
	inc := func(by int64, key string, pred ...uint64) automerge.Op {
		return automerge.Op{Key: key, Action: automerge.Increment, Value: num(automerge.KindInt, by), Pred: ids(pred...)}
	}
	in := func(obj uint64, key string, pred ...uint64) automerge.Op {
		return automerge.Op{Obj: id(obj), Key: key, Action: automerge.Put, Value: str, Pred: ids(pred...)}
	}
	elem := func(obj, e uint64, pred ...uint64) automerge.Op {
		return automerge.Op{Obj: id(obj), IsList: true, Elem: id(e), Action: automerge.Put, Value: str, Pred: ids(pred...)}
	}
	ins := func(obj, e uint64, pred ...uint64) automerge.Op {
		o := elem(obj, e, pred...)
		if o.Insert = true; e == 0 {
			o.Elem = automerge.OpID{}
		}
		return o
	}
	with := func(o automerge.Op, f func(*automerge.Op)) automerge.Op { f(&o); return o }
	mark := func(obj, e uint64, name string, expand bool) automerge.Op {
		return with(ins(obj, e), func(o *automerge.Op) {
			o.Action, o.Mark, o.Expand, o.Value = automerge.Mark, name, expand, automerge.Value{Kind: automerge.KindTrue}
			if name == "" {
				o.Value = automerge.Value{}
			}
		})
	}
	raw := func(k automerge.Kind, s string) automerge.Value { return automerge.Value{Kind: k, Str: s} }
	list := []poison{
		{name: "fine: put over k", change: ops(putOp("k", str, 1))},
		{name: "fine: put of a new key", change: ops(putOp("new", str))},
		{name: "fine: put without its predecessor", change: ops(putOp("k", str))},
		{name: "fine: delete", change: ops(del(putOp("k", str, 1)))},
		{name: "fine: increment", change: ops(inc(1, "n", 2))},
		{name: "fine: make map, list, text", change: ops(
			automerge.Op{Key: "m", Action: automerge.MakeMap}, automerge.Op{Key: "l", Action: automerge.MakeList}, automerge.Op{Key: "t", Action: automerge.MakeText})},
		{name: "fine: element", change: ops(elem(3, 5, 5))},
		{name: "fine: element over a put", change: ops(elem(3, 4, 21))},
		{name: "fine: insertion", change: ops(ins(3, 5))},
		{name: "fine: nested in the change itself", change: ops(
			automerge.Op{Key: "m", Action: automerge.MakeMap},
			automerge.Op{Obj: automerge.OpID{Counter: 25, Actor: "b2"}, Key: "x", Action: automerge.Put, Value: str},
			automerge.Op{Obj: automerge.OpID{Counter: 25, Actor: "b2"}, Key: "x", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 26, Actor: "b2"}}},
		)},
		{name: "fine: marks", change: ops(mark(10, 11, "em", true), mark(10, 12, "", false))},
		{name: "fine: put over what was written over", change: ops(in(8, "y", 23))},
		{name: "fine: delete what was deleted", change: ops(del(putOp("gone", str, 13)))},
		{name: "fine: object over a value", change: ops(automerge.Op{Key: "k", Action: automerge.MakeMap, Pred: ids(1)})},

		{name: "pred: none such", refuse: "is not older than the operation", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1), putOp("k2", str, 99))},
		{name: "pred: unknown actor", refuse: "is not in the history of the change", npm: crashes, golang: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 1, Actor: "zz"}}})},
		{name: "pred: none such, put", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 24, Actor: "b2"}}})},
		{name: "pred: none such, new key", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Key: "new", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 24, Actor: "b2"}}})},
		{name: "pred: none such, delete", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Delete, Pred: []automerge.OpID{{Counter: 24, Actor: "b2"}}})},
		{name: "pred: none such, increment", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(with(inc(1, "n"), func(o *automerge.Op) { o.Pred = []automerge.OpID{{Counter: 24, Actor: "b2"}} }))},
		{name: "pred: another key's", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 16))},
		{name: "pred: another key's, delete", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(del(putOp("k", str, 16)))},
		{name: "pred: another key's, new key", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(putOp("new", str, 16))},
		{name: "pred: its own and another key's", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1, 16))},
		{name: "pred: another object's", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(putOp("x", str, 9))},
		{name: "pred: another list's", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(elem(3, 5, 7))},
		{name: "pred: another element's", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(elem(3, 5, 4))},
		{name: "pred: another element's, delete", refuse: "is of another key or element", npm: unloadable, golang: unloadable, change: ops(del(elem(3, 5, 4)))},
		{name: "pred: a delete", refuse: "put no value", npm: unloadable, golang: unloadable, change: ops(putOp("gone", str, 14))},
		{name: "pred: an increment", refuse: "put no value", change: ops(putOp("n", str, 15))},
		{name: "pred: a counter and its increment", refuse: "put no value", change: ops(putOp("n", str, 2, 15))},
		{name: "pred: delete of an increment", refuse: "put no value", golang: unloadable, change: ops(del(putOp("n", str, 15)))},
		{name: "pred: increment of an increment", refuse: "put no value", change: ops(inc(1, "n", 15))},
		{name: "pred: twice the same", refuse: "predecessors do not ascend", golang: unloadable, change: ops(putOp("k", str, 1, 1))},
		{name: "pred: descending", refuse: "predecessors do not ascend", npm: unloadable, golang: unloadable, change: ops(elem(3, 4, 21, 4))},
		{name: "pred: itself", refuse: "is not older than the operation", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 25, Actor: "b2"}}})},
		{name: "pred: a later one of the change", refuse: "is not older than the operation", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Put, Value: str, Pred: []automerge.OpID{{Counter: 26, Actor: "b2"}}}, putOp("k", str))},

		{name: "delete: without predecessor", refuse: "delete or increment of nothing", npm: unloadable, golang: unloadable, change: ops(del(putOp("k", str)))},
		{name: "delete: without predecessor, new key", refuse: "delete or increment of nothing", npm: unloadable, golang: unloadable, change: ops(del(putOp("new", str)))},
		{name: "delete: without predecessor, element", refuse: "delete or increment of nothing", npm: unloadable, golang: unloadable, change: ops(del(elem(3, 5)))},
		{name: "delete: with a value", refuse: "value with an operation of action 3", npm: unloadable, golang: unloadable, change: ops(with(putOp("k", str, 1), func(o *automerge.Op) { o.Action = automerge.Delete }))},
		{name: "delete: that inserts", refuse: "delete or increment of nothing", npm: unloadable, golang: unloadable, change: ops(del(ins(3, 5)))},
		{name: "delete: that inserts, with predecessor", refuse: "insertion over a predecessor", npm: unloadable, golang: unloadable, change: ops(del(ins(3, 5, 5)))},
		{name: "delete: a mark", refuse: "is none of this list", golang: unloadable, change: ops(del(elem(10, 19, 19)))},
		{name: "put: over a mark", refuse: "is none of this list", change: ops(elem(10, 19, 19))},
		{name: "put: on a mark's element", refuse: "is none of this list", change: ops(elem(10, 19))},
		{name: "make: with a value", refuse: "value with an operation of action 0", golang: unloadable, change: ops(automerge.Op{Key: "m", Action: automerge.MakeMap, Value: str})},

		{name: "increment: without predecessor", refuse: "delete or increment of nothing", change: ops(inc(1, "n"))},
		{name: "increment: without predecessor, new key", refuse: "delete or increment of nothing", change: ops(inc(1, "new"))},
		{name: "increment: of a string", change: ops(inc(1, "k", 1))},
		{name: "increment: of an object", change: ops(inc(1, "map", 8))},
		{name: "increment: of a counter written over", change: ops(putOp("n", str, 2), inc(1, "n", 2))},
		{name: "increment: to int64 overflow", change: ops(inc(math.MaxInt64, "n", 2))},
		{name: "increment: by int64 min", change: ops(inc(math.MinInt64, "n", 2), inc(-100, "n", 2))},
		{name: "increment: by uint64 max", refuse: "increment by a value of kind 3", golang: unloadable, change: ops(with(inc(-1, "n", 2), func(o *automerge.Op) { o.Value.Kind = automerge.KindUint }))},
		{name: "increment: by uint64 1", refuse: "increment by a value of kind 3", golang: unloadable, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Value.Kind = automerge.KindUint }))},
		{name: "increment: by a string", refuse: "increment by a value of kind 6", npm: refused, golang: ignored, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Value = str }))},
		{name: "increment: by null", refuse: "increment by a value of kind 0", npm: refused, golang: ignored, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Value = automerge.Value{} }))},
		{name: "increment: by a counter", refuse: "increment by a value of kind 8", npm: refused, golang: ignored, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Value.Kind = automerge.KindCounter }))},
		{name: "increment: by a float", refuse: "increment by a value of kind 5", npm: refused, golang: ignored, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Value.Kind = automerge.KindFloat64 }))},
		{name: "increment: that inserts", refuse: "delete or increment of nothing", change: ops(with(ins(3, 5), func(o *automerge.Op) { o.Action, o.Value = automerge.Increment, num(automerge.KindInt, 1) }))},
		{name: "increment: twice", change: ops(inc(1, "n", 2), inc(1, "n", 2))},

		{name: "object: none such", refuse: "is not older than the operation", npm: unloadable, golang: unloadable, change: ops(in(99, "x"))},
		{name: "object: unknown actor", refuse: "is not in the history of the change", npm: crashes, golang: unloadable, change: ops(automerge.Op{Obj: automerge.OpID{Counter: 1, Actor: "zz"}, Key: "x", Action: automerge.Put, Value: str})},
		{name: "object: none such, own", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Obj: automerge.OpID{Counter: 24, Actor: "b2"}, Key: "x", Action: automerge.Put, Value: str})},
		{name: "object: none such, list", refuse: "is not in the history of the change", npm: unloadable, golang: unloadable, change: ops(automerge.Op{Obj: automerge.OpID{Counter: 24, Actor: "b2"}, IsList: true, Insert: true, Action: automerge.Put, Value: str})},
		{name: "object: a scalar", refuse: "was made by no operation", npm: unloadable, golang: unloadable, change: ops(in(1, "x"))},
		{name: "object: a delete", refuse: "was made by no operation", npm: unloadable, golang: unloadable, change: ops(in(14, "x"))},
		{name: "object: map key on a list", refuse: "is of another kind", npm: unloadable, golang: crashes, change: ops(in(3, "x"))},
		{name: "object: map key on a text", refuse: "is of another kind", npm: unloadable, golang: crashes, change: ops(in(10, "x"))},
		{name: "object: insertion into a map", refuse: "is of another kind", golang: crashes, change: ops(ins(8, 0))},
		{name: "object: element of a map", refuse: "is of another kind", npm: unloadable, golang: unloadable, change: ops(elem(8, 9, 9))},
		{name: "object: insertion into the root", refuse: "the root map has no list elements", golang: crashes, change: ops(automerge.Op{IsList: true, Insert: true, Action: automerge.Put, Value: str})},
		{name: "object: element of the root", refuse: "the root map has no list elements", npm: unloadable, golang: unloadable, change: ops(automerge.Op{IsList: true, Elem: id(1), Action: automerge.Put, Value: str, Pred: ids(1)})},
		{name: "object: insert flag on a key", refuse: "insertion into a map", npm: unloadable, change: ops(with(in(8, "x"), func(o *automerge.Op) { o.Insert = true }))},
		{name: "object: insert flag on a root key", refuse: "insertion into a map", npm: unloadable, change: ops(with(putOp("x", str), func(o *automerge.Op) { o.Insert = true }))},
		{name: "object: was deleted", change: ops(del(putOp("map", str, 8)), in(8, "z"))},

		{name: "element: none such, insertion", refuse: "is not older than the operation", npm: unloadable, change: ops(ins(3, 99))},
		{name: "element: none such, low", refuse: "is not in the history of the change", npm: unloadable, change: ops(with(ins(3, 5), func(o *automerge.Op) { o.Elem = automerge.OpID{Counter: 24, Actor: "b2"} }))},
		{name: "element: none such, put", refuse: "is not in the history of the change", npm: unloadable, change: ops(with(elem(3, 5), func(o *automerge.Op) { o.Elem = automerge.OpID{Counter: 24, Actor: "b2"} }))},
		{name: "element: another list's, insertion", refuse: "is none of this list", npm: unloadable, change: ops(ins(3, 7))},
		{name: "element: another list's, put", refuse: "is none of this list", npm: unloadable, golang: unloadable, change: ops(elem(3, 7, 7))},
		{name: "element: another list's, put without pred", refuse: "is none of this list", npm: unloadable, change: ops(elem(3, 7))},
		{name: "element: a put over an element", refuse: "is none of this list", npm: unloadable, golang: unloadable, change: ops(elem(3, 21, 21))},
		{name: "element: insertion after a put over an element", refuse: "is none of this list", npm: unloadable, change: ops(ins(3, 21))},
		{name: "element: put at the head", refuse: "the head of a list is no element", npm: unloadable, change: ops(with(elem(3, 5), func(o *automerge.Op) { o.Elem = automerge.OpID{} }))},
		{name: "element: delete at the head", refuse: "the head of a list is no element", npm: unloadable, golang: unloadable, change: ops(del(with(elem(3, 5, 5), func(o *automerge.Op) { o.Elem = automerge.OpID{} })))},
		{name: "element: a map's put", refuse: "is none of this list", npm: unloadable, change: ops(ins(3, 9))},
		{name: "element: insertion with predecessor", refuse: "insertion over a predecessor", npm: unloadable, golang: unloadable, change: ops(ins(3, 5, 5))},
		{name: "element: put without predecessor", change: ops(elem(3, 5))},
		{name: "element: a string into a text of many letters", change: ops(with(ins(10, 12), func(o *automerge.Op) { o.Value = text("many") }))},
		{name: "element: a number into a text", change: ops(with(ins(10, 12), func(o *automerge.Op) { o.Value = num(automerge.KindInt, 5) }))},
		{name: "element: a map into a text", change: ops(with(ins(10, 12), func(o *automerge.Op) { o.Action, o.Value = automerge.MakeMap, automerge.Value{} }))},
		{name: "element: an empty string into a text", change: ops(with(ins(10, 12), func(o *automerge.Op) { o.Value = text("") }))},

		{name: "table: made", refuse: "tables are of the past", npm: unusable, change: ops(automerge.Op{Key: "t", Action: automerge.MakeTable})},
		{name: "table: written", refuse: "tables are of the past", npm: unloadable, change: ops(automerge.Op{Key: "t", Action: automerge.MakeTable}, automerge.Op{Obj: automerge.OpID{Counter: 25, Actor: "b2"}, Key: "x", Action: automerge.Put, Value: str})},
		{name: "action: unknown", refuse: "unknown action 8", npm: refused, golang: ignored, change: ops(automerge.Op{Key: "t", Action: 8})},
		{name: "action: great", refuse: "unknown action 200", npm: refused, golang: ignored, change: ops(automerge.Op{Key: "t", Action: 200})},

		{name: "mark: begin without end", change: ops(mark(10, 11, "em", true))},
		{name: "mark: end without begin", refuse: "is not in the history of the change", npm: unloadable, change: ops(mark(10, 11, "", false))},
		{name: "mark: end before begin", refuse: "is not in the history of the change", npm: unloadable, change: ops(mark(10, 11, "", false), mark(10, 12, "em", false))},
		{name: "mark: end placed before its begin", refuse: "end of a mark does not follow its beginning", npm: unloadable, change: ops(mark(10, 12, "em", false), mark(10, 11, "", false))},
		{name: "mark: begin and end at one place", refuse: "end of a mark does not follow its beginning", npm: unloadable, change: ops(mark(10, 12, "em", false), mark(10, 12, "", false))},
		{name: "mark: end after its begin", change: ops(mark(10, 11, "em", false), with(mark(10, 11, "", false), func(o *automerge.Op) { o.Elem = automerge.OpID{Counter: 25, Actor: "b2"} }))},
		{name: "mark: end in another text", refuse: "end of a mark does not follow its beginning", npm: unloadable, change: ops(automerge.Op{Key: "t", Action: automerge.MakeText}, mark(10, 11, "em", false), with(mark(10, 0, "", false), func(o *automerge.Op) { o.Obj = automerge.OpID{Counter: 25, Actor: "b2"} }))},
		{name: "mark: end not next to its begin", refuse: "end of a mark does not follow its beginning", npm: unloadable, change: ops(mark(10, 11, "em", false), putOp("k", str, 1), mark(10, 12, "", false))},
		{name: "mark: two begins, two ends", refuse: "end of a mark does not follow its beginning", npm: unloadable, change: ops(mark(10, 11, "em", false), mark(10, 11, "x", false), mark(10, 12, "", false), mark(10, 12, "", false))},
		{name: "mark: in a list", change: ops(mark(3, 4, "em", true), mark(3, 5, "", false))},
		{name: "mark: on a map", refuse: "mark that is not inserted", change: ops(automerge.Op{Obj: id(8), Key: "x", Action: automerge.Mark, Mark: "em", Value: automerge.Value{Kind: automerge.KindTrue}})},
		{name: "mark: on the root", refuse: "mark that is not inserted", change: ops(automerge.Op{Key: "k", Action: automerge.Mark, Mark: "em", Value: automerge.Value{Kind: automerge.KindTrue}})},
		{name: "mark: end on the root", refuse: "mark that is not inserted", npm: unloadable, change: ops(automerge.Op{Key: "k", Action: automerge.Mark})},
		{name: "mark: on the root with predecessor", refuse: "mark that is not inserted", change: ops(automerge.Op{Key: "k", Action: automerge.Mark, Mark: "em", Pred: ids(1)})},
		{name: "mark: that does not insert", refuse: "mark that is not inserted", change: ops(with(mark(10, 11, "em", true), func(o *automerge.Op) { o.Insert = false }))},
		{name: "mark: end that does not insert, with predecessor", refuse: "mark that is not inserted", npm: unloadable, change: ops(with(mark(10, 11, "", true), func(o *automerge.Op) { o.Insert = false; o.Pred = ids(11) }))},
		{name: "mark: with predecessor", refuse: "insertion over a predecessor", npm: unloadable, golang: unloadable, change: ops(with(mark(10, 11, "em", true), func(o *automerge.Op) { o.Pred = ids(19) }), mark(10, 12, "", false))},
		{name: "mark: long name", change: ops(mark(10, 11, strings.Repeat("m", 60000), true), mark(10, 12, "", false))},
		{name: "mark: name with NUL", change: ops(mark(10, 11, "\x00", true), mark(10, 12, "", false))},
		{name: "mark: end with a value", refuse: "end of a mark with a value", golang: unloadable, change: ops(mark(10, 11, "em", true), with(mark(10, 12, "", false), func(o *automerge.Op) { o.Value = str }))},
		{name: "mark: name on a put", refuse: "mark name or expand flag on what is no mark", golang: unloadable, change: ops(with(putOp("k", str, 1), func(o *automerge.Op) { o.Mark = "em" }))},
		{name: "mark: name on a delete", refuse: "mark name or expand flag on what is no mark", npm: unloadable, golang: unloadable, change: ops(with(del(putOp("k", str, 1)), func(o *automerge.Op) { o.Mark = "em" }))},
		{name: "mark: expand on a put", refuse: "mark name or expand flag on what is no mark", golang: unloadable, change: ops(with(putOp("k", str, 1), func(o *automerge.Op) { o.Expand = true }))},
		{name: "mark: expand on an increment", refuse: "mark name or expand flag on what is no mark", golang: unloadable, change: ops(with(inc(1, "n", 2), func(o *automerge.Op) { o.Expand = true }))},
		{name: "mark: expand on a make", refuse: "mark name or expand flag on what is no mark", golang: unloadable, change: ops(automerge.Op{Key: "m", Action: automerge.MakeMap, Expand: true})},

		{name: "value: kind 10", change: ops(putOp("k", raw(10, "xyz"), 1))},
		{name: "value: kind 15", change: ops(putOp("k", raw(15, "xyz"), 1))},
		{name: "value: kind 12, empty", change: ops(putOp("k", raw(12, ""), 1))},
		{name: "value: kind 10 in a list", change: ops(with(ins(3, 5), func(o *automerge.Op) { o.Value = raw(10, "x") }))},
		{name: "value: string not UTF-8", refuse: "text is not UTF-8", npm: refused, golang: ignored, change: ops(putOp("k", raw(automerge.KindString, "\xff"), 1))},
		{name: "value: lone surrogate", refuse: "text is not UTF-8", npm: refused, golang: ignored, change: ops(putOp("k", raw(automerge.KindString, "\xed\xa0\x80"), 1))},
		{name: "value: NUL", change: ops(putOp("k", text("a\x00b"), 1))},
		{name: "value: noncharacter", change: ops(putOp("k", text("\uffff\ufffe\ufeff"), 1))},
		{name: "value: uint64 max", change: ops(putOp("k", num(automerge.KindUint, -1), 1))},
		{name: "value: int64 min", change: ops(putOp("k", num(automerge.KindInt, math.MinInt64), 1))},
		{name: "value: int64 max", change: ops(putOp("k", num(automerge.KindInt, math.MaxInt64), 1))},
		{name: "value: counter int64 max", change: ops(putOp("k", num(automerge.KindCounter, math.MaxInt64), 1))},
		{name: "value: counter over 2^53", change: ops(putOp("k", num(automerge.KindCounter, 1<<53+1), 1))},
		{name: "value: counter int64 max, incremented", change: ops(putOp("k", num(automerge.KindCounter, math.MaxInt64), 1), with(inc(1, "k"), func(o *automerge.Op) { o.Pred = []automerge.OpID{{Counter: 25, Actor: "b2"}} }))},
		{name: "value: timestamp int64 max", change: ops(putOp("k", num(automerge.KindTimestamp, math.MaxInt64), 1))},
		{name: "value: timestamp int64 min", change: ops(putOp("k", num(automerge.KindTimestamp, math.MinInt64), 1))},
		{name: "value: timestamp 8.64e15", change: ops(putOp("k", num(automerge.KindTimestamp, 8.64e15), 1))},
		{name: "value: timestamp over 8.64e15", change: ops(putOp("k", num(automerge.KindTimestamp, 8.64e15+1), 1))},
		{name: "value: NaN", change: ops(putOp("k", num(automerge.KindFloat64, int64(math.Float64bits(math.NaN()))), 1))},
		{name: "value: NaN with a sign", change: ops(putOp("k", num(automerge.KindFloat64, -1), 1))},
		{name: "value: float of 4 bytes", refuse: "a float has 8 bytes, not 4", npm: refused, golang: ignored, change: ops(putOp("k", raw(automerge.KindString, "1234"), 1)), cols: func(m map[uint64]string) { m[86] = "\x7f\x45" }},
		{name: "value: int with a tail", refuse: "number takes 1 of 2 bytes", npm: refused, golang: ignored, change: ops(putOp("k", raw(automerge.KindString, "\x01\x01"), 1)), cols: func(m map[uint64]string) { m[86] = "\x7f\x24" }},
		{name: "value: overlong int", refuse: "number is longer than it needs to be", npm: refused, golang: ignored, change: ops(putOp("k", raw(automerge.KindString, "\x81\x00"), 1)), cols: func(m map[uint64]string) { m[86] = "\x7f\x24" }},
		{name: "value: null with bytes", refuse: "a value of kind 0 has no bytes, not 2", npm: unloadable, golang: unloadable, change: ops(putOp("k", raw(automerge.KindString, "xy"), 1)), cols: func(m map[uint64]string) { m[86] = "\x7f\x20" }},
		{name: "value: bytes left over", refuse: "column has more rows than there are operations", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[87] += "rest" }},
		{name: "value: bytes missing", refuse: "column ends before its rows", npm: refused, golang: ignored, change: ops(putOp("k", text("value"), 1)), cols: func(m map[uint64]string) { m[87] = "v" }},

		{name: "key: empty", change: ops(putOp("", str))},
		{name: "key: empty in a map", change: ops(in(8, ""))},
		{name: "key: NUL", change: ops(putOp("a\x00b", str))},
		{name: "key: not UTF-8", refuse: "text is not UTF-8", npm: refused, golang: ignored, change: ops(putOp("\xff", str))},
		{name: "key: 64 KiB", change: ops(putOp(strings.Repeat("k", 64<<10), str))},
		{name: "key: 1 MiB", refuse: "text of 1048576 bytes is over the limit of 65536", change: ops(putOp(strings.Repeat("k", 1<<20), str))},
		{name: "key: __proto__", change: ops(putOp("__proto__", str))},
		{name: "key: constructor, toString", change: ops(putOp("constructor", str), putOp("toString", str), putOp("then", str))},
		{name: "key: of a number", change: ops(putOp("0", str), putOp("_root", str), putOp("25@6232", str))},

		{name: "head: start op 2^31-1", refuse: "start op 2147483647 leaves a gap after operation 24", npm: unloadable, change: automerge.Change{StartOp: 1<<31 - 1, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op 2^31-1, two operations", refuse: "last operation 2147483648 is over the limit of 2147483647", npm: unloadable, change: automerge.Change{StartOp: 1<<31 - 1, Ops: []automerge.Op{putOp("k", str, 1), putOp("k2", str, 16)}}},
		{name: "head: start op 2^31-1000", refuse: "start op 2147482648 leaves a gap after operation 24", npm: unloadable, change: automerge.Change{StartOp: 1<<31 - 1000, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op 2^32-1", refuse: "4294967295 is over the limit of 2147483647", npm: unloadable, golang: crashes, change: automerge.Change{StartOp: 1<<32 - 1, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op 2^32", refuse: "4294967296 is over the limit of 2147483647", npm: refused, golang: ignored, change: automerge.Change{StartOp: 1 << 32, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op 2^53", refuse: "9007199254740992 is over the limit of 2147483647", npm: refused, golang: ignored, change: automerge.Change{StartOp: 1 << 53, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op with a gap", refuse: "start op 1000 leaves a gap after operation 24", change: automerge.Change{StartOp: 1000, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op used", refuse: "start op 24 is not after operation 24 of its history", npm: unloadable, change: automerge.Change{StartOp: 24, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op low", refuse: "start op 2 is not after operation 24 of its history", npm: unloadable, change: automerge.Change{StartOp: 2, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: start op low, no pred", refuse: "start op 1 is not after operation 24 of its history", npm: unloadable, change: automerge.Change{StartOp: 1, Ops: []automerge.Op{putOp("k", str)}}},
		{name: "head: start op 0", refuse: "start op 0 is not between 1 and 2147483647", npm: refused, golang: ignored, change: automerge.Change{StartOp: 1 << 63, Ops: []automerge.Op{putOp("k", str)}}}, // 0 below
		{name: "head: no operations", change: automerge.Change{}},
		{name: "head: no operations, start op 2^31-1", refuse: "start op 2147483647 leaves a gap after operation 24", npm: unloadable, change: automerge.Change{StartOp: 1<<31 - 1}},
		{name: "head: seq 2", refuse: "sequence number 2 of actor 6232 does not follow 0", npm: refused, golang: unloadable, change: automerge.Change{Seq: 2, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: seq 2^31-1", refuse: "sequence number 2147483647 of actor 6232 does not follow 0", npm: refused, golang: unloadable, change: automerge.Change{Seq: 1<<31 - 1, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: seq 2^32", refuse: "4294967296 is over the limit of 2147483647", npm: refused, golang: unloadable, change: automerge.Change{Seq: 1 << 32, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: seq of another's change (fork)", refuse: "actor has another change with this sequence number", npm: refused, golang: refused, change: automerge.Change{Actor: "a1", Seq: 2, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: actor of 1 byte", change: automerge.Change{Actor: "b", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: actor of 128 bytes", change: automerge.Change{Actor: automerge.ActorID(strings.Repeat("b", 128)), Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: actor of 1000 bytes", refuse: "1000 is over the limit of 128", change: automerge.Change{Actor: automerge.ActorID(strings.Repeat("b", 1000)), Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: actor of 0 bytes", refuse: "an actor id has a byte at least", change: automerge.Change{Actor: "-", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: message of 64 KiB", change: automerge.Change{Message: strings.Repeat("m", 64<<10), Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: message of 1 MiB", refuse: "1048576 is over the limit of 65536", change: automerge.Change{Message: strings.Repeat("m", 1<<20), Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: message not UTF-8", refuse: "text is not UTF-8", npm: refused, golang: ignored, change: automerge.Change{Message: "\xff", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time int64 max", refuse: "time 9223372036854775807 is out of range", change: automerge.Change{Time: math.MaxInt64, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time int64 min", refuse: "time -9223372036854775808 is out of range", npm: unusable, golang: unloadable, change: automerge.Change{Time: math.MinInt64, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time 8.64e15", change: automerge.Change{Time: 8.64e15, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time 2^62", refuse: "time 4611686018427387904 is out of range", change: automerge.Change{Time: 1 << 62, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time 2^62-1", change: automerge.Change{Time: 1<<62 - 1, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: time -1", change: automerge.Change{Time: -1, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "head: extra bytes", change: automerge.Change{Extra: []byte("extra"), Ops: []automerge.Op{putOp("k", str, 1)}}},

		{name: "deps: descending", refuse: "entries do not ascend", golang: unloadable, change: automerge.Change{Message: "descending", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: twice", refuse: "entries do not ascend", change: automerge.Change{Message: "twice", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: redundant", change: automerge.Change{Message: "redundant", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: none", change: automerge.Change{Message: "none", Ops: []automerge.Op{putOp("k", str)}}},
		{name: "deps: none, pred of no dependency", refuse: "is not in the history of the change", change: automerge.Change{Message: "none", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: first only, pred of no dependency", refuse: "is not in the history of the change", change: automerge.Change{Message: "first", Ops: []automerge.Op{putOp("k2", str, 16)}}},
		{name: "deps: first only, object of no dependency", refuse: "is not in the history of the change", change: automerge.Change{Message: "first", Ops: []automerge.Op{in(17, "x")}}},
		{name: "deps: first only, applied early", early: true, refuse: "start op 25 leaves a gap after operation 13", change: automerge.Change{Message: "first", StartOp: 25, Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: first only, pred, applied early", early: true, refuse: "start op 25 leaves a gap after operation 13", npm: unloadable, golang: unloadable, change: automerge.Change{Message: "first", Ops: []automerge.Op{putOp("k2", str, 16)}}},
		{name: "deps: first only, object, applied early", early: true, refuse: "start op 25 leaves a gap after operation 13", npm: unloadable, golang: unloadable, change: automerge.Change{Message: "first", Ops: []automerge.Op{in(17, "x")}}},
		{name: "deps: not the writer's last change", refuse: "the writer's previous change is not in the history", npm: unloadable, change: automerge.Change{Actor: "a1", Seq: 3, Message: "first", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: not the writer's last change, applied early", early: true, refuse: "sequence number 3 of actor 6131 does not follow 1", npm: unloadable, golang: unusable, change: automerge.Change{Actor: "a1", Seq: 3, Message: "first", Ops: []automerge.Op{putOp("k", str, 1)}}},
		{name: "deps: missing", refuse: "waits for what it depends on", npm: ignored, golang: ignored, change: automerge.Change{Message: "missing", Ops: []automerge.Op{putOp("k", str, 1)}}},

		{name: "columns: run of one", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[66] = "\x01\x01" }},
		{name: "columns: literal where a run is due", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1), putOp("k2", str, 16)), cols: func(m map[uint64]string) { m[66] = "\x7e\x01\x01" }},
		{name: "columns: runs not merged", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1), putOp("k2", str, 16)), cols: func(m map[uint64]string) { m[66] = "\x7f\x01\x7f\x01" }},
		{name: "columns: actions in two runs", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1), putOp("k2", str, 16), putOp("a", str), putOp("b", str)), cols: func(m map[uint64]string) { m[66] = "\x02\x01\x02\x01" }},
		{name: "columns: unknown", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[200<<4|2] = "\x7f\x01" }},
		{name: "columns: unknown of an odd type", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[3] = "junk" }},
		{name: "columns: empty", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[2] = "" }},
		{name: "columns: explicit nulls", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[2] = "\x00\x01" }},
		{name: "columns: written-out false", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[148] = "\x01" }},
		{name: "columns: insert of too many rows", refuse: "column has more rows than there are operations", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[52] = "\x05" }},
		{name: "columns: insert zero run", refuse: "run of no rows", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[52] = "\x00\x00\x01" }},
		{name: "columns: no insert", refuse: "a change with operations needs a row for each in the columns action, insert, value metadata and predecessor group", npm: refused, golang: ignored, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { delete(m, 52) }},
		{name: "columns: no value metadata", refuse: "a change with operations needs a row for each in the columns action, insert, value metadata and predecessor group", npm: refused, golang: ignored, change: ops(putOp("k", automerge.Value{}, 1)), cols: func(m map[uint64]string) { delete(m, 86) }},
		{name: "columns: no predecessors", refuse: "a change with operations needs a row for each in the columns action, insert, value metadata and predecessor group", npm: refused, golang: ignored, change: ops(putOp("k", str)), cols: func(m map[uint64]string) { delete(m, 112) }},
		{name: "columns: no key", refuse: "row has no value where one is required", npm: refused, golang: ignored, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { delete(m, 21) }},
		{name: "columns: null key", refuse: "row has no value where one is required", npm: refused, golang: ignored, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[21] = "\x00\x01" }},
		{name: "columns: mark name written out as null", refuse: "the change is not encoded as official engines encode it", npm: unloadable, golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[165] = "\x00\x01" }},
		{name: "columns: mark name empty", refuse: "the change is not encoded as official engines encode it", golang: unloadable, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[165] = "\x7f\x00" }},
		{name: "columns: deflated", refuse: "column 74 is deflated, which a change chunk may not have", npm: refused, golang: ignored, change: ops(putOp("k", str, 1)), cols: func(m map[uint64]string) { m[66|8] = m[66]; delete(m, 66) }},
	}
	return list
}

// chunk is the poisoned change as bytes.
func (p *poison) chunk(base []*automerge.Change) []byte {
	c := p.change
	if c.Actor == "" {
		c.Actor = "b2"
	}
	if c.Actor == "-" {
		c.Actor = ""
	}
	if c.Seq == 0 {
		c.Seq = 1
	}
	switch c.StartOp {
	case 0:
		c.StartOp = 25
	case 1 << 63:
		c.StartOp = 0
	}
	first, last := base[0].Hash(), base[1].Hash()
	both := []automerge.Hash{first, last}
	slices.SortFunc(both, func(a, b automerge.Hash) int { return strings.Compare(string(a[:]), string(b[:])) })
	c.Deps = []automerge.Hash{last}
	if strings.HasPrefix(p.name, "deps: ") {
		switch c.Message {
		case "descending":
			slices.Reverse(both)
			c.Deps = both
		case "twice":
			c.Deps = []automerge.Hash{last, last}
		case "redundant":
			c.Deps = both
		case "first":
			c.Deps = []automerge.Hash{first}
		case "none":
			c.Deps = nil
		case "missing":
			c.Deps = []automerge.Hash{{1}}
		}
	}
	if p.cols != nil {
		return automerge.Recolumn(&c, p.cols)
	}
	return automerge.Craft(&c)
}

var poisonKeys = []string{"k", "k2", "n", "list", "map", "text", "gone", "new", "m", "t", "x"}

// reaction is what an official engine does with a change, and with what follows: save, load, sync, edit, and again.
type reaction string

const (
	healthy    reaction = ""
	refused    reaction = "refuses it and goes on"
	ignored    reaction = "goes on as if it had not come"
	unloadable reaction = "takes it and then cannot load what it saved"
	unusable   reaction = "takes it and then fails to read or to edit"
	crashes    reaction = "panics, hangs or takes the process down"
	differs    reaction = "reads other values than we do"
)

// reactionOf sorts what an experiment ended with; behind a tab are details.
func reactionOf(s string) reaction {
	s, _, _ = strings.Cut(s, "\t")
	has := func(part string) bool { return strings.Contains(s, part) }
	switch {
	case has("crash in"):
		return crashes
	case has("load of") || has("sync"):
		return unloadable
	case has("values"):
		return differs
	case has("edit") || has("read") || has("tree") || has("late"):
		return unusable
	case has("refused"):
		return refused
	case has("ignored"):
		return ignored
	case s == "":
		return healthy
	}
	return reaction(s)
}

// referencePoison has automerge-go take part where it is: it returns what an experiment ended with.
var referencePoison func(t *testing.T) func(base [][]byte, chunk []byte, early bool) string

func TestPoison(t *testing.T) {
	base := poisonBase(t)
	strangers(t, base)
	var raw [][]byte
	for _, c := range base {
		raw = append(raw, c.Raw())
	}
	all := poisons()
	chunks := make([][]byte, len(all))
	t.Run("ours", func(t *testing.T) {
		for i, p := range all {
			chunks[i] = p.chunk(base)
			have := base
			if p.early {
				have = base[:1]
			}
			_, err := checkStranger(have, chunks[i])
			switch {
			case p.refuse == "" && err != nil:
				t.Errorf("%s: refused: %v", p.name, err)
			case p.refuse != "" && (err == nil || !strings.Contains(err.Error(), p.refuse)):
				t.Errorf("%s: %v, not %q", p.name, err, p.refuse)
			case p.refuse == "" && (p.npm != healthy || p.golang != healthy):
				t.Errorf("%s: we take what official engines cannot stand", p.name)
			}
		}
	})
	if testing.Short() {
		return
	}
	t.Run("automerge-go", func(t *testing.T) {
		if referencePoison == nil {
			t.Skip("automerge-go takes no part: there is no C compiler")
		}
		react := referencePoison(t)
		for i, p := range all {
			if got := react(raw, chunks[i], p.early); reactionOf(got) != p.golang {
				t.Errorf("%s: %q (%s), not %q", p.name, reactionOf(got), got, p.golang)
			}
		}
	})
	t.Run("npm", func(t *testing.T) {
		child := startNpm(t)
		for i, p := range all {
			e := npmExperiment{child: child, limit: 20 * time.Second}
			if strings.HasSuffix(p.name, "unknown actor") {
				e.limit = time.Second // it hangs
			}
			if c, err := checkStranger(base, chunks[i]); err == nil {
				e.ours = automerge.NewDoc()
				if err := e.ours.Apply(append(slices.Clone(base), c)...); err != nil {
					t.Fatal(err)
				}
			}
			got := e.run(raw, chunks[i], p.early)
			if reactionOf(got) != p.npm {
				t.Errorf("%s: %q (%s), not %q", p.name, reactionOf(got), got, p.npm)
			}
			if reactionOf(got) == crashes {
				child = startNpm(t)
			}
		}
	})
}

// npmExperiment gives a change to npm's engine and then does what users do. ours is the same document, for a change that
// we take.
type npmExperiment struct {
	child *npmChild
	limit time.Duration
	ours  *automerge.Doc
}

func (x *npmExperiment) call(r npmRequest) (npmAnswer, error) { return x.child.callWithin(x.limit, r) }

func (x *npmExperiment) run(all [][]byte, chunk []byte, early bool) string {
	c := x
	var late [][]byte
	if early {
		all, late = all[:1], all[1:]
	}
	step := func(name string, err error) string {
		if errors.Is(err, errNpmGone) {
			return "crash in " + name + "\t" + err.Error()
		}
		return name + "\t" + err.Error()
	}
	a, err := c.call(npmRequest{Cmd: "new", Actor: "c3"})
	if err != nil {
		return step("new", err)
	}
	doc := a.Doc
	if _, err := c.call(npmRequest{Cmd: "apply", Doc: doc, Changes: all}); err != nil {
		return step("base", err)
	}
	before, _ := c.call(npmRequest{Cmd: "heads", Doc: doc})
	out := ""
	if _, err := c.call(npmRequest{Cmd: "apply", Doc: doc, Changes: [][]byte{chunk}}); errors.Is(err, errNpmGone) {
		return step("apply", err)
	} else if err != nil {
		out = "refused"
	}
	after, err := c.call(npmRequest{Cmd: "heads", Doc: doc})
	if err != nil {
		return strings.TrimPrefix(out+", "+step("heads", err), ", ")
	}
	if out == "" && slices.Equal(before.Heads, after.Heads) {
		out = "ignored"
	}
	if out != "" && !slices.Equal(before.Heads, after.Heads) {
		out += ", yet it is a head"
	}
	if early {
		if _, err := c.call(npmRequest{Cmd: "apply", Doc: doc, Changes: late}); err != nil {
			return strings.TrimPrefix(out+", "+step("late", err), ", ")
		}
	}
	values := ""
	look := func(name string, doc int) string {
		dump, err := c.call(npmRequest{Cmd: "dump", Doc: doc})
		if err != nil {
			return step(name+" read", err)
		}
		tree, err := c.call(npmRequest{Cmd: "tree", Doc: doc})
		if err != nil {
			return step(name+" tree", err)
		}
		if name == "applied" && x.ours != nil {
			if got, want := fmt.Sprint(dump.Keys), fmt.Sprint(x.dump()); got != want {
				return "values\t" + got + ", ours " + want
			}
		}
		now := fmt.Sprint(dump.Keys, tree.Text)
		if values == "" {
			values = now
		} else if now != values {
			return name + " reads otherwise"
		}
		return ""
	}
	saved := func(name string) string {
		want, err := c.call(npmRequest{Cmd: "heads", Doc: doc})
		if err != nil {
			return step(name, err)
		}
		s, err := c.call(npmRequest{Cmd: "save", Doc: doc})
		if err != nil {
			return step(name, err)
		}
		l, err := c.call(npmRequest{Cmd: "load", Bytes: s.Bytes})
		if err != nil {
			return step("load of "+name, err)
		}
		got, err := c.call(npmRequest{Cmd: "heads", Doc: l.Doc})
		if err != nil {
			return step("heads", err)
		}
		if !slices.Equal(got.Heads, want.Heads) {
			return "load of " + name + " has other heads"
		}
		return look("load of "+name, l.Doc)
	}
	// Keys that are there are written over, as a user does.
	edit := func() string {
		for _, key := range poisonKeys {
			if _, err := c.call(npmRequest{Cmd: "edit", Doc: doc, Ops: []npmOp{{Op: "put", Key: &key, Type: "int", Value: "7"}}}); err != nil {
				return step("edit of "+key, err)
			}
		}
		values = ""
		return look("edited", doc)
	}
	sync := func() string {
		a, err := c.call(npmRequest{Cmd: "new", Actor: "d4"})
		if err != nil {
			return step("new", err)
		}
		other := a.Doc
		for _, p := range []string{"l", "r"} {
			if _, err := c.call(npmRequest{Cmd: "syncInit", Peer: p}); err != nil {
				return step("sync", err)
			}
		}
		for range 20 {
			quiet := true
			for _, way := range []struct {
				from, to int
				f, t     string
			}{{doc, other, "l", "r"}, {other, doc, "r", "l"}} {
				m, err := c.call(npmRequest{Cmd: "syncGenerate", Doc: way.from, Peer: way.f})
				if err != nil {
					return step("sync", err)
				}
				if m.Bytes == nil {
					continue
				}
				quiet = false
				if _, err := c.call(npmRequest{Cmd: "syncReceive", Doc: way.to, Peer: way.t, Bytes: m.Bytes}); err != nil {
					return step("sync", err)
				}
			}
			if quiet {
				break
			}
		}
		x, _ := c.call(npmRequest{Cmd: "heads", Doc: doc})
		y, _ := c.call(npmRequest{Cmd: "heads", Doc: other})
		if !slices.Equal(x.Heads, y.Heads) {
			return "sync does not end with equal heads"
		}
		return look("synced", other)
	}
	for _, f := range []func() string{
		func() string { return look("applied", doc) }, func() string { return saved("save") }, sync, edit, func() string { return saved("second save") }, sync,
	} {
		if s := f(); s != "" {
			return strings.TrimPrefix(out+", "+s, ", ")
		}
	}
	return out
}

// dump is what npm's dump has to be.
func (x *npmExperiment) dump() []npmKey {
	var list []npmKey
	for _, key := range x.ours.Keys() {
		k := npmKey{Key: key}
		for _, e := range x.ours.Conflicts(key) {
			typ, value := npmScalar(e.Value)
			if e.IsObject() {
				value = ""
				for name, action := range npmObjects {
					if action == e.Action {
						typ = name
					}
				}
			}
			switch {
			case e.Value.Kind > automerge.KindTimestamp:
				typ, value = fmt.Sprint("unknown", e.Value.Kind), strings.Trim(strings.ReplaceAll(fmt.Sprint([]byte(e.Value.Str)), " ", ","), "[]")
			case e.Value.Kind == automerge.KindTimestamp && (e.Value.Num > 8.64e15 || e.Value.Num < -8.64e15):
				value = "NaN" // a Date of JavaScript does not reach so far
			}
			k.Values = append(k.Values, [3]string{typ, value, fmt.Sprintf("%d@%s", e.ID.Counter, e.ID.Actor)})
		}
		list = append(list, k)
	}
	return list
}
