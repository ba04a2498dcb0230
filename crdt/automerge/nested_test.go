package automerge

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// testdata/nested.automerge is a document with lists, maps, text and two writers, which the reference engine saved as a
// document chunk when the differential test ran with -update. It is here for builds in which the reference takes no part.
var nestedPath = filepath.Join("testdata", "nested.automerge")

func nestedFile() ([]byte, error) { return os.ReadFile(nestedPath) }

// UpdateNested writes the file when -update is set.
func UpdateNested(b []byte) error {
	if !*update {
		return nil
	}
	return os.WriteFile(nestedPath, b, 0o666)
}

func TestNestedFile(t *testing.T) {
	b, err := nestedFile()
	if err != nil {
		t.Fatal(err)
	}
	d, err := Load(b)
	if err != nil {
		t.Fatal(err)
	}
	ops := 0
	for _, c := range d.Changes() {
		if !c.Canonical() {
			t.Errorf("change %s is not canonical", c.Hash())
		}
		ops += len(c.Ops)
	}
	got := fmt.Sprintf("%d changes, %d operations, heads %v\n", len(d.Changes()), ops, d.Heads())
	for _, key := range d.Keys() {
		got += fmt.Sprintf("%s: %v\n", key, d.Conflicts(key))
	}
	golden(t, "nested.golden", got)
}
