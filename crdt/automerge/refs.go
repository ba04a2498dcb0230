package automerge

import (
	"errors"
	"fmt"
)

// Official engines take more than they can stand. A change whose bytes they would pack otherwise, that works on what is
// not there or that says what no engine says is applied and passed on by them; and then their own saved document does not
// load again, or they panic. Check lets such changes pass, for it must read whatever is in a document. Who takes changes
// from strangers, to store them or to send them on, asks CheckStrict and CheckRefs as well. What engines write passes
// both; npm_poison_test.go shows by experiment what the rules are for.

// maxMarkSteps bounds the elements that CheckRefs looks at for all ends of marks in a change.
const maxMarkSteps = 1 << 20

// maxTime bounds Change.Time: a saved document holds the differences of times, which must fit in 64 bits.
const maxTime = 1 << 62

// CheckStrict reports what a change, by itself, says that no engine says. ParseChange or Seal comes first.
//
//   - it is canonical: official engines keep the operations, not the bytes, and must arrive at the same hash
//   - its time is less than 2^62 away from 1970
//   - no operation has a value, a mark name or the expand flag that its action does not use
//   - a delete or increment overwrites something, and an insertion does not; increments are by an int
//   - what is written into a list is inserted or names an element; marks are inserted
//   - no tables
//
// Its cost is one encoding of the change, unless Canonical is known already.
func (c *Change) CheckStrict() error {
	if c.raw == "" {
		return errUnsealed
	}
	if !c.Canonical() {
		return errors.New("the change is not encoded as official engines encode it")
	}
	if c.Time >= maxTime || c.Time <= -maxTime {
		return fmt.Errorf("time %d is out of range", c.Time)
	}
	for i := range c.Ops {
		if err := c.Ops[i].checkStrict(); err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return nil
}

func (op *Op) checkStrict() error {
	if op.Action != Mark && (op.Mark != "" || op.Expand) {
		return errors.New("mark name or expand flag on what is no mark")
	}
	if op.Insert && len(op.Pred) > 0 {
		return errors.New("insertion over a predecessor")
	}
	if op.IsList && !op.Insert && op.Elem.IsRoot() {
		return errors.New("the head of a list is no element")
	}
	switch op.Action {
	case Put:
		return nil
	case MakeTable:
		return errors.New("tables are of the past")
	case Increment:
		if op.Value.Kind != KindInt {
			return fmt.Errorf("increment by a value of kind %d", op.Value.Kind)
		}
	case Mark:
		if !op.Insert {
			return errors.New("mark that is not inserted")
		}
		if op.Mark == "" && op.Value != (Value{}) {
			return errors.New("end of a mark with a value")
		}
		return nil
	default: // what makes an object, and deletes
		if op.Value != (Value{}) {
			return fmt.Errorf("value with an operation of action %d", op.Action)
		}
	}
	if (op.Action == Delete || op.Action == Increment) && len(op.Pred) == 0 {
		return errors.New("delete or increment of nothing")
	}
	return nil
}

// CheckRefs reports whether the change works on what is there. The change has passed Check (ParseChange and Seal run it).
//
//   - no gap: the operations start at most one after last, the greatest operation counter of the document
//   - an object was made by an operation: keys belong to maps, elements to lists and texts
//   - an element was inserted into the same list
//   - a predecessor put a value or made an object, under the same key or in the same element of the same object
//   - the end of a mark is the operation after its beginning, in the same object and behind it
//
// find returns an operation of the change's history: of the changes that it depends on, of those that they depend on, and
// so on; where these are all heads of the document, that is the whole document. One that the document has elsewhere does
// not count, since others may be given this change first. find is not asked for operations of the change itself, and not
// called at all for a change of which Refers is false, a new entry of a log say. For the end of a mark it is also asked for
// what Refs does not list: the beginning, and the elements that the marked ones were inserted after. What it returns is
// read before the next call and not kept.
//
// One rule is left to who knows the graph: the writer's previous change must be in the history as well.
func (c *Change) CheckRefs(last uint64, find func(OpID) (*Op, bool)) error {
	if c.StartOp > last && c.StartOp-last > 1 {
		return fmt.Errorf("start op %d leaves a gap after operation %d", c.StartOp, last)
	}
	r := refs{c: c, find: find}
	for i := range c.Ops {
		op := &c.Ops[i]
		if op.Obj.IsRoot() && len(op.Pred) == 0 && !op.IsList {
			continue
		}
		if err := r.check(op, c.OpID(i)); err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
	}
	return nil
}

// Refers reports whether the change names operations of others: whether Refs would call anybody.
func (c *Change) Refers() bool {
	for i := range c.Ops {
		if op := &c.Ops[i]; len(op.Pred) > 0 || !op.Obj.IsRoot() || !op.Elem.IsRoot() {
			return true
		}
	}
	return false
}

// Refs calls fn with each operation that the change works on (object, element, predecessor) and did not make itself, as
// often as it is named.
func (c *Change) Refs(fn func(OpID)) {
	other := func(id OpID) {
		if !id.IsRoot() && (id.Actor != c.Actor || id.Counter < c.StartOp) {
			fn(id)
		}
	}
	for i := range c.Ops {
		op := &c.Ops[i]
		other(op.Obj)
		other(op.Elem)
		for _, p := range op.Pred {
			other(p)
		}
	}
}

// refs finds operations: of the change itself, then of its history.
type refs struct {
	c    *Change
	find func(OpID) (*Op, bool)

	steps int // taken for ends of marks
}

func (r *refs) op(what string, id OpID) (*Op, error) {
	if id.Actor == r.c.Actor && id.Counter >= r.c.StartOp {
		if i := id.Counter - r.c.StartOp; i < uint64(len(r.c.Ops)) {
			return &r.c.Ops[i], nil
		}
	} else if op, ok := r.find(id); ok {
		return op, nil
	}
	return nil, fmt.Errorf("%s %d@%s is not in the history of the change", what, id.Counter, id.Actor)
}

func (r *refs) check(op *Op, self OpID) error {
	if !op.Obj.IsRoot() {
		made, err := r.op("object", op.Obj)
		if err != nil {
			return err
		}
		switch isList := made.Action == MakeList || made.Action == MakeText; {
		case !isList && made.Action != MakeMap && made.Action != MakeTable:
			return fmt.Errorf("object %d@%s was made by no operation", op.Obj.Counter, op.Obj.Actor)
		case isList != op.IsList:
			return fmt.Errorf("object %d@%s is of another kind", op.Obj.Counter, op.Obj.Actor)
		}
	}
	if !op.Elem.IsRoot() {
		e, err := r.op("element", op.Elem)
		if err != nil {
			return err
		}
		if !e.Insert || e.Obj != op.Obj || e.Action == Mark && !op.Insert {
			return fmt.Errorf("element %d@%s is none of this list", op.Elem.Counter, op.Elem.Actor)
		}
	}
	for _, id := range op.Pred {
		p, err := r.op("predecessor", id)
		if err != nil {
			return err
		}
		elem := p.Elem
		if p.Insert {
			elem = id
		}
		switch {
		case p.Action == Delete || p.Action == Increment || p.Action == Mark:
			return fmt.Errorf("predecessor %d@%s put no value", id.Counter, id.Actor)
		case p.Obj != op.Obj || p.IsList != op.IsList || p.Key != op.Key || elem != op.Elem:
			return fmt.Errorf("predecessor %d@%s is of another key or element", id.Counter, id.Actor)
		}
	}
	if op.Action == Mark && op.Mark == "" {
		return r.checkMarkEnd(op, self)
	}
	return nil
}

var errMarkEnd = errors.New("end of a mark does not follow its beginning")

// checkMarkEnd holds the end of a mark against its beginning, the operation before it. What was inserted after an element
// stands behind it, and of several that were inserted after the same the newest stands first. What an element was inserted
// after is older than it, so a step back from the newer of two comes at last to where their ways part.
func (r *refs) checkMarkEnd(end *Op, self OpID) error {
	x, y := OpID{self.Counter - 1, self.Actor}, end.Elem
	if x.IsRoot() {
		return errMarkEnd
	}
	begin, err := r.op("beginning of the mark", x)
	if err != nil {
		return err
	}
	if begin.Action != Mark || begin.Mark == "" || begin.Obj != end.Obj {
		return errMarkEnd
	}
	// What x and y were inserted after is next; these are the elements that they came from.
	fromX, fromY := OpID{}, self
	for x != y {
		if r.steps++; r.steps > maxMarkSteps {
			return fmt.Errorf("the marks of a change span more than %d elements", maxMarkSteps)
		}
		at, from := &x, &fromX
		if x.Compare(y) < 0 {
			at, from = &y, &fromY
		}
		e, err := r.op("element", *at)
		if err != nil {
			return err
		}
		if !e.Insert || e.Obj != end.Obj {
			return errMarkEnd
		}
		*from, *at = *at, e.Elem
	}
	if !fromX.IsRoot() && fromX.Compare(fromY) < 0 {
		return errMarkEnd
	}
	return nil
}
