package replica

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/replica/sql"
)

// projectionForm names how projections are made from the changes; a build with another one makes them anew. The first
// number rises with every change of a rule; the others follow the layout of facts, which are in the machine's order of bytes.
var projectionForm = fmt.Sprintf("4:%d:%d:%d%s", crdt.EntryVersion, book.FactsSize, book.ActSize, map[bool]string{true: ":big"}[binary.NativeEndian.Uint16([]byte{0, 1}) == 1])

// topThree holds every contact's facts, ready for ranking. They are numbers of fixed size, 256 bytes a contact and 12
// an act on a suggestion; the rows of the facts table are their copy on disk, so that a start reads them instead of the log.
type topThree struct {
	sync.Mutex
	people
	at     map[ranking.ContactID]int
	member ranking.Member
	day    ranking.Day // the day on which the member's acts were counted
	lists  [2]ranked   // by ranking.List
}

// people are contacts' facts, and beside them their acts.
type people struct {
	facts []ranking.Facts
	acts  [][]ranking.Attempt
}

// ranked is what a list was ranked with the last time, so that a tap weighs one contact and not all.
type ranked struct {
	ranker  ranking.Ranker
	pb      *ranking.Playbook
	member  ranking.Member
	day     ranking.Day
	changed []int // places in facts
}

// change notes that the facts at a place are others. Where many are, all are weighed again.
func (l *ranked) change(i int) {
	if len(l.changed) == 256 {
		l.pb = nil
	}
	if l.pb != nil {
		l.changed = append(l.changed, i)
	}
}

// put takes over what a committed transaction folded; nil means that a contact is not ranked any more.
func (s *topThree) put(people map[crdt.ContactID]*book.Person) {
	s.Lock()
	defer s.Unlock()
	if s.at == nil {
		s.at = map[ranking.ContactID]int{}
	}
	for c, p := range people {
		id := ranking.ContactID(c)
		i, ok := s.at[id]
		if ok {
			s.count(s.acts[i], -1)
		}
		switch {
		case p != nil && ok:
			s.facts[i], s.acts[i] = p.Facts, p.Acts
		case p != nil:
			i = len(s.facts)
			s.at[id] = i
			s.facts, s.acts = append(s.facts, p.Facts), append(s.acts, p.Acts)
		case ok: // ranking does not depend on the order
			last := len(s.facts) - 1
			s.facts[i], s.acts[i] = s.facts[last], s.acts[last]
			s.at[s.facts[i].Contact] = i
			s.facts, s.acts = s.facts[:last], s.acts[:last]
			delete(s.at, id)
		}
		if p != nil {
			s.count(p.Acts, 1)
		}
		for l := range s.lists {
			s.lists[l].change(i)
		}
	}
}

// count adds to the member's own experience the acts whose window was over when it was counted, or takes them back.
func (s *topThree) count(acts []ranking.Attempt, n int64) {
	for i := range acts {
		if acts[i].Closed(s.day) {
			s.member.Count(&acts[i], n)
		}
	}
}

// clear forgets all facts.
func (s *topThree) clear() {
	s.Lock()
	defer s.Unlock()
	s.people, s.at, s.day, s.lists = people{}, nil, 0, [2]ranked{}
	s.member = ranking.Member{}
}

// fill has exactly these people from now on.
func (s *topThree) fill(all *people) {
	s.clear()
	s.Lock()
	defer s.Unlock()
	s.people, s.at = *all, make(map[ranking.ContactID]int, len(all.facts))
	for i := range all.facts {
		s.at[all.facts[i].Contact] = i
	}
}

// on counts the member's own experience as it is on a day.
func (s *topThree) on(today ranking.Day, seed uint64) {
	if today == s.day && seed == s.member.Seed {
		return
	}
	s.day, s.member = today, ranking.Member{Seed: seed}
	for _, acts := range s.acts {
		s.count(acts, 1)
	}
}

// rank returns the top three of a list.
func (s *topThree) rank(pb *ranking.Playbook, seed uint64, today ranking.Day, list ranking.List) []ranking.Suggestion {
	s.Lock()
	defer s.Unlock()
	s.on(today, seed)
	var out [3]ranking.Suggestion
	n := 0
	l := &s.lists[list]
	if l.pb == pb && l.day == today && l.member == s.member {
		n = l.ranker.Again(s.facts, l.changed, &out)
	} else {
		l.pb, l.day, l.member = pb, today, s.member
		n = l.ranker.Rank(pb, &s.member, today, list, s.facts, &out)
	}
	l.changed = l.changed[:0]
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
	var n int64
	if _, err := t.one([]any{&n}, `SELECT count(*) FROM facts`); err != nil {
		return err
	}
	t.stored = &people{make([]ranking.Facts, 0, n), make([][]ranking.Attempt, 0, n)}
	return t.query(func(rows *sql.Rows) error {
		var b []byte
		var p book.Person
		if err := rows.Scan(&b); err != nil {
			return err
		}
		if err := p.Decode(b); err != nil {
			return err
		}
		t.stored.facts, t.stored.acts = append(t.stored.facts, p.Facts), append(t.stored.acts, p.Acts)
		return nil
	}, `SELECT facts FROM facts`)
}
