package ranking

import (
	"slices"
	"testing"
)

// plainSet is all that Rank may choose from, found the plain way: every trigger of every contact is asked, and every
// channel weighed, whether it can win or not.
func plainSet(l *lens, list List, facts []Facts) (found []candidate) {
	for i := range facts {
		f := &facts[i]
		var s state
		if f.Stage > Promoter || (list == Prospects) != (f.Stage == Prospect) || !l.begin(f, &s) {
			continue
		}
		best := candidate{fact: -1}
		for t := range NumTriggers {
			var o opening
			rule := &l.Rules[t]
			if rule.Stages>>f.Stage&1 == 0 || rule.Automate || !l.may(t, f, &s) || !l.open(t, f, &s, &o) {
				continue
			}
			c, ok := plainWay(l, t, f, &s, &o)
			if !ok || c.ev < l.MinEV && !o.pinned {
				continue
			}
			if o.filler {
				c.ev = l.MinEV
			}
			c.fact, c.trigger, c.pinned, c.deadline, c.expiry = int32(i), t, o.pinned, o.deadline, o.expiry
			if best.fact < 0 || c.pinned && !best.pinned || c.pinned == best.pinned && c.ev > best.ev {
				best = c
			}
		}
		if best.fact >= 0 {
			found = append(found, best)
		}
	}
	return found
}

// plainWay weighs all channels of an open trigger; of equals the first counts.
func plainWay(l *lens, t TriggerID, f *Facts, s *state, o *opening) (best candidate, ok bool) {
	rule := &l.Rules[t]
	anyway := int64(0)
	if t == RefillDue || t == Lapsed {
		anyway = Sigmoid(l.unasked(t, s, o))
	}
	var own ownContact
	l.ownOf(f, &own)
	for ch := range NumChannels {
		if rule.ways(f)>>ch&1 == 0 {
			continue
		}
		ct, words := l.likeliest(t, ch, rule.blocked(f, t), o)
		if ct < 0 {
			continue
		}
		c := candidate{channel: ch, content: uint16(ct), z: l.score(t, l.today, f, s, o, nil) + rule.ByWay[ch] + own.sum[ch] + words}
		c.prob = max(Sigmoid(c.z)-anyway, 0)
		c.ev = (c.prob*clampCents(rule.Value)+One/2)>>16 - s.optOut - clampCents(l.Cost[ch])
		if !ok || c.ev > best.ev {
			best, ok = c, true
		}
	}
	return best, ok
}

// strange is a playbook whose numbers nobody would write: weights that rise and fall, triggers that are worth nothing or
// cost nothing, a gate below zero, cadences before their event and of years.
func strange(d *rng) *Playbook {
	pb := fullPlaybook()
	some := func(n int) int64 { return int64(d.between(-n, n)) }
	pb.MinEV = []int64{-10_000, 0, 40, 400, 2000}[d.below(5)]
	pb.Rest, pb.CapTouches, pb.Silent, pb.Form = int64(d.below(4)), int64(1+d.below(8)), int64(d.below(4)), some(1500)
	for ch := range pb.Cost {
		pb.Cost[ch] = int64(d.below(200))
	}
	for t := range pb.Rules {
		rule := &pb.Rules[t]
		rule.Base += some(1500)
		rule.Value = []int64{0, 100, 6000, 2_000_000}[d.below(4)]
		rule.Cooldown, rule.Rest, rule.Automate = int64(d.below(8)), int64(d.below(5)), d.percent(5)
		rule.Repeat = Repeat(d.below(3))
		rule.Expiry += int64(d.below(200)) * int64(d.below(2))
		for ft := range rule.Weights {
			rule.Weights[ft] = nil
			for n := range d.below(4) {
				rule.Weights[ft] = append(rule.Weights[ft], Bin{int64(1 + n*(1+d.below(5))), some(900)})
			}
		}
		for ch := range rule.ByWay {
			rule.ByWay[ch] = -int64(d.below(900))
		}
		rule.Natural = []Bin{{int64(d.below(200)), some(2000)}, {never, some(2000)}}
		if TriggerID(t) >= Own1 && d.percent(60) {
			when := &When{Since: Quantity(d.below(int(OrderDays))), Open: int64(1 + d.below(40))}
			for range d.below(4) {
				when.Cadence = append(when.Cadence, some(150))
			}
			slices.Sort(when.Cadence)
			for range d.below(3) {
				least := some(100)
				when.Tests = append(when.Tests, Test{Quantity(d.below(int(NumQuantities))), least, least + int64(d.below(300))})
			}
			rule.When, rule.Stages, rule.Channels, rule.Contents = when, uint8(1+d.below(7)), uint8(1+d.below(15)), contents(1+d.below(3))
		}
	}
	return pb
}

// TestTheSieveLosesNothing ranks as Rank does and the plain way, for playbooks of all kinds, on days of a life.
func TestTheSieveLosesNothing(t *testing.T) {
	playbooks := 24
	if testing.Short() {
		playbooks = 8
	}
	weighed, three := 0, 0
	for seed := uint64(1); seed <= uint64(playbooks); seed++ {
		d := rng(seed)
		pb := strange(&d)
		switch seed {
		case 1:
			pb = DefaultPlaybook()
		case 2:
			pb = fullPlaybook()
		}
		b := newBook(seed, 80, firstDay)
		for i := range b.facts {
			b.facts[i].Imported = i%7 == 0
		}
		var r Ranker
		for day := firstDay; day < firstDay+30; day++ {
			m := b.member(day)
			for list := Prospects; list <= Members; list++ {
				var got, want [3]Suggestion
				n := r.Rank(pb, m, day, list, b.facts, &got)
				plain := Ranker{list: list}
				plain.lens.lens.set(pb, m, day)
				plain.best = plainSet(&plain.lens.lens, list, b.facts)
				weighed += len(plain.best)
				three += n
				at := 0
				for i := range r.best {
					if r.best[i].fact < 0 {
						continue
					}
					if at == len(plain.best) || r.best[i] != plain.best[at] {
						t.Fatalf("seed %d, %v, %v: contact %d stands as %+v and is, plainly, none or another: %+v", seed, day, list, i, r.best[i], plain.best[at:])
					}
					at++
				}
				if at < len(plain.best) {
					t.Fatalf("seed %d, %v, %v: left out %+v", seed, day, list, plain.best[at:])
				}
				if k := plain.pick(b.facts, &want); k != n || got != want {
					t.Fatalf("seed %d, %v, %v:\n%+v\nplainly\n%+v", seed, day, list, got[:n], want[:k])
				}
			}
			b.live(pb, &r, day, func(List, []Suggestion) {})
		}
	}
	if weighed < 2*three || three < 30*playbooks {
		t.Errorf("%d steps above the gate, %d suggestions: too few to tell", weighed, three)
	}
}

func TestSigmoidTopIsABound(t *testing.T) {
	last := int64(0)
	for z := int64(-21_000); z <= 21_000; z++ {
		p, top := Sigmoid(z), sigmoidTop(z)
		if p < last {
			t.Fatalf("Sigmoid(%d) = %d falls from %d", z, p, last)
		}
		if top < p || top-p > 2+p/25 {
			t.Fatalf("sigmoidTop(%d) = %d, Sigmoid is %d", z, top, p)
		}
		last = p
	}
}
