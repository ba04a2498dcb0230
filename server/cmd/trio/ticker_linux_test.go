package main

import (
	"os"
	"sync"
	"testing"
)

// What is found in a document (trio verify --reference) is told while others tell how far they are.
func TestSeveralTick(t *testing.T) {
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tick := ticker(f)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { tick("") })
	}
	all.Wait()
}
