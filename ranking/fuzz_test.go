package ranking

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzRank feeds facts that no log could make: any bytes are days, counts and sets. Nothing may panic, and what comes
// out obeys the rules as far as they can be read off the facts.
func FuzzRank(f *testing.F) {
	size := binary.Size(Facts{})
	encode := func(facts []Facts) []byte {
		var buf bytes.Buffer
		if err := binary.Write(&buf, binary.BigEndian, facts); err != nil {
			f.Fatal(err)
		}
		return buf.Bytes()
	}
	for seed := uint64(1); seed < 8; seed++ {
		b := newBook(seed, 12, firstDay)
		f.Add(encode(b.facts), int32(firstDay), seed)
		f.Add(encode(b.facts), int32(-1<<31), seed)
		f.Add(encode(b.facts), int32(1<<31-1), seed)
	}
	f.Add(bytes.Repeat([]byte{0xff}, 3*size), int32(0), uint64(0))
	f.Add(bytes.Repeat([]byte{0x7f}, 3*size), int32(-5), uint64(0))
	f.Add(bytes.Repeat([]byte{0x01}, 3*size), int32(1<<30), uint64(0))
	playbooks := [2]*Playbook{DefaultPlaybook(), fullPlaybook()}
	f.Fuzz(func(t *testing.T, raw []byte, day int32, seed uint64) {
		facts := make([]Facts, min(len(raw)/size, 64))
		if err := binary.Read(bytes.NewReader(raw[:len(facts)*size]), binary.BigEndian, facts); err != nil {
			t.Fatal(err)
		}
		today := Day(day)
		pb := playbooks[seed>>8&1]
		for i := range facts {
			ev := Event{Kind: EventKind(seed % uint64(NumEventKinds)), Day: today}
			if a, ok := pb.Alert(&Member{Seed: seed}, &facts[i], &ev, 0, 1000); ok &&
				(facts[i].Consent >= OptedOut || a.Contact != facts[i].Contact || a.NReasons == 0 || a.Until <= 1000 || pb.NoticeWords(a.Trigger, "en", "") == "") {
				t.Errorf("%+v", a)
			}
		}
		var r Ranker
		m := &Member{Seed: seed}
		for list := Prospects; list <= Members; list++ {
			var out, again [3]Suggestion
			n := r.Rank(pb, m, today, list, facts, &out)
			checkInvariants(t, pb, m, today, list, facts, out[:n])
			dice := rng(seed)
			shuffle(&dice, facts)
			if k := r.Rank(pb, m, today, list, facts, &again); !distinct(facts) || k == n && again == out {
				continue
			}
			t.Fatalf("another order of facts gave another three:\n%+v\n%+v", out, again)
		}
	})
}

func distinct(facts []Facts) bool {
	seen := map[ContactID]bool{}
	for i := range facts {
		if seen[facts[i].Contact] {
			return false
		}
		seen[facts[i].Contact] = true
	}
	return true
}

func checkInvariants(t *testing.T, pb *Playbook, m *Member, today Day, list List, facts []Facts, three []Suggestion) {
	t.Helper()
	seen := map[ContactID]bool{}
	for i := range three {
		s := &three[i]
		if seen[s.Contact] {
			t.Errorf("one contact twice")
		}
		seen[s.Contact] = true
		if s.EV > 1_000_000_000 || s.EV < -1_000_000_000 || s.Prob < 0 || s.Prob > One {
			t.Errorf("EV %d, probability %d", s.EV, s.Prob)
		}
		if s.EV < pb.MinEV && s.Trigger != PromisedFollow {
			t.Errorf("%v below the gate", s.Trigger)
		}
		if i > 0 && s.EV > three[i-1].EV && three[i-1].Trigger != PromisedFollow {
			t.Errorf("worth more than the one before")
		}
		if s.Expiry < today {
			t.Errorf("%v expired on %v", s.Trigger, s.Expiry)
		}
		if s.List != list || s.NReasons < 1 || s.NReasons > 3 {
			t.Errorf("list %v, %d reasons", s.List, s.NReasons)
		}
		for _, r := range s.Reasons[:s.NReasons] {
			if pb.Sentence(r, "en") == "" || pb.Sentence(r, "es") == "" {
				t.Errorf("no sentence for %v", r.Code)
			}
		}
		if !distinct(facts) {
			continue
		}
		for j := range facts {
			f := &facts[j]
			if f.Contact != s.Contact {
				continue
			}
			if f.Consent >= OptedOut || today < f.Snooze.Day() || (f.Stage == Prospect) != (list == Prospects) {
				t.Errorf("a contact that must be silent: %+v", f)
			}
			if f.TouchCount > 0 && today.since(f.Touches[0].Day()) < 3 && s.Trigger != PromisedFollow && s.Trigger != Joined && s.Trigger != Visiting {
				t.Errorf("touched %d days ago", today.since(f.Touches[0].Day()))
			}
			sum := int64(0)
			for _, r := range pb.Terms(m, today, f, s) {
				sum += r.Score
			}
			if sum != s.Z {
				t.Errorf("terms add up to %d, z is %d", sum, s.Z)
			}
		}
	}
}

// FuzzFold feeds logs that are out of order, doubled and out of range: they must fold without a panic and stay bounded.
func FuzzFold(f *testing.F) {
	size := binary.Size(Event{})
	var buf bytes.Buffer
	b := newBook(3, 20, firstDay)
	for _, log := range b.logs {
		if err := binary.Write(&buf, binary.BigEndian, log); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(buf.Bytes())
	f.Add(bytes.Repeat([]byte{0x80}, 5*size))
	f.Add(bytes.Repeat([]byte{0x00}, 5*size))
	f.Fuzz(func(t *testing.T, raw []byte) {
		events := make([]Event, min(len(raw)/size, 500))
		for i := range events {
			if err := binary.Read(bytes.NewReader(raw[i*size:]), binary.BigEndian, &events[i]); err != nil {
				t.Fatal(err)
			}
		}
		p := Facts{Contact: id(1), Channels: personal}
		p.Fold(events)
		again := p
		again.Stage = Prospect
		again.Fold(events)
		if again != p {
			t.Fatalf("folding again gives\n%+v\ninstead of\n%+v", again, p)
		}
		for ch := range NumChannels {
			if p.Answers[ch] > p.Tries[ch] {
				t.Fatalf("%d answers in %d tries", p.Answers[ch], p.Tries[ch])
			}
		}
		var r Ranker
		var out [3]Suggestion
		r.Rank(DefaultPlaybook(), &Member{Seed: 1}, firstDay, Prospects, []Facts{p}, &out)
		r.Rank(DefaultPlaybook(), &Member{Seed: 1}, firstDay, Members, []Facts{p}, &out)
	})
}
