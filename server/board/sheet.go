package board

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/ranking"
	"trio/server/ledger"
)

// Bounds of one member, far above what a person does in a life. Who is beyond is on no board.
const (
	maxEntries = 400_000
	maxDays    = 40_000 // with something done, a hundred years and more
	maxFields  = 50_000 // values of the profile
	maxValue   = 64     // bytes of one
)

// ErrTooMuch: a member's documents hold more than a person's.
var ErrTooMuch = errors.New("more than a person logs")

// Sheet is what is known of a member: all that boards and reports are computed from.
type Sheet struct {
	Unread bool // the member's documents could not be read: nothing is known
	Off    bool // the member's numbers are for nobody else
	Zones  []book.Field
	Plan   ranking.Plan
	Awards []ranking.Award // recorded and not taken back, by day
	Days   []ranking.Tally // ascending
	Met    []ranking.Day   // goal days of the last weeks, ascending
}

// Home is the member's calendar.
func (s *Sheet) Home() book.Calendar { return book.NewCalendar(s.Zones) }

// Keeper computes a member's habit.
func (s *Sheet) Keeper(r *ranking.GoalRules) *ranking.Keeper {
	k := ranking.NewKeeper(r)
	k.SetPlan(s.Plan)
	for i := range s.Days {
		k.Put(s.Days[i])
	}
	return k
}

// logged is a log entry as a sheet counts it. Its act has no day before home is known.
type logged struct {
	act   ranking.Act
	award ranking.Award
}

// ReadSheet makes a member's sheet, by the rules that the company counts by, and says up to which change of the member's order it
// was read. now is in ms since 1970: goal days are looked for up to then. ErrTooMuch.
func ReadSheet(ctx context.Context, st ledger.Orders, r *ranking.GoalRules, id crdt.MemberID, now int64) (*Sheet, uint64, error) {
	profile := map[string][]automerge.Entry{}
	bad := map[crdt.DocName]bool{}
	kinds := map[crdt.Kind]crdt.Kind{} // of each word one copy, and none of a change's bytes
	fields := 0
	var log ledger.Log[logged]
	seq, err := ledger.Read(ctx, st, id, func(doc crdt.DocName, c *automerge.Change) error {
		for i := range c.Ops {
			op := &c.Ops[i]
			if !op.Obj.IsRoot() || op.IsList {
				continue
			}
			switch {
			case doc == crdt.ProfileDoc && wanted(op.Key):
				fields += log.Apply(profile, op.Key, c.OpID(i), op, maxValue)
			case doc.IsLog():
				log.Take(doc, c.OpID(i), op, func(id crdt.EntryID, e *crdt.Entry) logged {
					kind, ok := kinds[e.Kind]
					if !ok {
						kind = crdt.Kind(strings.Clone(string(e.Kind)))
						kinds[kind] = kind
					}
					e.Kind = kind
					return newLogged(id, e)
				})
			}
		}
		if log.Len() > maxEntries || fields > maxFields {
			return fmt.Errorf("%w: over %d entries, or %d fields of the profile", ErrTooMuch, maxEntries, maxFields)
		}
		return nil
	}, func(doc crdt.DocName, _ string) { bad[doc] = true })
	if err != nil {
		return nil, seq, err
	}
	s := &Sheet{}
	var plan []book.Field
	if !bad[crdt.ProfileDoc] { // half a document says what is not so
		for key, vs := range profile {
			v, ok := automerge.Winner(vs)
			if !ok {
				continue
			}
			f := book.Field{Key: key, Value: v.Value}
			if _, zone := crdt.SplitZoneKey(key); zone {
				s.Zones = append(s.Zones, f)
			} else if key == crdt.ProfileBoards {
				s.Off = f.Value.Str == crdt.BoardsOff
			} else {
				plan = append(plan, f)
			}
		}
	}
	byKey := func(a, b book.Field) int { return cmp.Compare(a.Key, b.Key) }
	slices.SortFunc(s.Zones, byKey)
	slices.SortFunc(plan, byKey)
	s.Plan = book.NewPlan(r, plan)
	s.Off = s.Off || bad[crdt.ProfileDoc] // who may have asked to be seen by nobody is seen by nobody
	s.count(r, &log, func(doc crdt.DocName) bool { return bad[doc] }, now)
	if len(s.Days) > maxDays {
		return nil, seq, fmt.Errorf("%w: over %d days", ErrTooMuch, maxDays)
	}
	return s, seq, nil
}

// wanted says whether a register of the profile is one that sheets are made of.
func wanted(key string) bool {
	_, zone := crdt.SplitZoneKey(key)
	_, _, goal := crdt.SplitGoalKey(key)
	_, rest := crdt.SplitRestKey(key)
	_, weekly := crdt.SplitWeeklyRestKey(key)
	return zone || goal || rest || weekly || key == crdt.ProfileBoards
}

func newLogged(id crdt.EntryID, e *crdt.Entry) (l logged) {
	switch e.Kind {
	case crdt.Nudge: // it is no act, as on devices
		e.Kind = ""
	case crdt.Award:
		if day, err := ranking.ParseDay(e.Due); err == nil && e.Value != nil && e.Value.Count > 0 && e.Value.Count <= ranking.MaxLevels {
			l.award = ranking.Award{Badge: strings.Clone(e.Content), Level: int(e.Value.Count), Day: day}
		}
		e.Kind = ""
	}
	l.act = book.UndatedAct(id, e)
	return l
}

// count sums the days, in the order of the whole log, and takes the awards that stand.
func (s *Sheet) count(r *ranking.GoalRules, log *ledger.Log[logged], bad func(crdt.DocName) bool, now int64) {
	home := s.Home()
	acts := make([]ranking.Act, 0, log.Len())
	awards := map[ranking.ActID]ranking.Award{}
	log.All(bad, func(id crdt.EntryID, l *logged) {
		if l.award.Level > 0 {
			awards[ranking.ActID(id)] = l.award
		}
		if l.act.Kind == "" {
			return
		}
		day, minute := home.At(l.act.At)
		l.act.Day, l.act.Minute = day, int16(minute)
		acts = append(acts, l.act)
	})
	for i := range acts {
		if acts[i].Kind == ranking.KindVoid {
			delete(awards, acts[i].About)
		}
	}
	s.Days = r.Count(acts)
	for _, a := range awards {
		s.Awards = append(s.Awards, a)
	}
	slices.SortFunc(s.Awards, func(a, b ranking.Award) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Badge, b.Badge), cmp.Compare(a.Level, b.Level))
	})
	s.Awards = slices.Compact(s.Awards)
	s.Awards = s.Awards[max(0, len(s.Awards)-maxAwards):]
	today := home.Day(now)
	s.Met = s.Keeper(r).GoalDays(today-keptDays, today)
}

// keptDays is how far back boards look: this month and the one before, from whichever day.
const keptDays = 70

// maxAwards is as many as there are levels of badges.
const maxAwards = ranking.MaxBadges * ranking.MaxLevels

// form names the way in which sheets are made: with other rules that count differently, or by another build, they are made anew.
func form(r *ranking.GoalRules) (f [16]byte) {
	sum := sha256.Sum256(append(r.Counting(), sheetVersion))
	copy(f[:], sum[:])
	return f
}

// sheetVersion is that of what Encode writes, and of how it is made.
//
//	1  first
const sheetVersion = 1

const (
	flagOff = 1 << iota
	flagUnread
)

// Encode returns the sheet in a form of its own: lengths, then numbers, those of days as differences.
func (s *Sheet) Encode() []byte {
	var flags byte
	if s.Off {
		flags |= flagOff
	}
	if s.Unread {
		flags |= flagUnread
	}
	b := []byte{sheetVersion, flags}
	number := func(n int64) { b = binary.AppendVarint(b, n) }
	text := func(t string) {
		number(int64(len(t)))
		b = append(b, t...)
	}
	number(int64(len(s.Zones)))
	for _, z := range s.Zones {
		text(z.Key)
		text(z.Value.Str)
	}
	number(int64(len(s.Plan.Goals)))
	for _, g := range s.Plan.Goals {
		number(int64(g.From))
		number(int64(g.Metric))
		number(int64(g.Want))
	}
	number(int64(len(s.Plan.Rest)))
	for _, d := range s.Plan.Rest {
		number(int64(d))
	}
	number(int64(len(s.Plan.Weekly)))
	for _, w := range s.Plan.Weekly {
		number(int64(w.From))
		number(int64(w.Days))
	}
	number(int64(len(s.Awards)))
	for _, a := range s.Awards {
		text(a.Badge)
		number(int64(a.Level))
		number(int64(a.Day))
	}
	number(int64(len(s.Met)))
	last := ranking.Day(0)
	for _, d := range s.Met {
		number(int64(d) - int64(last))
		last = d
	}
	number(int64(len(s.Days)))
	last = 0
	for i := range s.Days {
		t := &s.Days[i]
		number(int64(t.Day) - int64(last))
		last = t.Day
		n := 0
		for m := range t.Main {
			if t.Main[m]|t.Early[m]|t.Captured[m] != 0 {
				n++
			}
		}
		number(int64(n))
		for m := range t.Main {
			if t.Main[m]|t.Early[m]|t.Captured[m] != 0 {
				number(int64(m))
				number(int64(t.Main[m]))
				number(int64(t.Early[m]))
				number(int64(t.Captured[m]))
			}
		}
	}
	return b
}

var errSheet = errors.New("the sheet of a member cannot be read")

// DecodeSheet reads what Encode wrote; anything else is an error. It needs memory of at most 100 times the input.
func DecodeSheet(b []byte) (*Sheet, error) {
	if len(b) < 2 || b[0] != sheetVersion || b[1]&^(flagOff|flagUnread) != 0 {
		return nil, errSheet
	}
	s := &Sheet{Off: b[1]&flagOff != 0, Unread: b[1]&flagUnread != 0}
	b = b[2:]
	failed := false
	number := func(lo, hi int64) int64 {
		n, size := binary.Varint(b)
		if failed || size <= 0 || n < lo || n > hi {
			failed = true
			return lo
		}
		b = b[size:]
		return n
	}
	const most = 1 << 31
	many := func(least int) int { // things of at least so many bytes each
		if n := int(number(0, most)); !failed && n <= len(b)/least {
			return n
		}
		failed = true
		return 0
	}
	text := func() string {
		n := many(1)
		t := string(b[:n])
		b = b[n:]
		return t
	}
	day := func() ranking.Day { return ranking.Day(number(-most, most-1)) }
	metric := func() int { return int(number(0, ranking.MaxMetrics-1)) }
	for range many(2) {
		s.Zones = append(s.Zones, book.Field{Key: text(), Value: automerge.Value{Kind: automerge.KindString, Str: text()}})
	}
	for range many(3) {
		s.Plan.Goals = append(s.Plan.Goals, ranking.Commitment{From: day(), Metric: metric(), Want: int32(number(0, crdt.MaxGoal))})
	}
	for range many(1) {
		s.Plan.Rest = append(s.Plan.Rest, day())
	}
	for range many(2) {
		s.Plan.Weekly = append(s.Plan.Weekly, ranking.WeeklyRest{From: day(), Days: uint8(number(0, 127))})
	}
	for range many(3) {
		s.Awards = append(s.Awards, ranking.Award{Badge: text(), Level: int(number(1, ranking.MaxLevels)), Day: day()})
	}
	next := func(last ranking.Day, first bool) ranking.Day { // days ascend
		n := number(-most, 2*most)
		if d := int64(last) + n; !failed && d >= -most && d < most && (first || n > 0) {
			return ranking.Day(d)
		}
		failed = true
		return last
	}
	last := ranking.Day(0)
	for i := range many(1) {
		last = next(last, i == 0)
		s.Met = append(s.Met, last)
	}
	last = 0
	days := many(2)
	if days > 0 {
		s.Days = make([]ranking.Tally, 0, days)
	}
	for i := range days {
		last = next(last, i == 0)
		t := ranking.Tally{Day: last}
		for range many(4) {
			m := metric()
			t.Main[m], t.Early[m], t.Captured[m] = int32(number(0, most-1)), int32(number(0, most-1)), int32(number(0, most-1))
		}
		if failed {
			return nil, errSheet
		}
		s.Days = append(s.Days, t)
	}
	if failed || len(b) > 0 {
		return nil, errSheet
	}
	return s, nil
}
