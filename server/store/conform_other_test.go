//go:build !linux

package store_test

import "trio/server/store/storetest"

// onDisk needs a disk whose power can be cut (package powerloss), which is for Linux.
func onDisk(*storetest.Harness) {}
