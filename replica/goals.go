package replica

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/book"
	"trio/ranking"
	"trio/replica/sql"
)

// habits is what goals need in memory: the sums of each day (some 200 bytes a day, copies of the table goal_days), and
// the acts of the newest days, so that a tap does not read its day again.
type habits struct {
	sync.Mutex
	rules  *ranking.GoalRules
	keeper *ranking.Keeper
	plan   ranking.Plan
	acts   map[ranking.Day][]ranking.Act
}

// cachedDays is how many days' acts stay in memory: today, and yesterday's stragglers.
const cachedDays = 3

// goalWork is what a transaction does to goals.
type goalWork struct {
	all    bool // everything has to be counted again
	replan bool // the profile was written
	days   map[ranking.Day]bool
	acts   map[crdt.EntryID]*ranking.Act // that were written; nil: are not there any more
	firsts map[crdt.ContactID]firstTouch // as they were before

	// for the commit
	reset   bool
	rules   *ranking.GoalRules // to count by from now on; nil: as before
	plan    *ranking.Plan
	tallies []ranking.Tally
	cache   map[ranking.Day][]ranking.Act // nil: not to be kept
}

type firstTouch struct {
	id  crdt.EntryID // zero: none
	day ranking.Day
}

// put takes over what a committed transaction counted.
func (h *habits) put(w *goalWork) {
	h.Lock()
	defer h.Unlock()
	if w.rules != nil {
		h.rules = w.rules
	}
	if w.plan != nil {
		h.plan = *w.plan
	}
	if w.reset {
		h.keeper, h.acts = ranking.NewKeeper(h.rules), nil
	}
	if w.reset || w.plan != nil {
		h.keeper.SetPlan(h.plan)
	}
	for _, t := range w.tallies {
		h.keeper.Put(t)
	}
	if h.acts == nil {
		h.acts = map[ranking.Day][]ranking.Act{}
	}
	for d, acts := range w.cache {
		if h.acts[d] = acts; len(acts) == 0 {
			delete(h.acts, d)
		}
	}
	days := sortedKeys(h.acts)
	for _, d := range days[:max(0, len(days)-cachedDays)] {
		delete(h.acts, d)
	}
}

// goalForm names how days are summed; sums made in another way are made anew.
func goalForm(r *ranking.GoalRules) string {
	return fmt.Sprintf("2:%x", sha256.Sum256(r.Counting()))
}

// ensureGoals reads the sums of days into memory, through the commit of this transaction, and makes them anew when other rules or
// another build made them.
func (t *tx) ensureGoals() error {
	form, want := "", goalForm(t.rules())
	if _, err := t.one([]any{&form}, `SELECT value FROM meta WHERE key='goals'`); err != nil {
		return err
	}
	t.goals.replan = true
	if form != want {
		var n int64
		if _, err := t.one([]any{&n}, `SELECT count(*) FROM documents WHERE max_op>0`); err != nil {
			return err
		}
		if n > 0 {
			if err := t.rebuild(); err != nil {
				return err
			}
		}
		return t.exec(`INSERT INTO meta VALUES('goals',?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, want)
	}
	return t.loadTallies(func(x ranking.Tally) { t.goals.tallies = append(t.goals.tallies, x) })
}

func (t *tx) loadTallies(f func(ranking.Tally)) error {
	return t.query(func(rows *sql.Rows) error {
		var x ranking.Tally
		var b []byte
		if err := rows.Scan(&x.Day, &b); err != nil {
			return err
		}
		if !decodeTally(&x, b) {
			return fmt.Errorf("the sums of %s cannot be read", x.Day)
		}
		f(x)
		return nil
	}, `SELECT day, tally FROM goal_days ORDER BY day`)
}

// A tally on disk: for each metric with anything, its number and its three sums.
func encodeTally(t *ranking.Tally) []byte {
	b := []byte{}
	for m := range t.Main {
		if t.Main[m]|t.Early[m]|t.Captured[m] == 0 {
			continue
		}
		b = append(b, byte(m))
		for _, n := range [...]int32{t.Main[m], t.Early[m], t.Captured[m]} {
			b = binary.AppendUvarint(b, uint64(uint32(n)))
		}
	}
	return b
}

func decodeTally(t *ranking.Tally, b []byte) bool {
	for len(b) > 0 {
		m := b[0]
		if int(m) >= len(t.Main) {
			return false
		}
		b = b[1:]
		for _, dst := range [...]*int32{&t.Main[m], &t.Early[m], &t.Captured[m]} {
			x, n := binary.Uvarint(b)
			if n <= 0 || x > 1<<30 {
				return false
			}
			*dst, b = int32(x), b[n:]
		}
	}
	return true
}

// touchKinds are the kinds for which crdt.Kind.IsTouch holds, as SQL.
const touchKinds = `('call','text','email','meet','ask')`

// leaveGoals notes what changes when the row of an entry is written again or goes. It runs before that.
func (t *tx) leaveGoals(id crdt.EntryID) error {
	var kind crdt.Kind
	var contact []byte
	var day ranking.Day
	if _, err := t.one([]any{&kind, &contact, &day}, `SELECT kind, contact, day FROM entries WHERE id=?`, id[:]); err != nil {
		return err
	}
	switch kind {
	case crdt.Void:
		var about []byte
		found, err := t.one([]any{&about}, `SELECT about FROM voids WHERE entry=?`, id[:])
		if err == nil && found {
			_, err = t.recount(crdt.EntryID(about))
		}
		return errors.Join(err, t.exec(`DELETE FROM voids WHERE entry=?`, id[:]))
	case crdt.Award:
		return t.exec(`DELETE FROM awards WHERE entry=?`, id[:])
	}
	if t.goals.all {
		return nil
	}
	t.goals.note(day, false)
	t.goals.acts[id] = nil
	if kind.IsTouch() && contact != nil {
		return t.noteFirst(crdt.ContactID(contact))
	}
	return nil
}

// enterGoals notes what an entry changes. It runs before its row is written. Of a correction it returns the contact of the
// entry that did not happen.
func (t *tx) enterGoals(id crdt.EntryID, e *crdt.Entry) (about crdt.ContactID, err error) {
	switch e.Kind {
	case crdt.Void:
		if about, err = t.recount(e.About); err != nil {
			return about, err
		}
		return about, t.exec(`INSERT INTO voids(about, entry) VALUES(?,?) ON CONFLICT DO NOTHING`, e.About[:], id[:])
	case crdt.Award:
		day, err := ranking.ParseDay(e.Due)
		if err != nil || e.Value == nil {
			return about, nil
		}
		return about, t.exec(`INSERT INTO awards(entry, badge, level, day) VALUES(?,?,?,?)
			ON CONFLICT(entry) DO UPDATE SET badge=excluded.badge, level=excluded.level, day=excluded.day`, id[:], e.Content, e.Value.Count, day)
	}
	if t.goals.all {
		return about, nil
	}
	a := t.home.Act(id, e)
	t.goals.note(a.Day, false)
	t.goals.acts[id] = &a
	var slip int
	if found, err := t.one([]any{&slip}, `SELECT 1 FROM voids WHERE about=? LIMIT 1`, id[:]); err != nil || found {
		t.goals.acts[id] = nil
		return about, err
	}
	if a.Touch {
		return about, t.noteFirst(e.Contact)
	}
	return about, nil
}

// recount has the day of an entry read again, as it turns into a slip or ceases to be one. It returns the entry's contact.
func (t *tx) recount(id crdt.EntryID) (c crdt.ContactID, err error) {
	var contact []byte
	var day ranking.Day
	found, err := t.one([]any{&contact, &day}, `SELECT contact, day FROM entries WHERE id=?`, id[:])
	copy(c[:], contact)
	if err != nil || !found || t.goals.all {
		return c, err
	}
	t.goals.note(day, true)
	if c.IsZero() {
		return c, nil
	}
	return c, t.noteFirst(c)
}

func (w *goalWork) note(d ranking.Day, read bool) {
	if w.days == nil {
		w.days, w.acts, w.firsts = map[ranking.Day]bool{}, map[crdt.EntryID]*ranking.Act{}, map[crdt.ContactID]firstTouch{}
	}
	w.days[d] = w.days[d] || read
}

// noteFirst remembers a contact's first touch as it is before this transaction changes it.
func (t *tx) noteFirst(c crdt.ContactID) error {
	if _, ok := t.goals.firsts[c]; ok {
		return nil
	}
	f, err := t.firstTouch(c)
	t.goals.firsts[c] = f
	return err
}

func (t *tx) firstTouch(c crdt.ContactID) (f firstTouch, err error) {
	var id []byte
	_, err = t.one([]any{&id, &f.day}, `SELECT id, day FROM entries WHERE contact=? AND kind IN `+touchKinds+`
		AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id) ORDER BY at, id LIMIT 1`, c[:])
	copy(f.id[:], id)
	return f, err
}

// projectGoals brings the sums of the days concerned up to what the log says: those of entries that were written, and
// those on which a contact's first touch was, or is now.
func (t *tx) projectGoals() error {
	w := &t.goals
	if w.replan {
		w.replan = false
		if err := t.loadPlan(); err != nil {
			return err
		}
	}
	if w.all {
		w.all = false
		return t.countAll()
	}
	now := map[ranking.ContactID]ranking.ActID{}
	for _, c := range sortedKeysFunc(w.firsts, book.CompareContacts) {
		was := w.firsts[c]
		is, err := t.firstTouch(c)
		if err != nil {
			return err
		}
		now[ranking.ContactID(c)] = ranking.ActID(is.id)
		for _, f := range [...]firstTouch{was, is} {
			if was.id != is.id && f.id != (crdt.EntryID{}) {
				w.note(f.day, false)
			}
		}
	}
	for _, d := range sortedKeys(w.days) {
		acts, err := t.actsOf(d, w.days[d], now)
		if err != nil {
			return err
		}
		if w.cache == nil {
			w.cache = map[ranking.Day][]ranking.Act{}
		}
		if today := t.day(t.now + t.skew); d < today-1 || d > today+1 {
			w.cache[d] = nil // what memory has of it is not true any more
		} else {
			w.cache[d] = acts
		}
		if err := t.saveTally(t.rules().TallyDay(d, acts)); err != nil {
			return err
		}
	}
	w.days, w.acts, w.firsts = nil, nil, nil
	return nil
}

func (t *tx) saveTally(x ranking.Tally) error {
	t.goals.tallies = append(t.goals.tallies, x)
	if x.Zero() {
		return t.exec(`DELETE FROM goal_days WHERE day=?`, x.Day)
	}
	return t.exec(`INSERT INTO goal_days(day, tally) VALUES(?,?) ON CONFLICT(day) DO UPDATE SET tally=excluded.tally`, x.Day, encodeTally(&x))
}

// actsOf returns the acts of a day: those in memory with what this transaction wrote, else those on disk.
func (t *tx) actsOf(d ranking.Day, read bool, firsts map[ranking.ContactID]ranking.ActID) ([]ranking.Act, error) {
	w := &t.goals
	old, cached := w.cache[d]
	if cached && old == nil {
		return t.readActs(d)
	}
	if !cached {
		t.r.habits.Lock()
		old, cached = t.r.habits.acts[d]
		cached = cached && !w.reset
		t.r.habits.Unlock()
	}
	if read || !cached {
		return t.readActs(d)
	}
	acts := make([]ranking.Act, 0, len(old)+len(w.acts))
	for _, a := range old {
		if _, written := w.acts[crdt.EntryID(a.ID)]; !written {
			acts = append(acts, a)
		}
	}
	for _, a := range w.acts {
		if a != nil && a.Day == d {
			acts = append(acts, *a)
		}
	}
	for i := range acts {
		if first, known := firsts[acts[i].Contact]; known && acts[i].Touch {
			acts[i].First = acts[i].ID == first
		}
	}
	return acts, nil
}

func (t *tx) readActs(d ranking.Day) (acts []ranking.Act, err error) {
	err = t.query(func(rows *sql.Rows) error {
		var id []byte
		var body string
		var first sql.NullBool
		if err := rows.Scan(&id, &body, &first); err != nil {
			return err
		}
		e, err := crdt.ParseEntry(body)
		if err != nil {
			return err // it was readable when it was projected
		}
		a := t.home.Act(crdt.EntryID(id), &e)
		a.First = a.Touch && first.Bool
		acts = append(acts, a)
		return nil
	}, `SELECT id, body, kind IN `+touchKinds+` AND id=(SELECT f.id FROM entries f WHERE f.contact=e.contact AND f.kind IN `+touchKinds+`
			AND NOT EXISTS (SELECT 1 FROM voids WHERE about=f.id) ORDER BY f.at, f.id LIMIT 1)
		FROM entries e WHERE day=? AND kind NOT IN ('void','award','nudge') AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id)`, d)
	return acts, err
}

// countAll sums all days anew, in one pass.
func (t *tx) countAll() error {
	w := &t.goals
	w.reset, w.tallies, w.cache, w.days, w.acts, w.firsts = true, nil, nil, nil, nil, nil
	touched := map[ranking.ContactID]bool{}
	var day []ranking.Act
	var all []ranking.Tally
	flush := func() {
		slices.SortFunc(day, func(a, b ranking.Act) int { // days ascend with time, so this is the order of the whole log
			return cmp.Or(cmp.Compare(a.At, b.At), slices.Compare(a.ID[:], b.ID[:]))
		})
		for i := range day {
			if a := &day[i]; a.Touch {
				a.First = !touched[a.Contact]
				touched[a.Contact] = true
			}
		}
		if len(day) > 0 {
			all = append(all, t.rules().TallyDay(day[0].Day, day))
		}
		day = day[:0]
	}
	err := t.query(func(rows *sql.Rows) error {
		var id []byte
		var body string
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		e, err := crdt.ParseEntry(body)
		if err != nil {
			return err
		}
		a := t.home.Act(crdt.EntryID(id), &e)
		if len(day) > 0 && day[0].Day != a.Day {
			flush()
		}
		day = append(day, a)
		return nil
	}, `SELECT id, body FROM entries e WHERE kind NOT IN ('void','award','nudge') AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY day`)
	flush()
	if err == nil {
		err = t.exec(`DELETE FROM goal_days`)
	}
	for _, x := range all {
		if err == nil && !x.Zero() {
			err = t.saveTally(x)
		}
	}
	return err
}

// loadPlan reads what the member committed to.
func (t *tx) loadPlan() error {
	var fields []book.Field
	err := t.query(func(rows *sql.Rows) error {
		var f book.Field
		if err := rows.Scan(&f.Key, &f.Value.Kind, &f.Value.Num); err != nil {
			return err
		}
		if n := len(fields); n > 0 && fields[n-1].Key == f.Key { // of several values of a key the last wins
			fields = fields[:n-1]
		}
		fields = append(fields, f)
		return nil
	}, `SELECT key, kind, num FROM registers g JOIN documents d ON d.id=g.doc JOIN actors a ON a.id=g.actor WHERE d.name=?
		AND (key>='goal/' AND key<'goal0' OR key>='rest/' AND key<'rest0' OR key>='weekly/' AND key<'weekly0')
		ORDER BY key, ctr, a.actor`, string(crdt.ProfileDoc))
	p := book.NewPlan(t.rules(), fields)
	t.goals.plan = &p
	return err
}

// Goal is one dimension of today's goals.
type Goal struct {
	Dimension crdt.Dimension
	Want      int64 // what the member committed to; 0: nothing
	Done      int64
}

// GoalsToday returns the four dimensions and others that the member committed to, with what the log holds for today.
func (r *Replica) GoalsToday(ctx context.Context) ([]Goal, error) {
	h, err := r.Habit(ctx)
	if err != nil {
		return nil, err
	}
	var goals []Goal
	for _, x := range h.Ring {
		goals = append(goals, Goal{Dimension: crdt.Dimension(h.Rules.Metrics[x.Metric].Name), Want: int64(x.Want), Done: int64(x.Done)})
	}
	return goals, nil
}

// Habit is all that screens show of goals, with the rules that it was computed by.
type Habit struct {
	ranking.Habit
	Rules *ranking.GoalRules
	Held  []ranking.Award // all that the log proves and all that were given, by day; use this, not Awards
}

// Habit says how the member's goals stand now. It is the same on every device with the same changes.
func (r *Replica) Habit(ctx context.Context) (Habit, error) {
	recorded, err := queryRows(ctx, r, func(rows *sql.Rows) (a ranking.Award, err error) {
		err = rows.Scan(&a.Badge, &a.Level, &a.Day)
		return a, err
	}, `SELECT badge, level, day FROM awards WHERE NOT EXISTS (SELECT 1 FROM voids WHERE about=awards.entry)`)
	if err != nil {
		return Habit{}, err
	}
	now := r.moment()
	r.habits.Lock()
	h := Habit{Habit: r.habits.keeper.At(now), Rules: r.habits.rules}
	r.habits.Unlock()
	h.Held = slices.Clone(h.Awards)
	for _, a := range recorded {
		if !slices.ContainsFunc(h.Held, func(o ranking.Award) bool { return o.Badge == a.Badge && o.Level == a.Level }) {
			h.Held = append(h.Held, a)
		}
	}
	slices.SortStableFunc(h.Held, func(a, b ranking.Award) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Badge, b.Badge), cmp.Compare(a.Level, b.Level))
	})
	return h, nil
}

// GiveAwards records in the log what it proves and nobody has recorded yet, and returns it: what a screen celebrates,
// once, on the device that comes to it first. Two devices that do it at the same time write one entry.
func (r *Replica) GiveAwards(ctx context.Context) ([]ranking.Award, error) {
	now := r.moment()
	r.habits.Lock()
	proved := r.habits.keeper.At(now).Awards
	r.habits.Unlock()
	var missing []ranking.Award
	for _, a := range proved { // mostly none: no transaction then
		id := crdt.SourceEntryID(r.member, a.Key())
		var n int
		if err := r.queryRow(ctx, []any{&n}, `SELECT count(*) FROM entries WHERE id=?`, id[:]); err != nil {
			return nil, err
		}
		if n == 0 {
			missing = append(missing, a)
		}
	}
	if len(missing) == 0 {
		return nil, nil
	}
	var given []ranking.Award
	err := r.update(ctx, func(t *tx) error {
		for _, a := range missing {
			id := crdt.SourceEntryID(r.member, a.Key())
			var n int
			if _, err := t.one([]any{&n}, `SELECT count(*) FROM entries WHERE id=?`, id[:]); err != nil {
				return err
			}
			// All of the entry follows from the award, so that two devices write the same.
			at := int64(a.Day)*86_400_000 + 12*3_600_000
			if n > 0 || !crdt.ValidTime(at) {
				continue
			}
			err := t.log(id, crdt.Entry{
				Kind: crdt.Award, At: at, Evidence: crdt.E2, Content: a.Badge, Due: a.Day.String(), Value: &crdt.Amount{Count: int64(a.Level)},
			})
			if err != nil {
				return err
			}
			given = append(given, a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return given, nil
}

// takeable are the kinds of what a member logged by hand, a suggestion that was declined among them. What others did, and
// what the app wrote, is not a slip.
var takeable = []crdt.Kind{
	crdt.Call, crdt.Text, crdt.Email, crdt.Meet, crdt.Share, crdt.Learn, crdt.Present, crdt.Ask, crdt.Promise, crdt.Result, crdt.Suggestion,
}

// LastOwn returns the newest entry that this device wrote by hand within a day, and that can be taken back; false when there
// is none. That a suggestion was taken belongs to its touch.
func (r *Replica) LastOwn(ctx context.Context) (Logged, bool, error) {
	kinds := make([]string, len(takeable))
	for i, k := range takeable {
		kinds[i] = "'" + string(k) + "'"
	}
	now := r.now().UnixMilli() + r.committed.Load().skew
	all, err := queryRows(ctx, r, scanLogged, `SELECT e.id, e.day, e.body FROM entries e JOIN actors a ON a.id=e.actor
		WHERE e.kind IN (`+strings.Join(kinds, ",")+`) AND e.day>=? AND e.at>? AND substr(a.actor, 1, 16)=?
			AND NOT EXISTS (SELECT 1 FROM voids WHERE about=e.id) ORDER BY e.at DESC, e.id DESC`, r.Today()-2, now-24*3_600_000, r.device[:])
	if err != nil {
		return Logged{}, false, err
	}
	for _, l := range all {
		if l.Choice == "" || l.Choice == crdt.Skipped || l.Choice == crdt.Dismissed {
			return l, true, nil
		}
	}
	return Logged{}, false, nil
}

// takenWith returns the entry which says that the touch followed a suggestion; zero when it followed none.
func (t *tx) takenWith(touch crdt.EntryID) (taken crdt.EntryID, err error) {
	var body string
	if _, err := t.one([]any{&body}, `SELECT body FROM entries WHERE id=?`, touch[:]); err != nil {
		return taken, err
	}
	e, err := crdt.ParseEntry(body)
	if err != nil || !e.Kind.IsTouch() || e.Trigger == "" {
		return taken, err
	}
	err = t.query(func(rows *sql.Rows) error {
		var id []byte
		if err := rows.Scan(&id, &body); err != nil {
			return err
		}
		s, err := crdt.ParseEntry(body)
		if err == nil && s.Choice == crdt.Taken && s.Trigger == e.Trigger {
			taken = crdt.EntryID(id)
		}
		return err
	}, `SELECT id, body FROM entries WHERE contact=? AND at=? AND kind='suggestion' AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id)`,
		e.Contact[:], e.Time().UnixMilli())
	return taken, err
}

// MayTakeBack reports whether an entry of a kind is one that the member logged, and may declare a slip.
func MayTakeBack(k crdt.Kind) bool { return slices.Contains(takeable, k) }

// TakeBack declares an entry a slip: it did not happen, and counts for nothing here and on all devices. Badges that the
// log does not prove without it are taken back with it, and so is that a suggestion was taken.
func (r *Replica) TakeBack(ctx context.Context, id crdt.EntryID) error {
	now := r.moment()
	return r.update(ctx, func(t *tx) error {
		var kind crdt.Kind
		var contact []byte
		found, err := t.one([]any{&kind, &contact}, `SELECT kind, contact FROM entries WHERE id=?`, id[:])
		switch {
		case err != nil:
			return err
		case !found:
			return fmt.Errorf("entry %s is not in the log", id)
		case !MayTakeBack(kind):
			return fmt.Errorf("an entry of kind %q cannot be taken back: only what was logged by hand can", kind)
		}
		t.r.habits.Lock()
		before := t.r.habits.keeper.At(now).Awards
		plan := t.r.habits.plan
		t.r.habits.Unlock()
		void := crdt.Entry{Kind: crdt.Void, About: id, Evidence: crdt.E1}
		copy(void.Contact[:], contact)
		taken, err := t.takenWith(id)
		if err == nil {
			err = t.log(crdt.NewEntryID(), void)
		}
		if err == nil && taken != (crdt.EntryID{}) {
			void.About = taken
			err = t.log(crdt.NewEntryID(), void)
		}
		if err != nil {
			return err
		}
		if err := t.project(); err != nil {
			return err
		}
		k := ranking.NewKeeper(t.rules())
		k.SetPlan(plan)
		if err := t.loadTallies(k.Put); err != nil {
			return err
		}
		after := k.At(now).Awards
		for _, a := range before {
			if slices.ContainsFunc(after, func(o ranking.Award) bool { return o.Badge == a.Badge && o.Level == a.Level }) {
				continue
			}
			award := crdt.SourceEntryID(r.member, a.Key())
			var n int
			if _, err := t.one([]any{&n}, `SELECT count(*) FROM awards WHERE entry=?`, award[:]); err != nil {
				return err
			}
			if n > 0 {
				if err := t.log(crdt.NewEntryID(), crdt.Entry{Kind: crdt.Void, About: award, Evidence: crdt.E1}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Commit commits the member to n a day of a dimension, from today on; 0 ends it. Where today is met already, and would not be
// with it, it counts from tomorrow on: what was done stays done. What was to begin later is replaced by it.
func (r *Replica) Commit(ctx context.Context, d crdt.Dimension, n int64) error {
	_, err := r.CommitFrom(ctx, d, n)
	return err
}

// CommitFrom is Commit, and says from which day on it counts: today or tomorrow.
func (r *Replica) CommitFrom(ctx context.Context, d crdt.Dimension, n int64) (from ranking.Day, err error) {
	err = r.update(ctx, func(t *tx) error {
		m, ok := t.rules().Metric(string(d))
		if !ok {
			var names []string
			for _, m := range t.rules().Metrics {
				names = append(names, m.Name)
			}
			return fmt.Errorf("goal %.40q is not one that the company tracks: want one of %s", string(d), strings.Join(names, ", "))
		}
		if err := crdt.CheckProfileField(crdt.GoalKey(d, r.Today().String()), &automerge.Value{Kind: automerge.KindInt, Num: n}); err != nil {
			return err
		}
		var now ranking.Moment
		now.Day, now.Minute = t.home.At(t.now + t.skew)
		t.r.habits.Lock()
		plan := t.r.habits.plan
		before := t.r.habits.keeper.At(now).State
		t.r.habits.Unlock()
		from = now.Day
		plan.Goals = slices.DeleteFunc(slices.Clone(plan.Goals), func(c ranking.Commitment) bool { return c.Metric == m && c.From == from })
		plan.Goals = append(plan.Goals, ranking.Commitment{From: from, Metric: m, Want: int32(n)})
		plan.Sort()
		if before == ranking.Met {
			k := ranking.NewKeeper(t.rules())
			k.SetPlan(plan)
			if err := t.loadTallies(k.Put); err != nil {
				return err
			}
			if k.At(now).State != ranking.Met {
				from++
			}
		}
		for _, c := range plan.Goals {
			if c.Metric == m && c.From > from {
				if err := t.del(crdt.ProfileDoc, crdt.GoalKey(d, c.From.String())); err != nil {
					return err
				}
			}
		}
		return t.put(crdt.ProfileDoc, crdt.GoalKey(d, from.String()), automerge.Value{Kind: automerge.KindInt, Num: n})
	})
	return from, err
}

// SetRest makes a date (YYYY-MM-DD) a rest day, or a day like others.
func (r *Replica) SetRest(ctx context.Context, date string, rest bool) error {
	if !rest {
		return r.setProfile(ctx, crdt.RestKey(date), nil)
	}
	return r.setProfile(ctx, crdt.RestKey(date), &automerge.Value{Kind: automerge.KindTrue})
}

// SetWeeklyRest makes days of the week rest days from today on, instead of those before; no days end it.
func (r *Replica) SetWeeklyRest(ctx context.Context, days ...time.Weekday) error {
	bits := int64(0)
	for _, d := range days {
		bits |= 1 << ((d + 6) % 7)
	}
	return r.setProfile(ctx, crdt.WeeklyRestKey(r.Today().String()), &automerge.Value{Kind: automerge.KindInt, Num: bits})
}

// MoveHome makes a time zone the member's home. The first one is home from the beginning; a later one from tomorrow on,
// so that no day that was, and not today either, becomes another.
func (r *Replica) MoveHome(ctx context.Context, zone string) error {
	first, err := r.Profile(ctx, crdt.ProfileZone)
	if err != nil {
		return err
	}
	if first == "" {
		return r.SetProfile(ctx, crdt.ProfileZone, zone)
	}
	if zone == r.HomeZone() {
		return nil
	}
	return r.SetProfile(ctx, crdt.ZoneKey((r.Today() + 1).String()), zone)
}

// HomeZone returns the name of the newest home zone, also when it begins tomorrow.
func (r *Replica) HomeZone() string {
	c := r.committed.Load().home
	return c[len(c)-1].Zone.String()
}

// Nudge returns the reminder to give now; false when there is none: one is given at most once a day, on all devices
// together, and only when there is something to do. Say so by Nudged when it was shown.
func (r *Replica) Nudge(ctx context.Context) (ranking.Nudge, bool, error) {
	h, err := r.Habit(ctx)
	if err != nil || h.State != ranking.Open {
		return ranking.Nudge{}, false, err
	}
	id := crdt.SourceEntryID(r.member, "nudge:"+h.Now.Day.String())
	var given int
	if err := r.queryRow(ctx, []any{&given}, `SELECT count(*) FROM entries WHERE id=?`, id[:]); err != nil {
		return ranking.Nudge{}, false, err
	}
	fresh, known, err := r.suggested(ctx)
	if err != nil {
		return ranking.Nudge{}, false, err
	}
	var contacts [ranking.MaxMetrics]int
	for m := range h.Rules.Metrics {
		switch h.Rules.Metrics[m].Which {
		case ranking.NewOnly:
			contacts[m] = fresh
		case ranking.FollowUpsOnly:
			contacts[m] = known
		default:
			contacts[m] = fresh + known
		}
	}
	n, ok := h.Rules.Nudge(&h.Habit, given > 0, contacts)
	return n, ok, nil
}

// suggested counts who is suggested now: people who were never touched, and others.
func (r *Replica) suggested(ctx context.Context) (fresh, known int, err error) {
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := r.TopThree(ctx, l, "")
		if err != nil {
			return 0, 0, err
		}
		for _, s := range top {
			var n int
			err := r.queryRow(ctx, []any{&n}, `SELECT EXISTS (SELECT 1 FROM entries WHERE contact=? AND kind IN `+touchKinds+`
				AND NOT EXISTS (SELECT 1 FROM voids WHERE about=entries.id))`, s.Contact[:])
			if err != nil {
				return 0, 0, err
			}
			known += n
			fresh += 1 - n
		}
	}
	return fresh, known, nil
}

// Nudged logs that a nudge was shown, whatever playbook came since.
func (r *Replica) Nudged(ctx context.Context, n ranking.Nudge) error {
	if n.Key == "" || n.Metric == "" {
		return errors.New("this is no nudge: it names no day, or nothing to do")
	}
	return r.update(ctx, func(t *tx) error {
		return t.log(crdt.SourceEntryID(r.member, n.Key), crdt.Entry{Kind: crdt.Nudge, Content: n.Metric, Evidence: crdt.E1})
	})
}
