//go:build !race

package automerge

const raceEnabled = false
