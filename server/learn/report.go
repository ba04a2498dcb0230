package learn

import (
	"fmt"
	"io"
	"log/slog"
	"slices"

	"trio/crdt"
	"trio/crdt/book"
	"trio/ranking"
	"trio/server/fit"
	"trio/server/store"
)

// Outcome says what became of a night.
type Outcome string

// Outcomes.
const (
	Published  Outcome = "published"
	DryRun     Outcome = "dry-run"     // it would have been published
	NothingNew Outcome = "nothing-new" // nothing moved by more than chance
	TooLittle  Outcome = "too-little"  // to learn from
	Worse      Outcome = "worse"       // the gate kept it back
	Refused    Outcome = "refused"     // the candidate is no playbook
	Overtaken  Outcome = "overtaken"   // another version was published meanwhile
	Done       Outcome = "done"        // another process has done it tonight
	NoPlaybook Outcome = "no-playbook" // the company has none
	Failed     Outcome = "failed"      // the store could not be read or written
)

// Outcomes are all that there are.
var Outcomes = []Outcome{Published, DryRun, NothingNew, TooLittle, Worse, Refused, Overtaken, Done, NoPlaybook, Failed}

// Report is what a night found and what became of it.
type Report struct {
	Company store.Tenant `json:"company"`
	Name    string       `json:"name"`
	Until   string       `json:"until"` // the last day that was looked at (UTC)
	Outcome Outcome      `json:"outcome"`
	Why     string       `json:"why"`               // a sentence
	Warning string       `json:"warning,omitempty"` // a sentence about what is odd
	Stack   string       `json:"-"`                 // where it failed, if by a panic
	Version uint32       `json:"version,omitempty"` // that was published
	Written uint32       `json:"written,omitempty"` // the newest version that people wrote
	Newest  uint32       `json:"newest,omitempty"`  // the newest version when the night began

	Members      int `json:"members"` // that were read
	Contacts     int `json:"contacts"`
	Acts         int `json:"acts"` // on suggestions of the playbook, whose windows are over
	ActMembers   int `json:"act_members"`
	ActsKept     int `json:"acts_kept"` // fewer than Acts when a sample was taken
	Controls     int `json:"controls"`
	Customers    int `json:"customers"`
	OrderMembers int `json:"order_members"` // with customers who came back

	// On the acts of the last 14 days.
	GateActs int     `json:"gate_acts"`
	LossOld  float64 `json:"loss_old"`
	LossNew  float64 `json:"loss_new"`

	// On who ordered in the last windows that are over.
	GateOrders   int     `json:"gate_orders"` // customers on days
	OrderLossOld float64 `json:"order_loss_old"`
	OrderLossNew float64 `json:"order_loss_new"`
	OrdersKept   bool    `json:"orders_kept"` // the old model of orders stays, as the fitted one does worse

	Moves  int        `json:"moves"` // numbers that are not the same
	Moved  []fit.Move `json:"moved"` // the furthest
	Unread []Unread   `json:"unread"`
	// More documents than are named were not read.
	UnreadCount int `json:"unread_count"`

	// What a success is worth by the company's orders; nil where the playbook has no margin, or too little is known.
	Earned   *fit.Earned `json:"earned,omitempty"`
	Margin   int64       `json:"margin_percent,omitempty"`
	Currency string      `json:"currency,omitempty"` // of the orders that were taken; "": none was named
	Values   []Value     `json:"values,omitempty"`   // that are not as people wrote them, or were not

	ReadSeconds float64 `json:"read_seconds"`
	Seconds     float64 `json:"seconds"` // in all
}

// Value is what a success of a trigger is worth, in cents.
type Value struct {
	Trigger string `json:"trigger"`
	Written int64  `json:"written"` // by people
	Was     int64  `json:"was"`     // in the version before
	Is      int64  `json:"is"`
}

// mostMoved bounds how many moves a report names.
const mostMoved = 10

func report(c store.Company) *Report {
	return &Report{Company: c.ID, Name: c.Name, Moved: []fit.Move{}, Unread: []Unread{}}
}

func (r *Report) end(o Outcome, why string) *Report {
	r.Outcome, r.Why = o, why
	return r
}

func (r *Report) gathered(g *gathered) {
	r.Members, r.Contacts = g.members, g.contacts
	r.Acts, r.ActsKept, r.Controls, r.Customers = g.acts.seen, len(g.acts.all), g.controls.seen, g.customers.seen
	r.ActMembers = len(told(g.acts.all, func(t *fit.Tuple) crdt.MemberID { return crdt.MemberID(t.Member) }))
	again := map[crdt.MemberID]bool{}
	for i := range g.customers.all {
		if c := &g.customers.all[i]; len(c.days) > 1 {
			again[c.member] = true
		}
	}
	r.OrderMembers = len(again)
	r.Unread, r.UnreadCount = append(r.Unread, g.unread...), g.unreadN
}

func (r *Report) gatedOrders(g *fit.OrderGate) {
	r.GateOrders, r.OrderLossOld, r.OrderLossNew, r.OrdersKept = g.Customers, g.Was, g.Is, g.Kept
}

// whyOrders says why the old model of orders stays.
func (r *Report) whyOrders() string {
	return fmt.Sprintf("the model of orders stays as it was: on who ordered lately the fitted one's log-loss is %.4f, the old one's %.4f", r.OrderLossNew, r.OrderLossOld)
}

func (r *Report) butOrders() string {
	if !r.OrdersKept {
		return ""
	}
	return "; " + r.whyOrders()
}

func (r *Report) moved(moves []fit.Move) {
	r.Moves, r.Moved = len(moves), append(r.Moved, moves[:min(len(moves), mostMoved)]...)
}

func (r *Report) earned(e *fit.Earned, in book.Currency, margin int64) {
	r.Earned, r.Currency, r.Margin = e, in.String(), margin
}

// values notes what a success of each trigger is worth in a candidate.
func (r *Report) values(written, old, pb *ranking.Playbook) {
	for t := range ranking.NumTriggers {
		v := Value{t.String(), written.Rules[t].Value, old.Rules[t].Value, pb.Rules[t].Value}
		if pb.Rules[t].Stages != 0 && (v.Was != v.Is || v.Written != v.Is) {
			r.Values = append(r.Values, v)
		}
	}
}

// writeEarned says what orders say, and how far the values are by now.
func (r *Report) writeEarned(p *printer) {
	if r.Margin == 0 {
		return
	}
	e := r.Earned
	if e == nil {
		p.say("  what a success is worth stays: customers whose orders have an amount are known of fewer than %d members\n", fit.FewestMembers)
		return
	}
	in := ""
	if r.Currency != "" {
		in = " " + r.Currency
	}
	p.say("  what a success is worth, by orders of %s: an order is %s%s, of which %d %% are margin\n", count(e.Buyers, "customer"), money(e.Order), in, r.Margin)
	for s, known := range e.Known {
		if known && s > 0 {
			p.say("    a %s is worth %s: the first year brings %s\n", ranking.Stage(s), money(e.Stage[s]), money(e.Year[s]))
		}
	}
	if e.Known[ranking.Customer] && e.People[ranking.Prospect] > 0 {
		p.say("    of 100 prospects %.1f are customers within a year", 100*e.Chance[ranking.Prospect][ranking.Customer])
		if e.Reach > 0 {
			p.say("; of 100 who took a step %.1f within 90 days", 100*e.Reach)
		}
		p.say("\n")
	}
	for _, v := range r.Values {
		p.say("    %s: %s, was %s, people wrote %s\n", v.Trigger, money(float64(v.Is)), money(float64(v.Was)), money(float64(v.Written)))
	}
}

// money writes cents.
func money(cents float64) string { return fmt.Sprintf("%.2f", cents/100) }

func contains(list []store.Tenant, t store.Tenant) bool { return slices.Contains(list, t) }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// LogValue is the report in a line of the log: numbers and no names.
func (r *Report) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.Int64("company", int64(r.Company)), slog.String("outcome", string(r.Outcome)), slog.String("why", r.Why), slog.Uint64("version", uint64(r.Version)),
		slog.Int("members", r.Members), slog.Int("acts", r.Acts), slog.Int("controls", r.Controls), slog.Int("customers", r.Customers),
		slog.Int("unread", r.UnreadCount), slog.Float64("seconds", r.Seconds),
	}
	if r.Warning != "" {
		attrs = append(attrs, slog.String("warning", r.Warning))
	}
	if r.Stack != "" {
		attrs = append(attrs, slog.String("stack", r.Stack))
	}
	return slog.GroupValue(attrs...)
}

// Write writes the report in plain words.
func (r *Report) Write(w io.Writer) error {
	p := &printer{w: w}
	p.say("Company %d, %s: %s\n", r.Company, r.Name, r.Outcome)
	p.say("  %s\n", r.Why)
	if r.Warning != "" {
		p.say("  warning: %s\n", r.Warning)
	}
	if r.Newest == 0 {
		return p.err
	}
	p.say("  from version %d, on top of version %d, which people wrote; up to %s\n", r.Newest, r.Written, r.Until)
	p.say("  read: %s with %s, in %.1f s of %.1f s\n", count(r.Members, "member"), count(r.Contacts, "contact"), r.ReadSeconds, r.Seconds)
	kept := ""
	if r.ActsKept < r.Acts {
		kept = fmt.Sprintf(", a fair sample of %d", r.ActsKept)
	}
	p.say("  learnt from: %s of %s%s; %s; orders of %s\n",
		count(r.Acts, "act"), count(r.ActMembers, "member"), kept, count(r.Controls, "silent week"), count(r.Customers, "customer"))
	if r.GateActs > 0 {
		p.say("  log-loss on the %s of the last 14 days: %.4f, was %.4f\n", count(r.GateActs, "act"), r.LossNew, r.LossOld)
	}
	if r.GateOrders > 0 {
		p.say("  log-loss of orders in the last windows, %s in all: %.4f, was %.4f\n", count(r.GateOrders, "customer"), r.OrderLossNew, r.OrderLossOld)
	}
	r.writeEarned(p)
	if r.Moves > 0 {
		p.say("  %s moved, each step of a staircase counted; most of all:\n", count(r.Moves, "number"))
	}
	for _, m := range r.Moved {
		p.say("    %s: from %d to %d\n", m.What, m.From, m.To)
	}
	if r.UnreadCount > 0 {
		p.say("  left out, as it could not be read: %s\n", count(r.UnreadCount, "document"))
	}
	for _, u := range r.Unread {
		doc := "all documents"
		if u.Doc != "" {
			doc = string(u.Doc)
		}
		p.say("    member %s, %s: %s\n", u.Member, doc, u.Why)
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) say(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
