package replica

// HoldFacts stops commits between the database and the facts in memory until release is called.
func HoldFacts(r *Replica) (release func()) {
	r.top.Lock()
	return r.top.Unlock
}

// UnpackAtMost has files be taken of so many bytes unpacked until restore is called.
func UnpackAtMost(n int) (restore func()) {
	was := maxUnpacked
	maxUnpacked = n
	return func() { maxUnpacked = was }
}
