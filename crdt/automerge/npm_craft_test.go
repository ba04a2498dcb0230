package automerge

import (
	"bytes"
	"slices"
)

// Craft returns the chunk of fields that nobody checked, with its checksum, as an attacker makes it.
func Craft(c *Change) []byte { return encoded(c) }

// Recolumn is Craft with the columns of the operations changed: edit gets what each holds, by its specification.
func Recolumn(c *Change, edit func(cols map[uint64]string)) []byte {
	e := getEncoder()
	defer e.free()
	e.encode(c)
	cols, pos := map[uint64]string{}, 0
	for _, s := range e.specs {
		cols[s.spec] = string(e.cols[pos : pos+int(s.n)])
		pos += int(s.n)
	}
	behind := bytes.Clone(appendSpecs(nil, e.specs))
	behind = append(append(behind, e.cols...), c.Extra...)
	head, ok := bytes.CutSuffix(e.contents, behind)
	if !ok {
		panic("the columns are not where they should be")
	}
	edit(cols)
	var specs []columnSpec
	var data []byte
	for spec, s := range cols {
		specs = append(specs, columnSpec{spec, uint64(len(s))})
	}
	slices.SortFunc(specs, func(a, b columnSpec) int { return int(a.spec&^colDeflate) - int(b.spec&^colDeflate) })
	for _, s := range specs {
		data = append(data, cols[s.spec]...)
	}
	contents := append(appendSpecs(bytes.Clone(head), specs), data...)
	contents = append(contents, c.Extra...)
	chunk := append(appendHeader(nil, ChunkChange, len(contents)), contents...)
	seal(chunk)
	return chunk
}
