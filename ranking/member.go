package ranking

// Record is how acts on suggestions turned out against what was expected of them. With S successes among acts of
// chances p, Gain is S - sum of p and Info the sum of p(1-p), both Q16. Records add up, in any order.
type Record struct {
	Gain int64
	Info int64
}

// add counts an act of chance p (Q16); n is -1 to take it back.
func (r *Record) add(p int64, won bool, n int64) {
	if won {
		r.Gain += n * One
	}
	r.Gain -= n * p
	r.Info += n * (p * (One - p) >> 16)
}

// offset returns the posterior mean of a random intercept after one Newton step, (S - E) / (V + L) nats, in milli-nats.
// With L of zero or less it is 0: nothing is learnt at that level.
func (r Record) offset(l int64) int64 {
	if l <= 0 {
		return 0
	}
	limit := int64(1) << 50 // so that damaged records cannot overflow
	return min(max(r.Gain, -limit), limit) * milliPerOne / (min(max(r.Info, 0), limit) + l)
}

// without returns what is left of a record when an offset (milli-nats) has explained its part of the gain.
func (r Record) without(offset int64) Record {
	limit := int64(1) << 40 // as above
	r.Gain -= min(max(r.Info, 0), limit) * min(max(offset, -maxNats), maxNats) / milliPerOne
	return r
}

// Member is what ranking knows of the promoter.
type Member struct {
	// Seed is derived from the member's id. It decides between suggestions of equal worth and deadline, which weeks of a
	// contact stay unasked, and which messages the member tries.
	Seed uint64

	// What became of all acts on suggestions whose window is over, by channel and by content. Only with Count, which takes
	// each act once, do two devices hold the same.
	Ways  [NumChannels]Record
	Words [NumTriggers][MaxContents]Record
}

// Count adds an act, or takes it back when n is -1.
func (m *Member) Count(a *Attempt, n int64) {
	m.Ways[a.Channel].add(int64(a.P0), a.Won, n)
	m.Words[a.Trigger][a.Content].add(int64(a.P0), a.Won, n)
}

// lens is a playbook as one member sees it on one day: what does not depend on the contact is computed once.
type lens struct {
	*Playbook
	today Day
	seed  uint64
	asks  [Promoter + 1]uint32 // the triggers for each stage, as bits
	rest  [NumTriggers]int64   // the least days since a touch
	way   [NumChannels]int64
	word  [NumTriggers][MaxContents]int64
	trial [NumTriggers][MaxContents]int64
	words [NumTriggers][NumChannels][MaxContents]int64 // the sum that scoreWords explains
	most  [NumTriggers]int64                           // the greatest of them
	plain [NumTriggers][NumChannels]int8               // the likeliest content where all suit any opening; else -1
}

// set looks through the records. A level's offset explains the gain above the one of the level over it: the member's
// own, then channel and content beside each other.
func (l *lens) set(pb *Playbook, m *Member, today Day) {
	l.Playbook, l.today, l.seed = pb, today, m.Seed
	var all Record
	ways := m.Ways
	for ch, r := range ways {
		ways[ch] = r.without(pb.Shared.Ways[ch])
		all.Gain, all.Info = all.Gain+ways[ch].Gain, all.Info+r.Info
	}
	own := all.offset(pb.Shrink.Member)
	for ch, r := range ways {
		l.way[ch] = own + r.without(own).offset(pb.Shrink.Way)
	}
	l.rests()
	l.asks = [Promoter + 1]uint32{}
	for t := range NumTriggers {
		for stage := range l.asks {
			if pb.Rules[t].Stages>>stage&1 == 1 && !pb.Rules[t].Automate {
				l.asks[stage] |= 1 << t
			}
		}
	}
	week := uint64(today.week())
	for t := range NumTriggers {
		l.most[t] = -never
		for ct := range pb.Rules[t].Contents {
			if ct >= MaxContents {
				break
			}
			l.word[t][ct] = m.Words[t][ct].without(pb.Shared.Words[t][ct] + own).offset(pb.Shrink.Words)
			l.trial[t][ct] = 0
			if doubt := pb.Rules[t].Contents[ct].Doubt; doubt != 0 {
				h := mix(mix(m.Seed^week<<32) ^ uint64(t)<<8 ^ uint64(ct))
				l.trial[t][ct] = min(max(doubt, 0), maxNats) * min(max(pb.Explore, 0), maxSpan) / milliPerOne * bell(h) >> 16
			}
			for ch := range NumChannels {
				l.words[t][ch][ct] = l.scoreWords(t, ch, ct, nil)
				l.most[t] = max(l.most[t], l.words[t][ch][ct])
			}
		}
		l.plain[t] = l.plainWords(t)
	}
}

// plainWords returns for each channel what likeliest finds for any opening of a trigger while nothing is blocked; -1 when
// that depends on the opening, or there is nothing.
func (l *lens) plainWords(t TriggerID) (best [NumChannels]int8) {
	always := true
	for ct := range l.Rules[t].Contents {
		always = always && !l.Rules[t].Contents[ct].special()
	}
	for ch := range NumChannels {
		best[ch] = -1
		if always {
			ct, _ := l.likeliest(t, ch, 0, &opening{})
			best[ch] = int8(ct)
		}
	}
	return best
}

// rests fills in how long each trigger waits after a touch. A promise is what the contact asked for: it waits for no
// rest. Who is there right now does not wait for the company's.
func (l *lens) rests() {
	for t := range NumTriggers {
		switch t {
		case PromisedFollow:
			l.rest[t] = 0
		case Joined, Visiting:
			l.rest[t] = l.Rules[t].Rest
		default:
			l.rest[t] = max(l.Rules[t].Rest, l.Rest)
		}
	}
}

// bell turns 64 random bits into a number of mean 0 and standard deviation 1, in Q16, near enough to a normal one: the
// sum of four even ones.
func bell(h uint64) int64 {
	sum := int64(0)
	for range 4 {
		sum += int64(h & (One - 1))
		h >>= 16
	}
	const rootOf3 = 113_512 // Q16; four even numbers between 0 and 1 have a variance of a third
	return (sum - 2*One) * rootOf3 >> 16
}

// silent says whether a contact is left unasked this week, so that it can be known who orders without being asked.
func (l *lens) silent(f *Facts) bool { return l.Silenced(l.seed, l.today, f.Contact) }

// Silenced says whether a contact gets no suggestion about a refill on a day, as one week of Playbook.Silent has none. It
// lasts from a Monday to the next, both included: as long as an order after a suggestion counts as its success.
func (pb *Playbook) Silenced(seed uint64, today Day, c ContactID) bool {
	if pb.Silent <= 0 {
		return false
	}
	in := func(week int64) bool {
		const salt = 0x5113_4c1e
		return hash64(seed^salt, Day(week), &c)%uint64(pb.Silent) == 0
	}
	return in(today.week()) || today.Monday() && in(today.week()-1)
}

// Monday says whether a week begins.
func (d Day) Monday() bool { return d.week() != (d - 1).week() }

// ownContact is what a contact's own records add: to every step, and by a channel.
type ownContact struct {
	all int64
	way [NumChannels]int64
	sum [NumChannels]int64 // what scoreWay explains, but for the rule's own
}

// ownOf looks through a contact's records, those included whose window ended since the facts were folded.
func (l *lens) ownOf(f *Facts, own *ownContact) {
	l.outturns(f, own)
	for ch := range NumChannels {
		own.sum[ch] = l.way[ch] + l.answers(f, ch, nil) + own.all + own.way[ch]
	}
}

func (l *lens) outturns(f *Facts, own *ownContact) {
	*own = ownContact{}
	settled := Outturn{}
	for _, r := range f.Own {
		settled.Gain, settled.Info = settled.Gain|r.Gain, settled.Info|r.Info
	}
	if settled == (Outturn{}) && f.Waiting[0] == (Waiting{}) {
		return
	}
	var all Record
	var ways [NumChannels]Record
	for ch, r := range f.Own {
		ways[ch] = r.record()
	}
	for _, w := range f.Waiting {
		if a := w.act(); w != (Waiting{}) && a.Channel < NumChannels && a.Closed(l.today) {
			gain, info := a.outturn()
			ways[a.Channel].Gain += gain << 6
			ways[a.Channel].Info += info << 6
		}
	}
	for ch, r := range ways {
		ways[ch] = r.without(l.Shared.Contacts[ch])
		all.Gain, all.Info = all.Gain+ways[ch].Gain, all.Info+r.Info
	}
	own.all = all.offset(l.Shrink.Contact)
	for ch, r := range ways {
		own.way[ch] = r.without(own.all).offset(l.Shrink.ContactWay)
	}
}

// week numbers the weeks of the calendar, Monday to Sunday.
func (d Day) week() int64 { return floorDiv(int64(d)+3, 7) } // 1970-01-01 was a Thursday
