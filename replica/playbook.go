package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
)

// maxWhy bounds what is said of a playbook that cannot be read, in bytes.
const maxWhy = 300

// held is the playbook that a replica goes by, and what it holds beside it. It is replaced as a whole after a commit.
type held struct {
	doc   *playbook.Doc
	id    wire.PlaybookID // zero: none of the company's has come
	since time.Time       // when it came; zero likewise
	kept  wire.PlaybookID // of a newer one, which this build cannot read; zero: there is none
	why   string          // … and why
}

// newest names the highest version that is here, readable or not: it need not come again.
func (h *held) newest() wire.PlaybookID {
	if h.kept.Version > h.id.Version {
		return h.kept
	}
	return h.id
}

// PlaybookStatus says by which playbook a replica goes.
type PlaybookStatus struct {
	Version uint32 // 0: the company's has not come yet, or it has none; what the build brought is used
	Name    string
	Brand   string    // the company's name for the app; "": ours
	Since   time.Time // when it came; zero with Version
	Newer   uint32    // a newer one is here, which this build cannot read: the app is to be updated; 0: none
	Why     string    // … and why it cannot
}

func (h *held) status() PlaybookStatus {
	return PlaybookStatus{
		Version: h.id.Version, Name: h.doc.Name, Brand: h.doc.Brand.Name, Since: h.since, Newer: h.kept.Version, Why: h.why,
	}
}

// Playbook returns the company's playbook as it is used now, or what the build brought before the company's own has come.
// It is to be read alone, and is another one after the next has come (see Watch).
func (r *Replica) Playbook() *playbook.Doc { return r.held.Load().doc }

// builtIn is what is used as long as nothing of the company's is here.
func (r *Replica) builtIn() *held {
	if r.first != nil {
		return &held{doc: r.first}
	}
	return &held{doc: playbook.Default()}
}

// readPlaybook reads what was published.
func readPlaybook(p *wire.Playbook) (*playbook.Doc, error) {
	doc, err := playbook.Parse(p.Doc)
	if err == nil && doc.Version != p.Version {
		err = fmt.Errorf("it says that it is version %d", doc.Version)
	}
	return doc, err
}

// whyNot is an error as a status shows it.
func whyNot(err error) string {
	return strings.ToValidUTF8(err.Error()[:min(len(err.Error()), maxWhy)], "")
}

// loadPlaybook takes up the newest playbook that is here and can be read. One whose bytes are damaged does not count: it
// comes again.
func (r *Replica) loadPlaybook(ctx context.Context) error {
	rows, err := r.conn.QueryContext(ctx, `SELECT frame, at FROM playbooks ORDER BY version DESC`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var h held
	for rows.Next() && h.doc == nil {
		var frame []byte
		var at int64
		if err := rows.Scan(&frame, &at); err != nil {
			return err
		}
		f, err := wire.Decode(frame)
		p, ok := f.(*wire.Playbook)
		if err != nil || !ok {
			continue
		}
		switch doc, err := readPlaybook(p); {
		case err == nil:
			h.doc, h.id, h.since = doc, p.ID(), time.UnixMilli(at)
		case h.kept.Version == 0:
			h.kept, h.why = p.ID(), whyNot(err)
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if h.doc == nil {
		h.doc = r.builtIn().doc
	}
	r.held.Store(&h)
	r.habits.Lock()
	r.habits.rules, r.habits.keeper = h.doc.Goals, ranking.NewKeeper(h.doc.Goals)
	r.habits.Unlock()
	return nil
}

// takePlaybook stores a playbook that came and goes by it from now on, unless there is a newer one here already. One that
// this build cannot read is kept for a build that can, and the old one goes on. The one before is kept too: an older build
// that is put back, and cannot read the newest, goes by it. frame is the frame that f was read from.
func (r *Replica) takePlaybook(ctx context.Context, f *wire.Playbook, frame []byte) error {
	id := f.ID()
	known := func() bool {
		n := r.held.Load().newest()
		return id.Version < n.Version || id == n
	}
	if known() {
		return nil
	}
	doc, bad := readPlaybook(f)
	return r.update(ctx, func(t *tx) error {
		if known() {
			return nil
		}
		h := *r.held.Load()
		switch {
		case bad == nil:
			h = held{doc: doc, id: id, since: time.UnixMilli(t.now)}
		case id.Version == h.id.Version:
			return nil // what is used is not given up for it
		default:
			h.kept, h.why = id, whyNot(bad)
		}
		err := errors.Join(
			t.exec(`DELETE FROM playbooks WHERE version=?1 OR version NOT IN (?2, ?3) AND version <
				(SELECT max(version) FROM playbooks WHERE version < ?2)`, int64(id.Version), int64(h.id.Version), int64(h.kept.Version)),
			t.exec(`INSERT INTO playbooks(version, frame, at) VALUES(?,?,?)`, int64(id.Version), frame, t.now),
		)
		if err != nil {
			return err
		}
		return t.goBy(&h)
	})
}

// goBy has the replica go by a playbook once this transaction is committed. Goals are counted anew where its rules count
// in another way.
func (t *tx) goBy(h *held) error {
	t.held = h
	was := t.rules()
	if h.doc.Goals == was {
		return nil
	}
	t.goals.rules, t.goals.replan = h.doc.Goals, true // metrics may have other numbers
	if form := goalForm(h.doc.Goals); form != goalForm(was) {
		t.goals.all = true
		return t.exec(`UPDATE meta SET value=? WHERE key='goals'`, form)
	}
	t.goals.reset = true
	return t.loadTallies(func(x ranking.Tally) { t.goals.tallies = append(t.goals.tallies, x) })
}

// rules are the rules for goals that this transaction counts by.
func (t *tx) rules() *ranking.GoalRules {
	if t.goals.rules != nil {
		return t.goals.rules
	}
	return t.r.habits.rules // only transactions change it
}
