//go:build cgo

package automerge_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	reference "github.com/automerge/automerge-go"
)

func init() {
	engines = append(engines, engine{name: "automerge-go", prepare: prepareReference, hold: func(saved []byte) (any, error) {
		return reference.Load(saved)
	}})
}

func prepareReference(operation string, s *sample) (work, error) {
	all, key := bytes.Join(s.chunks, nil), s.doc.Keys()[0]
	switch operation {
	case "apply":
		return work{func() (int, error) {
			doc, err := reference.Load(all)
			if err != nil {
				return 0, err
			}
			v, err := doc.Path(key).Get()
			if err == nil && v.IsVoid() {
				err = errors.New("no value")
			}
			return 0, err
		}}, nil
	case "load":
		return work{func() (int, error) {
			_, err := reference.Load(s.saved)
			return 0, err
		}}, nil
	case "save":
		doc, err := reference.Load(all)
		return work{func() (int, error) { return len(doc.Save()), nil }}, err
	case "edit":
		doc, err := reference.Load(s.saved)
		if err != nil {
			return work{}, err
		}
		if err := doc.SetActorID(hex.EncodeToString([]byte(benchActor(99)))); err != nil {
			return work{}, err
		}
		doc.SaveIncremental() // so that the next one has the edit alone
		n := 0
		return work{func() (int, error) {
			n++
			if err := doc.RootMap().Set(fmt.Sprint("edit/", n), "an edit"); err != nil {
				return 0, err
			}
			if _, err := doc.Commit(""); err != nil {
				return 0, err
			}
			return len(doc.SaveIncremental()), nil
		}}, nil
	}
	return work{}, fmt.Errorf("no operation %q", operation)
}
