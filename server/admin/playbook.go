package admin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"trio/ranking/playbook"
	"trio/server/fit"
	"trio/server/ops"
	"trio/server/store"
)

// Playbook is what is known of a published playbook.
type Playbook struct {
	Version   uint32    `json:"version"`
	Hash      string    `json:"hash"`   // SHA-256 of the document, in hex
	Fitted    uint32    `json:"fitted"` // the version by people that its numbers were fitted to; 0: people wrote it
	By        string    `json:"by"`
	Published time.Time `json:"published"`
	Bytes     int       `json:"bytes"`
}

func playbookView(p store.Playbook) Playbook {
	return Playbook{
		Version: p.Version, Hash: hex.EncodeToString(p.Hash[:]), Fitted: p.Fitted, By: p.By, Published: p.Published, Bytes: p.Size,
	}
}

// Document is a published playbook with what was published, byte for byte.
type Document struct {
	Playbook
	Learnt uint32 `json:"learnt,omitempty"` // the newest version, when this is what people wrote and that adds learnt numbers
	Doc    []byte `json:"-"`
}

// ServeHTTP answers with the document itself: what is read here can be changed and published.
func (d Document) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("ETag", `"`+d.Hash+`"`)
	w.Header().Set("X-Playbook-Version", strconv.FormatUint(uint64(d.Version), 10))
	if d.Learnt > 0 {
		w.Header().Set("X-Playbook-Learnt", strconv.FormatUint(uint64(d.Learnt), 10))
	}
	w.Write(d.Doc) //nolint:errcheck // the caller left
}

// BadPlaybook is all that is wrong with a document that was to be published.
type BadPlaybook struct {
	Refusal  Error
	Problems playbook.Problems
}

func (e *BadPlaybook) Error() string { return e.Refusal.Message }

// Unwrap is the error without the problems one by one.
func (e *BadPlaybook) Unwrap() error { return &e.Refusal }

func badPlaybook(ps playbook.Problems) error {
	what := ps[0].String()
	if len(ps) > 1 {
		what += fmt.Sprintf(" (and %d more)", len(ps)-1)
	}
	return &BadPlaybook{Error{http.StatusBadRequest, "playbook", "the playbook is not published: " + what, "mend it and publish again; nothing was changed"}, ps}
}

func (e *BadPlaybook) answer(w http.ResponseWriter, r *http.Request) {
	type problem struct {
		Line   int    `json:"line"`
		Column int    `json:"column"`
		Field  string `json:"field"`
		Reason string `json:"reason"`
		Remedy string `json:"remedy"`
	}
	list := make([]problem, len(e.Problems))
	for i, p := range e.Problems {
		list[i] = problem{p.Line, p.Column, p.Path, p.Reason, p.Remedy}
	}
	ops.Answer(w, e.Refusal.Status, map[string]any{"error": map[string]any{
		"code": e.Refusal.Code, "message": e.Refusal.Message, "hint": e.Refusal.Hint, "request": ops.RequestID(r.Context()), "problems": list,
	}})
}

// Publishing says how a playbook is published.
type Publishing struct {
	After *uint32 // only if the newest, or the newest that people wrote, has still this version, 0 for none; nil: whichever it is
	Force bool    // also when contents that the log knows by number are others, numbers are learnt ones, or nothing is changed
}

// Published is what became of a publishing.
type Published struct {
	Playbook
	// Carried is the version after it, which adds what was learnt on top of the one before; nil: nothing was learnt, or NotCarried.
	Carried    *Playbook `json:"carried,omitempty"`
	NotCarried string    `json:"not_carried,omitempty"` // why what was learnt is left to the next night
	// Unchanged: the newest that people wrote, which stands above, says the same, and nothing was published.
	Unchanged bool               `json:"unchanged,omitempty"`
	Warnings  []playbook.Warning `json:"warnings,omitempty"` // what is worth a second look in the document
}

func (p Published) made() any {
	if p.Unchanged {
		return "nothing"
	}
	return p.Version
}

// ServeHTTP answers 201, or 200 when nothing is new.
func (p Published) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	status := http.StatusCreated
	if p.Unchanged {
		status = http.StatusOK
	}
	ops.Answer(w, status, p)
}

// name is who asked, for people.
func (c Caller) name() string {
	if c.operator {
		return "operator"
	}
	return fmt.Sprintf("key %d", c.key)
}

func aboutPlaybook(t store.Tenant, version uint32) string {
	if version == 0 {
		return fmt.Sprintf("playbook of company %d", t)
	}
	return fmt.Sprintf("playbook %d of company %d", version, t)
}

// PublishPlaybook makes a document the company's playbook. It gets the next version, whatever the document says, and counts
// as written by people. When the newest is one that was fitted, the version after it is the same document with what was learnt, so that
// devices lose nothing of it; that this one fails is no error, as the next night makes up for it.
func (s *Service) PublishPlaybook(ctx context.Context, by Caller, t store.Tenant, b []byte, how Publishing) (Published, error) {
	if err := by.may(store.ScopePlaybook); err != nil {
		return Published{}, err
	}
	if !by.sees(t) {
		return Published{}, notFound(aboutCompany(t))
	}
	doc, err := playbook.Parse(b)
	if ps, ok := errors.AsType[playbook.Problems](err); ok && len(ps) > 0 {
		return Published{}, badPlaybook(ps)
	}
	if err != nil {
		return Published{}, err
	}
	heads, err := s.store.PlaybookHeads(ctx, []store.Tenant{t})
	if err != nil {
		return Published{}, err
	}
	head, ok := heads[t]
	if !ok {
		return Published{}, notFound(aboutCompany(t))
	}
	at, err := s.standing(ctx, t, head.Version)
	if err != nil {
		return Published{}, mended(err, aboutPlaybook(t, head.Version))
	}
	if how.After != nil && *how.After != head.Version && (at.version == 0 || *how.After != at.version) {
		return Published{}, overtaken(head.Version)
	}
	if doc.Fitted > 0 && !how.Force {
		return Published{}, &Error{
			http.StatusConflict, "learnt", fmt.Sprintf("the document's numbers were learnt, on top of version %d: as written ones, all that is learnt later would be held to them", doc.Fitted),
			"begin with what people wrote (trio playbook show, GET /v1/admin/playbook): what was learnt is carried over; or force it",
		}
	}
	if at.newest != nil && !how.Force { // one of a newer build is not compared
		if w := moved(at.newest, doc); len(w) > 0 {
			return Published{}, &Error{http.StatusConflict, "contents", w.err().Error(), "put them back into their places; or force it, and what was learnt of one is told of another"}
		}
	}
	if at.latest != nil && doc.Fitted == 0 && !how.Force {
		same := *doc
		same.Version = at.version
		if same.Hash() == at.latest.Hash() {
			p, err := s.store.PlaybookOf(ctx, t, at.version)
			return Published{Playbook: playbookView(p), Unchanged: true, Warnings: doc.Warnings()}, mended(err, aboutPlaybook(t, at.version))
		}
	}
	carries := doc.Fitted == 0 && at.written != nil && at.newest.Fitted > 0
	// Entries that were logged by what a build brings have that one's version.
	doc.Version, doc.Fitted = max(head.Taken, playbook.Default().Version)+1, 0
	if doc.Version == 0 {
		return Published{}, errors.New("all versions of the company's playbook are used up")
	}
	p, err := s.putOut(ctx, t, doc, by.name(), head.Version)
	if errors.Is(err, store.ErrOvertaken) {
		return Published{}, overtaken(0)
	}
	if err != nil {
		return Published{}, mended(err, aboutCompany(t))
	}
	done := Published{Playbook: playbookView(p), Warnings: doc.Warnings()}
	if carries {
		s.carryOver(ctx, t, &at, doc, &done)
	}
	return done, nil
}

// putOut has the store publish a document after a version. A device that took the document's version keeps nobody from
// publishing: it gets the next one.
func (s *Service) putOut(ctx context.Context, t store.Tenant, doc *playbook.Doc, by string, after uint32) (store.Playbook, error) {
	for {
		out := doc.Encode()
		p, err := s.store.PublishPlaybook(ctx, store.Playbook{
			Tenant: t, Version: doc.Version, Fitted: doc.Fitted, Hash: sha256.Sum256(out), By: by, Doc: out,
		}, after)
		if !errors.Is(err, store.ErrTaken) {
			return p, err
		}
		heads, err := s.store.PlaybookHeads(ctx, []store.Tenant{t})
		if err != nil {
			return store.Playbook{}, err
		}
		if doc.Version = heads[t].Taken + 1; doc.Version == 0 {
			return store.Playbook{}, errors.New("all versions of the company's playbook are used up")
		}
	}
}

// standing is what devices go by before something is published. A document that this build cannot read is nil.
type standing struct {
	newest  *playbook.Doc
	written *playbook.Doc // that the newest was fitted to; the newest itself when people wrote that
	latest  *playbook.Doc // the newest that people wrote: written, but for one that came in between
	version uint32        // of that
}

// standing reads where a company stands whose newest playbook has a version, 0 for none.
func (s *Service) standing(ctx context.Context, t store.Tenant, newest uint32) (at standing, err error) {
	read := func(version uint32) (*playbook.Doc, uint32, error) {
		p, err := s.store.PlaybookOf(ctx, t, version)
		if err != nil {
			return nil, 0, err
		}
		d, err := playbook.Parse(p.Doc)
		if err != nil { //nolint:nilerr // it is of a newer build
			d = nil
		}
		return d, p.Fitted, nil
	}
	if newest == 0 {
		return at, nil
	}
	var base uint32
	if at.newest, base, err = read(newest); err != nil {
		return at, err
	}
	if at.written, at.latest, at.version = at.newest, at.newest, newest; base == 0 {
		return at, nil
	}
	at.latest = nil
	if at.version, err = store.NewestWritten(ctx, s.store, t, newest); err == nil {
		at.latest, _, err = read(at.version)
	}
	if at.written = at.latest; err == nil && base != at.version {
		at.written, _, err = read(base)
	}
	if errors.Is(err, store.ErrNotFound) { // it stands above what is not here
		at.written, err = nil, nil
	}
	if at.newest == nil {
		at.written = nil
	}
	return at, err
}

// carrier is who publishes what was carried over, for people.
const carrier = "carried over"

// carryOver publishes what was learnt on top of the playbook before as the version after one that was just published.
func (s *Service) carryOver(ctx context.Context, t store.Tenant, at *standing, written *playbook.Doc, done *Published) {
	sum := fit.Carry(at.written.Ranking, at.newest.Ranking, written.Ranking)
	if len(fit.Moves(written.Ranking, sum)) == 0 {
		return
	}
	next := *written
	next.Version, next.Fitted, next.Ranking = written.Version+1, written.Version, sum
	doc, err := playbook.Parse(next.Encode())
	if err != nil {
		done.NotCarried = fmt.Sprintf("what was learnt does not go with it: %v; the next night learns anew", err)
		return
	}
	p, err := s.putOut(ctx, t, doc, carrier, written.Version)
	if errors.Is(err, store.ErrOvertaken) {
		done.NotCarried = "another playbook was published meanwhile: the next night goes on from that"
		return
	}
	if err != nil {
		done.NotCarried = "what was learnt could not be stored: the next night learns anew"
		return
	}
	v := playbookView(p)
	done.Carried = &v
}

// overtaken refuses who did not know the newest playbook.
func overtaken(newest uint32) error {
	what := "another playbook was published meanwhile"
	if newest > 0 {
		what += fmt.Sprintf(": version %d", newest)
	}
	return &Error{http.StatusConflict, "overtaken", what + "; nothing was changed", "look at it, bring into yours what is to stay, and publish again"}
}

// moved says what of a playbook is not in its place in the next one, by which the log and stored sums know it: contents,
// the moments of a company's own, metrics.
func moved(old, now *playbook.Doc) (w wrong) {
	for _, d := range playbook.Diff(old, now) {
		own := strings.HasPrefix(d.Path, "triggers.own") && strings.Contains(d.Path, ".label.")
		metric := strings.HasPrefix(d.Path, "goals.metrics.") && strings.HasPrefix(d.Old, "place ")
		if d.Warning != "" && (strings.Contains(d.Path, ".contents[") || own || metric) {
			w.add(d.Path, "%s", d.Warning)
		}
	}
	return w
}

// PlaybookOf returns a published playbook: a version, or for 0 the newest that people wrote, so that what they change and publish has
// no learnt numbers in it, or with learnt the newest of all.
func (s *Service) PlaybookOf(ctx context.Context, by Caller, t store.Tenant, version uint32, learnt bool) (Document, error) {
	if !by.sees(t) {
		return Document{}, notFound(aboutCompany(t))
	}
	if _, err := s.store.TenantByID(ctx, t); err != nil {
		return Document{}, mended(err, aboutCompany(t))
	}
	p, err := s.store.PlaybookOf(ctx, t, version)
	if errors.Is(err, store.ErrNotFound) {
		if version > 0 {
			return Document{}, &Error{http.StatusNotFound, "not-found", fmt.Sprintf("playbook %d was not published here", version), "the history has the versions that were"}
		}
		return Document{}, &Error{http.StatusNotFound, "not-found", "no playbook was published yet: devices go by the one that they come with", "publish one"}
	}
	if err != nil || version > 0 || learnt || p.Fitted == 0 {
		return Document{Playbook: playbookView(p), Doc: p.Doc}, err
	}
	newest := p.Version
	if version, err = store.NewestWritten(ctx, s.store, t, newest); err == nil {
		p, err = s.store.PlaybookOf(ctx, t, version)
	}
	return Document{playbookView(p), newest, p.Doc}, mended(err, aboutPlaybook(t, version))
}

// Playbooks returns what a company has published, the newest first; Page.After is the version to go on behind.
func (s *Service) Playbooks(ctx context.Context, by Caller, t store.Tenant, p Page) (List[Playbook], error) {
	if !by.sees(t) {
		return List[Playbook]{}, notFound(aboutCompany(t))
	}
	limit, err := p.limit()
	if err != nil {
		return List[Playbook]{}, err
	}
	before, err := p.number()
	if err == nil && before > math.MaxUint32 {
		err = badPage("after", fmt.Sprintf("%.40q is not one of the list", p.After))
	}
	if err != nil {
		return List[Playbook]{}, err
	}
	all, err := s.store.PlaybookHistory(ctx, t, uint32(before), limit+1)
	if err != nil {
		return List[Playbook]{}, mended(err, aboutCompany(t))
	}
	return cut(all, limit, playbookView, func(p store.Playbook) string { return strconv.FormatUint(uint64(p.Version), 10) }), nil
}

// PlaybookAhead returns the highest version that devices may hold although it was not published here, as after the
// database was put back from a backup; 0 for none. The next one that is published stands above it.
func (s *Service) PlaybookAhead(ctx context.Context, by Caller, t store.Tenant) (uint32, error) {
	if !by.sees(t) {
		return 0, notFound(aboutCompany(t))
	}
	heads, err := s.store.PlaybookHeads(ctx, []store.Tenant{t})
	if h := heads[t]; err == nil && h.Taken > h.Version {
		return h.Taken, nil
	}
	return 0, err
}

func (s *Service) getPlaybook(c *call) (any, error) {
	version := 0
	if v := c.parameter("version"); v != "" {
		version = c.digits("version", v, 1, math.MaxInt32)
	}
	learnt := c.truth("learnt")
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.PlaybookOf(c.Context(), c.by, c.by.tenant, uint32(version), learnt)
}

func (s *Service) getPlaybooks(c *call) (any, error) {
	p := c.page()
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.Playbooks(c.Context(), c.by, c.by.tenant, p)
}

func (s *Service) postPlaybook(c *call) (any, error) {
	var how Publishing
	if v := c.parameter("after"); v != "" {
		after := uint32(c.digits("after", v, 0, math.MaxInt32))
		how.After = &after
	}
	how.Force = c.truth("force")
	if err := c.done(); err != nil {
		return nil, err
	}
	return s.PublishPlaybook(c.Context(), c.by, c.by.tenant, c.body, how)
}
