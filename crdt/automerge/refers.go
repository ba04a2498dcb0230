package automerge

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
