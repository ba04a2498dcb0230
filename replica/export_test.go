package replica

// HoldFacts stops commits between the database and the facts in memory until release is called.
func HoldFacts(r *Replica) (release func()) {
	r.top.Lock()
	return r.top.Unlock
}
