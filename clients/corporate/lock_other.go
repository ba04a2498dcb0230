//go:build !unix

package corporate

import "os"

// lock does nothing where there are no advisory locks: one run at a time is then the caller's care.
func lock(*os.File) error { return nil }
