package replica

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"trio/crdt"
	"trio/ranking"
)

// projectionForm names how projections are made from the changes; a build with another one makes them anew. The first
// number rises with every change of a rule; the others follow the layout of facts.
var projectionForm = fmt.Sprintf("1:%d:%d:%d", crdt.EntryVersion, binary.Size(ranking.Facts{}), ranking.NumTriggers)

// topThree holds every contact's facts, ready for ranking. They are numbers of fixed size, some 300 bytes a contact; the
// rows of the facts table are their copy on disk, so that a start reads them instead of the log.
type topThree struct {
	sync.Mutex
	facts  []ranking.Facts
	at     map[ranking.ContactID]int
	ranker ranking.Ranker
}

// put takes over what a committed transaction folded; nil means that a contact is not ranked any more.
func (s *topThree) put(facts map[crdt.ContactID]*ranking.Facts) {
	s.Lock()
	defer s.Unlock()
	if s.at == nil {
		s.at = map[ranking.ContactID]int{}
	}
	for c, f := range facts {
		id := ranking.ContactID(c)
		i, ok := s.at[id]
		switch {
		case f != nil && ok:
			s.facts[i] = *f
		case f != nil:
			s.at[id] = len(s.facts)
			s.facts = append(s.facts, *f)
		case ok: // ranking does not depend on the order
			last := len(s.facts) - 1
			s.facts[i] = s.facts[last]
			s.at[s.facts[i].Contact] = i
			s.facts = s.facts[:last]
			delete(s.at, id)
		}
	}
}

// clear forgets all facts.
func (s *topThree) clear() {
	s.Lock()
	defer s.Unlock()
	s.facts, s.at = nil, nil
}

// rank returns the top three of a list.
func (s *topThree) rank(pb *ranking.Playbook, seed uint64, today ranking.Day, list ranking.List) []ranking.Suggestion {
	s.Lock()
	defer s.Unlock()
	var out [3]ranking.Suggestion
	n := s.ranker.Rank(pb, seed, today, list, s.facts, &out)
	return slices.Clone(out[:n])
}

// ensureFacts makes all projections anew when another build stored them: it may show what that one could not read.
func (t *tx) ensureFacts() error {
	var form string
	found, err := t.one([]any{&form}, `SELECT value FROM meta WHERE key='form'`)
	if err != nil || form == projectionForm {
		return err
	}
	if found {
		if err := t.rebuild(); err != nil {
			return err
		}
		if err := t.project(); err != nil {
			return err
		}
	}
	return t.exec(`INSERT INTO meta VALUES('form',?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, projectionForm)
}

func (t *tx) refoldAll() error {
	if err := t.exec(`DELETE FROM facts`); err != nil {
		return err
	}
	ids, err := t.contactIDs(`SELECT id FROM contacts`)
	if err != nil {
		return err
	}
	roots := rootCache{}
	for _, c := range ids {
		if err := t.refold(roots, c); err != nil {
			return err
		}
	}
	return nil
}

// loadFacts reads the facts that are on disk into memory, through the commit of this transaction.
func (t *tx) loadFacts() error {
	return t.query(func(rows *sql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return err
		}
		var f ranking.Facts
		if n, err := binary.Decode(b, binary.LittleEndian, &f); err != nil || n != len(b) {
			return errors.Join(errors.New("facts of a contact cannot be read"), err)
		}
		t.facts[crdt.ContactID(f.Contact)] = &f
		return nil
	}, `SELECT facts FROM facts`)
}

// Contents of the playbook have numbers; in the log they are "playbook/<n>", beside content that people named.
const contentPrefix = "playbook/"

func contentName(n uint16) string { return contentPrefix + strconv.Itoa(int(n)) }

func contentIndex(s string) (uint16, bool) {
	rest, ok := strings.CutPrefix(s, contentPrefix)
	n, err := strconv.ParseUint(rest, 10, 16)
	return uint16(n), ok && err == nil
}
