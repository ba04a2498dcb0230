package learn

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/ranking/playbook"
	"trio/server/store"
)

// TestManyMerged: what a member costs grows with what he has logged, however many were merged into one; and it ends when
// the night does.
func TestManyMerged(t *testing.T) {
	const n = 8000
	m := &member{
		contacts: map[crdt.ContactID]map[string][]automerge.Entry{},
	}
	text := func(s string) []automerge.Entry {
		return []automerge.Entry{{Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: s}}}
	}
	id := func(i int) (c crdt.ContactID) {
		c[6], c[8] = 0x70, 0x80
		binary.BigEndian.PutUint32(c[12:], uint32(i))
		return c
	}
	m.contacts[id(0)] = map[string][]automerge.Entry{"name": text("Maria")}
	for i := range n {
		m.contacts[id(i+1)] = map[string][]automerge.Entry{crdt.FieldMergedInto: text(id(0).String())}
		entry := crdt.EntryID(id(i))
		m.logs.Put("log-2026-11", entry, automerge.OpID{Counter: uint64(i)}, func() (book.Note, bool) {
			return book.NewNote(entry, &crdt.Entry{Kind: crdt.Call, Contact: id(i + 1), At: 1795341600000 + int64(i), Evidence: crdt.E1}), true
		})
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	events := 0
	if err := m.people(t.Context(), func(p *Person) error { events += len(p.Events); return nil }); err != nil || events != n {
		t.Errorf("%d events of %d, %v", events, n, err)
	}
	runtime.ReadMemStats(&after)
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 100 {
		t.Errorf("%d MB for %d entries of one contact", mb, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.people(ctx, func(*Person) error { t.Error("it goes on"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	rests := 0
	p := paced{rest: func(context.Context, time.Duration) error { rests++; return context.Canceled }, since: time.Now().Add(-atOnce)}
	if err := m.people(t.Context(), func(*Person) error { return p.pause(t.Context()) }); !errors.Is(err, context.Canceled) || rests != 1 {
		t.Errorf("%d rests, %v", rests, err)
	}
}

// TestAClockThatWasAhead: a version that says it was published in the future keeps no night from its work, and is warned of.
func TestAClockThatWasAhead(t *testing.T) {
	c := newCompany(t)
	first := playbook.Default()
	first.Version = 1
	_, err := c.st.PublishPlaybook(t.Context(), store.Playbook{Tenant: c.row.ID, Version: 1, Hash: first.Hash(), By: "A person", Doc: first.Encode()}, 0)
	c.ok(err)
	l := Learner{Store: c.st, Shelf: InStore(c.st, ByNight), Within: tonight}
	st, err := l.Shelf.Standing(t.Context(), c.row.ID)
	c.ok(err)
	c.ok(l.Shelf.Publish(t.Context(), c.row.ID, &st, asVersion(st.Written, st.Next)))
	for ahead, want := range map[time.Duration]Outcome{0: Done, 2 * time.Minute: Done, 24 * 365 * time.Hour: TooLittle} {
		l.Now = func() time.Time { return time.Now().Add(-ahead) }
		r, err := l.Night(t.Context(), c.row, false)
		c.ok(err)
		if r.Outcome != want || strings.Contains(r.Warning, "clock") != (want == TooLittle) {
			t.Errorf("%v ahead: %+v", ahead, r)
		}
	}
}
