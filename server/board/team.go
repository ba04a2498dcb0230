package board

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"trio/crdt"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/store"
)

// maxTeam bounds a report: so many of a direct team are in it.
const maxTeam = 100

// reportWeeks is how many weeks a report goes back, this one included.
const reportWeeks = 6

// Team is what a sponsor is shown of those whom he or she sponsors.
type Team struct {
	V     int        `json:"v"`
	Off   bool       `json:"off,omitempty"`  // the company has no such report
	More  bool       `json:"more,omitempty"` // there are more people than are in it
	Today string     `json:"today,omitempty"`
	Rows  []Teammate `json:"people"`
}

// Teammate is one of a direct team: what was committed to, and what became of it.
type Teammate struct {
	Name    string            `json:"name"`
	Private bool              `json:"private,omitempty"` // keeps the own numbers
	Waiting bool              `json:"waiting,omitempty"` // was not read yet
	Goals   []Commitment      `json:"goals,omitempty"`
	Weeks   []Week            `json:"weeks,omitempty"` // the last is this one
	Average int               `json:"average,omitempty"`
	Of      int               `json:"averageOf,omitempty"` // weeks that are averaged, whole ones; average is in tenths of goal days
	Streak  int32             `json:"streak,omitempty"`
	Today   bool              `json:"today,omitempty"`  // today is a goal day
	Line    map[string]string `json:"line,omitempty"`   // what a coach is told: only what the log proves
	Say     map[string]string `json:"say,omitempty"`    // … and the same as it is said to the member
	Badges  []Recognised      `json:"badges,omitempty"` // of the last days
	Cheer   string            `json:"cheer,omitempty"`  // why to cheer: badge, line, today; the strongest
}

// Commitment is what a member does of a metric a day, and how this week stands.
type Commitment struct {
	Metric   string            `json:"metric"`
	Label    map[string]string `json:"label"`
	Capture  map[string]string `json:"capture"`
	Daily    int32             `json:"daily"`
	Want     int32             `json:"want"` // this week so far
	Done     int32             `json:"done"`
	Captured int32             `json:"captured"`
}

// Week is a week of a member: goal days of those on which there was a goal.
type Week struct {
	Monday string `json:"monday"`
	Met    int8   `json:"met"`
	Asked  int8   `json:"asked"`
	Full   bool   `json:"full,omitempty"`
}

// Team returns the report on those whom a member sponsors; nobody's sponsor gets one without rows. ErrMember.
func (b *Boards) Team(ctx context.Context, t store.Tenant, m crdt.MemberID) (*Team, error) {
	c, now, err := b.open(ctx, t)
	if err != nil {
		return nil, err
	}
	me := c.of[m]
	doc, form := c.doc, c.form
	c.turn.Unlock()
	if me == nil {
		return nil, ErrMember
	}
	out := &Team{V: ViewVersion, Off: doc.Boards.TeamOff, Rows: []Teammate{}}
	if out.Off {
		return out, nil
	}
	list, err := b.Store.Sponsored(ctx, t, m, crdt.MemberID{}, maxTeam+1)
	if err != nil {
		return nil, err
	}
	if len(list) > maxTeam {
		list, out.More = list[:maxTeam], true
	}
	for i := range list {
		row := Teammate{Name: list[i].Name, Waiting: true}
		f, err := b.Store.FoldOf(ctx, list[i].ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil && f.Form == form {
			if s, err := DecodeSheet(f.Data); err == nil && !s.Unread {
				row = teammate(doc, &list[i], s, now)
			}
		}
		out.Rows = append(out.Rows, row)
	}
	slices.SortStableFunc(out.Rows, func(a, b Teammate) int {
		return cmp.Or(-compare(a.Cheer != "", b.Cheer != ""), compare(a.Private || a.Waiting, b.Private || b.Waiting), strings.Compare(a.Name, b.Name))
	})
	size := 1 << 10
	for i := range out.Rows {
		b, err := json.Marshal(&out.Rows[i])
		if err != nil {
			return nil, err
		}
		if size += len(b) + 1; size > maxAnswer {
			out.Rows, out.More = out.Rows[:i], true
			break
		}
	}
	return out, nil
}

// teammate computes a row as it stands now.
func teammate(doc *playbook.Doc, m *store.Member, s *Sheet, now int64) Teammate {
	r, row := doc.Goals, Teammate{Name: m.Name}
	if s.Off {
		row.Private = true
		return row
	}
	var at ranking.Moment
	at.Day, at.Minute = s.Home().At(now)
	h := s.Keeper(r).At(at)
	this := &h.Weeks[len(h.Weeks)-1]
	for _, x := range h.Ring {
		if x.Want == 0 {
			continue
		}
		metric := &r.Metrics[x.Metric]
		row.Goals = append(row.Goals, Commitment{
			Metric: metric.Name, Label: words(doc, metric.Label), Capture: capture(metric), Daily: x.Want,
			Want: this.Want[x.Metric], Done: this.Done[x.Metric], Captured: min(this.Captured[x.Metric], this.Done[x.Metric]),
		})
	}
	for _, w := range h.Weeks[max(0, len(h.Weeks)-reportWeeks):] {
		row.Weeks = append(row.Weeks, Week{Monday: w.Monday.String(), Met: w.Met, Asked: w.Asked, Full: w.Full})
	}
	row.Average, row.Of, row.Streak, row.Today = h.Average, h.AverageOf, h.Streak.Days, h.State == ranking.Met
	if h.Line.Code != ranking.NoLine {
		first, _, _ := strings.Cut(strings.TrimSpace(m.Name), " ")
		row.Line = map[string]string{"en": h.Line.ForCoach("en", first), "es": h.Line.ForCoach("es", first)}
		row.Say = map[string]string{"en": h.Line.Sentence("en"), "es": h.Line.Sentence("es")}
	}
	for _, a := range s.Awards {
		g, ok := r.Recognition(a)
		if !ok || a.Day <= at.Day-recentDays || a.Day > at.Day {
			continue
		}
		b, _ := r.Badge(a.Badge)
		if measure, err := b.Measure.MarshalText(); err == nil {
			row.Badges = append(row.Badges, Recognised{Badge: a.Badge, Label: words(doc, b.Label), Measure: string(measure), Level: a.Level, Count: g.Count, Day: a.Day.String()})
		}
	}
	switch {
	case len(row.Badges) > 0:
		row.Cheer = "badge"
	case row.Line != nil:
		row.Cheer = "line"
	case row.Today:
		row.Cheer = "today"
	}
	return row
}
