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

// Inflated spells out a document chunk, field by field and column by column, without what deflating does to the bytes: two
// chunks with equal spellings differ in nothing but how they are deflated.
func Inflated(chunk []byte) (string, error) {
	h, err := readHeader(chunk)
	if err != nil {
		return "", err
	}
	if h.typ != ChunkDocument || h.end != len(chunk) {
		return "", fmt.Errorf("chunk of type %d, %d of %d bytes", h.typ, h.end, len(chunk))
	}
	r := &reader{s: string(chunk), pos: h.contents}
	actors, err := r.actors(nil, "actors")
	if err != nil {
		return "", err
	}
	heads, err := r.hashes("heads", MaxDeps)
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("actors %v\nheads %v\n", actors, heads)
	var specs [2][]columnSpec
	for i := range specs {
		if specs[i], err = r.specs("columns", true); err != nil {
			return "", err
		}
	}
	for i, list := range specs {
		for _, spec := range list {
			s, err := r.take("columns", int(spec.n))
			if err != nil {
				return "", err
			}
			if spec.spec&colDeflate != 0 {
				if s, err = inflateString(s, MaxDocumentBytes, 0); err != nil {
					return "", err
				}
			}
			name := [2]map[uint64]string{changeNames, opNames}[i][spec.spec&^colDeflate]
			out += fmt.Sprintf("%d %s: %x\n", spec.spec&^colDeflate, name, s)
		}
	}
	return out + fmt.Sprintf("tail %x\n", r.s[r.pos:]), nil
}
