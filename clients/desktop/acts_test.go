package desktop_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
)

// timeline opens the device's own data as another program of it would, and returns what the log says of a contact.
func (s *site) timeline(name string) (c replica.Contact, all []replica.Logged) {
	s.Helper()
	r, err := replica.Open(s.Context(), replica.Config{Path: filepath.Join(s.dir, "replica.db"), Member: s.member, Device: s.device()})
	if err != nil {
		s.Fatal(err)
	}
	defer r.Close()
	cs, err := r.Contacts(s.Context(), name, 0, 2)
	if err != nil || len(cs) != 1 {
		s.Fatalf("%s: %v, %v", name, cs, err)
	}
	if all, err = r.Timeline(s.Context(), cs[0].ID, 20); err != nil {
		s.Fatal(err)
	}
	return cs[0], all
}

func (s *site) device() crdt.DeviceID {
	s.Helper()
	d, err := crdt.ParseDeviceID(find(s.T, `"device":"([^"]+)"`, s.access()))
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// follows counts the touches that say which suggestion they follow, and with what chances, and the suggestions taken.
func follows(all []replica.Logged) (touches, prompted, taken int) {
	for _, l := range all {
		if l.Kind.IsTouch() {
			touches++
			if l.Trigger != "" && l.P0 > 0 && l.P1 > 0 && l.Evidence == crdt.E0 {
				prompted++
			}
		}
		if l.Choice == crdt.Taken {
			taken++
		}
	}
	return touches, prompted, taken
}

// TestDeviceActs: what top suggests is done, put off and refused by its number, each is said with the name, and the log
// has what teaches: the trigger, the chances, the outcome.
func TestDeviceActs(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.fails(cmd("did", "1"), 1, true, "no suggestions were shown here today", "top")
	names := []string{"Ana López", "Ben Okoro", "Carla Ruiz", "Dmitri Novak", "Elif Kaya"}
	for i, name := range names {
		s.ok(append(cmd("add"), name, "+3461234567"+string(rune('0'+i))))
	}
	orders := "order_id,customer_id,name,date,amount,phone\n"
	for i, days := range []int{95, 64, 33} {
		orders += fmt.Sprintf("%d,c1,Aiko Tanaka,%s,40.00,+34612345690\n", i, time.Now().UTC().AddDate(0, 0, -days).Format(time.DateOnly))
	}
	s.ok(cmd("import", s.file("orders.csv", orders)), "3 new")
	top := s.ok(cmd("top"), "PROSPECTS\n1 ", "\n2 ", "MEMBERS\n3 ", "did N [OUTCOME]")
	who := func(n string) string { return find(t, `(?m)^`+n+` .*\((.*)\)$`, top) }
	first, second, third := who("1"), who("2"), who("3")

	s.fails(cmd("did", "7"), 1, true, "7 is none of the 3")
	s.fails(cmd("did", "one"), 2, true, `"one" is not the number`)
	s.fails(cmd("did", "1", "perhaps"), 2, true, `"perhaps" is not an outcome`, "no_answer")
	s.ok(cmd("did", "1", "answered"), "with "+first+" (talked) logged, as suggested")
	_, log := s.timeline(first)
	if touches, prompted, taken := follows(log); touches != 1 || prompted != 1 || taken != 1 {
		t.Errorf("did leaves %+v", log)
	}
	s.fails(cmd("did", "1"), 1, true, first+", is done already")
	// The numbers are those that were shown, although the first is not suggested any more.
	s.ok(cmd("later", "2"), "not today: ", second)
	s.ok(cmd("not", "3"), "not this: ", third)
	s.fails(cmd("later", "3"), 1, true, "is done already")
	if out := s.ok(cmd("top")); strings.Contains(out, first) || strings.Contains(out, second) || strings.Contains(out, third) {
		t.Errorf("after they were done, put off and refused, top says %s", out)
	}

	// What was done last is taken back first, and can be suggested again.
	s.ok(cmd("undo"), "taken back: not this, "+third)
	s.ok(cmd("undo"), "taken back: not today, "+second)
	s.ok(cmd("undo"), "taken back: ", first)
	if _, log := s.timeline(first); len(log) != 0 {
		t.Errorf("after undo the log says %+v", log)
	}
	s.fails(cmd("undo"), 1, true, "nothing was logged here within a day")
	if again := s.ok(cmd("top")); again != top {
		t.Errorf("after undo top says\n%s, before\n%s", again, top)
	}
	s.ok(cmd("did", "1"), first)
}

// TestDeviceLogTeaches: who knows no number, and logs what is suggested, acts on it all the same.
func TestDeviceLogTeaches(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Ana", "López", "+34612345678"))
	s.ok(cmd("add", "Ben", "Okoro", "+34612345679"))
	way := map[string]string{"Text": "text", "Call": "call", "Email": "email"}[find(t, `1 (\w+) `, s.ok(cmd("top")))]
	if way == "" {
		t.Fatal("the first suggestion is none of text, call and email")
	}
	s.ok(cmd("log", way, "ana", "no-answer"), way+" with Ana López (no answer) logged, as suggested")
	s.ok(cmd("log", "meet", "ben"), "meeting with Ben Okoro logged\n")
	for name, want := range map[string][3]int{"ana": {1, 1, 1}, "ben": {1, 0, 0}} {
		_, log := s.timeline(name)
		if touches, prompted, taken := follows(log); [3]int{touches, prompted, taken} != want {
			t.Errorf("%s: %d touches, %d on a suggestion, %d taken; want %v", name, touches, prompted, taken, want)
		}
	}
	s.ok(cmd("log", way, "ana", "answered"), "(talked) logged\n") // the second of the day follows none
	// Without top: today's three are what the other devices show.
	s.dir = filepath.Join(t.TempDir(), "second")
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Carla", "Ruiz", "+34612345677"))
	s.ok(cmd("log", way, "carla"), "logged, as suggested")
	s.fails(cmd("log", "fax", "carla"), 2, true, "want call, text, email, meet, ask or promise")
	s.ok(cmd("profile", "language=es"))
	s.ok(cmd("log", "meet", "carla", "answered"), "anotado: encuentro con Carla Ruiz (hablaron)\n")
}

func TestDeviceContactSettings(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("add", "Ana", "López", "+34612345678"))
	s.ok(cmd("top"), "Ana López")
	s.fails(cmd("snooze", "ana", "soon"), 2, true, `"soon" is not how long Ana López can wait`)
	s.fails(cmd("snooze", "ana", "2020-01-01"), 2, true, "2020-01-01 is over")
	s.fails(cmd("snooze", "ana", "99999"), 2, true, "is not how long")
	s.fails(cmd("snooze", "zoe", "3"), 1, true, `"zoe" finds nobody`)
	s.ok(cmd("snooze", "ana", "7"), "Ana López is not suggested before "+time.Now().UTC().AddDate(0, 0, 7).Format(time.DateOnly))
	s.ok(cmd("top"), "PROSPECTS\n  nothing needed today")
	s.ok(cmd("snooze", "ana", "0"), "may be suggested again")
	s.ok(cmd("top"), "Ana López")
	s.fails(cmd("consent", "ana", "maybe"), 2, true, `"maybe" is not a consent`)
	s.ok(cmd("consent", "ana", "opted_out"), "Ana López is not suggested any more")
	s.ok(cmd("top"), "PROSPECTS\n  nothing needed today")
	s.ok(cmd("list"), "+34612345678 (opted out)")
	s.ok(cmd("consent", "ana", "unknown"), "is not known")
	s.ok(cmd("top"), "Ana López")
	s.ok(cmd("consent", "ana", "given"), "Ana López may be contacted")
	s.fails(cmd("stage", "ana", "friend"), 2, true, `"friend" is not a stage`)
	s.ok(cmd("stage", "ana", "lópez", "customer"), "Ana López is now a customer")
	s.ok(cmd("list"), "customer")
	if _, log := s.timeline("ana"); len(log) != 1 || log[0].Stage != crdt.StageCustomer {
		t.Errorf("the log says %+v", log)
	}
	s.ok(cmd("stage", "ana", "customer"), "Ana López is now a customer")
	if _, log := s.timeline("ana"); len(log) != 1 {
		t.Errorf("the same stage again was logged: %+v", log)
	}
}
