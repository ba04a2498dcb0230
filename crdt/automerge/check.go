package automerge

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Check reports what is wrong with c as far as c alone can tell; ParseChange and Seal have run it.
//
//   - the actor has 1 to MaxActorBytes bytes, and so has every actor that an id names
//   - Seq is 1 to MaxSeq; StartOp is at least 1 and MaxOp() at most MaxOp
//   - Deps ascend without duplicates and are at most MaxDeps
//   - at most MaxOps operations, and as many predecessors together; at most MaxActors other actors
//   - message, keys, mark names and strings are UTF-8 and within their limits
//   - actions and kinds are those of the format; an increment is by an integer
//   - object, element and predecessors of an operation are older than it; predecessors ascend without duplicates
//   - the root is a map: operations on it address keys; only a list inserts
//
// What needs a history (are the dependencies there, does the sequence have a gap) is for Graph.
func (c *Change) Check() error {
	if err := checkActor(c.Actor); err != nil {
		return err
	}
	if c.Seq < 1 || c.Seq > MaxSeq {
		return fmt.Errorf("sequence number %d is not between 1 and %d", c.Seq, MaxSeq)
	}
	if c.StartOp < 1 || c.StartOp > MaxOp {
		return fmt.Errorf("start op %d is not between 1 and %d", c.StartOp, MaxOp)
	}
	if len(c.Ops) > MaxOps {
		return fmt.Errorf("%d operations are over the limit of %d", len(c.Ops), MaxOps)
	}
	if c.MaxOp() > MaxOp {
		return fmt.Errorf("last operation %d is over the limit of %d", c.MaxOp(), MaxOp)
	}
	if len(c.Deps) > MaxDeps {
		return fmt.Errorf("%d dependencies are over the limit of %d", len(c.Deps), MaxDeps)
	}
	for i := 1; i < len(c.Deps); i++ {
		if string(c.Deps[i-1][:]) >= string(c.Deps[i][:]) {
			return fmt.Errorf("dependency %d: %w", i, errNotAscending)
		}
	}
	if len(c.Message) > MaxMessageBytes {
		return fmt.Errorf("message of %d bytes is over the limit of %d", len(c.Message), MaxMessageBytes)
	}
	if !utf8.ValidString(c.Message) {
		return errors.New("message is not UTF-8")
	}
	preds, bytes := 0, len(c.Extra)
	// Actors are counted only where one could break the limit: each costs an id, and two ids more than that are needed.
	for i := range c.Ops {
		op := &c.Ops[i]
		if err := op.check(c.OpID(i)); err != nil {
			return fmt.Errorf("operation %d: %w", i, err)
		}
		preds += len(op.Pred)
		bytes += valueLen(op.Value)
	}
	if preds > MaxOps {
		return fmt.Errorf("%d predecessors are over the limit of %d", preds, MaxOps)
	}
	if bytes > MaxChunkBytes {
		return fmt.Errorf("values of %d bytes are over the limit of %d", bytes, MaxChunkBytes)
	}
	if preds+2*len(c.Ops) > MaxActors {
		return c.checkActors()
	}
	return nil
}

func checkActor(a ActorID) error {
	if len(a) < 1 || len(a) > MaxActorBytes {
		return fmt.Errorf("actor id has %d bytes, not 1 to %d", len(a), MaxActorBytes)
	}
	return nil
}

func (c *Change) checkActors() error {
	seen := map[ActorID]bool{}
	add := func(id OpID) {
		if !id.IsRoot() && id.Actor != c.Actor {
			seen[id.Actor] = true
		}
	}
	for i := range c.Ops {
		add(c.Ops[i].Obj)
		add(c.Ops[i].Elem)
		for _, p := range c.Ops[i].Pred {
			add(p)
		}
	}
	if len(seen) > MaxActors {
		return fmt.Errorf("%d other actors are over the limit of %d", len(seen), MaxActors)
	}
	return nil
}

// older checks an id that must come before the operation self.
func older(what string, id, self OpID) error {
	if err := checkActor(id.Actor); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if id.Counter < 1 || id.Compare(self) >= 0 {
		return fmt.Errorf("%s %d@%s is not older than the operation", what, id.Counter, id.Actor)
	}
	return nil
}

func (op *Op) check(self OpID) error {
	if op.Obj.IsRoot() {
		if op.Obj.Actor != "" {
			return errors.New("object has an actor and no counter")
		}
		if op.IsList {
			return errors.New("the root map has no list elements")
		}
	} else if err := older("object", op.Obj, self); err != nil {
		return err
	}
	switch {
	case op.IsList && op.Key != "":
		return errors.New("both a key and an element")
	case op.IsList && !op.Elem.IsRoot():
		if err := older("element", op.Elem, self); err != nil {
			return err
		}
	case op.Elem != OpID{}:
		return errors.New("element has no counter or is not of a list")
	case op.Insert && !op.IsList:
		return errors.New("insertion into a map")
	}
	if len(op.Key) > MaxKeyBytes || len(op.Mark) > MaxKeyBytes {
		return fmt.Errorf("key of %d bytes, mark of %d bytes: the limit is %d", len(op.Key), len(op.Mark), MaxKeyBytes)
	}
	if !utf8.ValidString(op.Key) || !utf8.ValidString(op.Mark) {
		return errors.New("key or mark is not UTF-8")
	}
	if op.Action > Mark {
		return fmt.Errorf("unknown action %d", op.Action)
	}
	if op.Action == Increment && op.Value.Kind != KindInt && op.Value.Kind != KindUint {
		return fmt.Errorf("increment by a value of kind %d", op.Value.Kind)
	}
	if err := op.Value.check(); err != nil {
		return err
	}
	for i, p := range op.Pred {
		if err := older("predecessor", p, self); err != nil {
			return err
		}
		if i > 0 && op.Pred[i-1].Compare(p) >= 0 {
			return errors.New("predecessors do not ascend")
		}
	}
	return nil
}

func (v Value) check() error {
	switch v.Kind {
	case KindNull, KindFalse, KindTrue:
		if v.Num != 0 || v.Str != "" {
			return fmt.Errorf("value of kind %d carries more than its kind", v.Kind)
		}
	case KindUint, KindInt, KindCounter, KindTimestamp, KindFloat64:
		if v.Str != "" {
			return fmt.Errorf("value of kind %d carries a string", v.Kind)
		}
	default:
		if v.Kind > 15 {
			return errNotEncodable
		}
		if v.Num != 0 {
			return fmt.Errorf("value of kind %d carries a number", v.Kind)
		}
		if v.Kind == KindString && !utf8.ValidString(v.Str) {
			return errors.New("string is not UTF-8")
		}
	}
	return nil
}
