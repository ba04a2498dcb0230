package automerge_test

import (
	"slices"
	"testing"
	"time"

	"trio/crdt/npmtest"
)

// npm's engine measures itself inside Node: the public interface of the package, on the bytes that the others are given.
func init() {
	if npmtest.Missing(npmEngine) == "" {
		engines = append(engines, engine{name: "npm", measure: measureNpm})
	}
}

func measureNpm(operation string, s *sample) (m measurement, err error) {
	child, err := newNpm()
	if err != nil {
		return m, err
	}
	defer child.Stop()
	if _, err := child.callWithin(5*time.Minute, npmRequest{Cmd: "sample", Name: s.name, Changes: s.chunks, Bytes: s.saved, Key: s.doc.Keys()[0]}); err != nil {
		return m, err
	}
	run := func(n int) (npmAnswer, error) {
		return child.callWithin(5*time.Minute, npmRequest{Cmd: "bench", What: operation, Name: s.name, N: n})
	}
	if operation == "memory" {
		a, err := run(held)
		return measurement{Held: int64(a.Size), Peak: int64(a.Peak)}, err
	}
	// The first turns warm the compiler; then about two seconds, of which the median counts.
	const budget = 2 * time.Second
	var turns []time.Duration
	for start := time.Now(); len(turns) < 8 || time.Since(start) < budget && len(turns) < 2000; {
		a, err := run(min(1+len(turns), 20))
		if err != nil {
			return m, err
		}
		m.Size = a.Size
		for _, ns := range a.Turns {
			turns = append(turns, time.Duration(ns))
		}
	}
	turns = turns[3:]
	slices.Sort(turns)
	m.Time = turns[len(turns)/2]
	return m, nil
}

func TestNpmMeasures(t *testing.T) {
	child := startNpm(t)
	s := newSample(t, "small", logDoc(t, 20))
	child.must(t, npmRequest{Cmd: "sample", Name: s.name, Changes: s.chunks, Bytes: s.saved, Key: s.doc.Keys()[0]})
	for _, operation := range append(operations, "memory") {
		a := child.must(t, npmRequest{Cmd: "bench", What: operation, Name: s.name, N: 2})
		if operation != "memory" && len(a.Turns) != 2 {
			t.Errorf("%s: %+v", operation, a)
		}
	}
}
