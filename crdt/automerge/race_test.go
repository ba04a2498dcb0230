//go:build race

package automerge

// The race detector takes memory of its own, and has pools forget what they hold.
const raceEnabled = true
