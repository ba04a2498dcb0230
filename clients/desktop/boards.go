package desktop

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"trio/replica"
)

// words are a text in the languages of the company.
type words map[string]string

// in is the text in a language, or in English.
func (w words) in(lang string) string { return printable(cmp.Or(w[lang], w["en"])) }

// boardsView is what the server says of boards, as far as it is printed here.
type boardsView struct {
	Off, Hidden bool
	Me          int
	Metrics     []struct {
		Label, Capture words
	}
	Periods []struct{ Kind, From, To string }
	People  []string
	Boards  []struct {
		Scope          string
		Period, Metric int
		Of             int
		Rows           [][4]int64
		Me             *[4]int64
	}
	Recognised []struct {
		Person, Level, Count int
		Label                words
		Day                  string
	}
}

// teamView likewise is what it says of a team.
type teamView struct {
	Off    bool
	People []struct {
		Name             string
		Private, Waiting bool
		Weeks            []struct{ Met, Asked int }
		Goals            []struct {
			Label      words
			Want, Done int
		}
		Line words
	}
}

// look asks the server, keeps what it says, and reads what is kept into v. Without the server it is what it last said. It says
// how old that is, and false when there is nothing.
func (a *app) look(ctx context.Context, what string, v any) (bool, error) {
	var body json.RawMessage
	asked := a.server(ctx, http.MethodGet, "/v1/"+what, &body)
	if r, ok := errors.AsType[*refusal](asked); ok && r.status < 500 {
		return false, asked
	}
	if asked == nil {
		if err := a.Keep(ctx, what, fmt.Sprintf("%x", sha256.Sum256(body)), string(body)); err != nil {
			return false, err
		}
	}
	k, err := a.Kept(ctx, what)
	if err != nil {
		return false, err
	}
	if k.Body == "" {
		return false, cmp.Or(asked, errors.New("the server has said nothing yet"))
	}
	if asked != nil {
		a.say("the server is not reached: this is as of %s", k.At.Local().Format(time.DateTime))
	}
	if err := json.Unmarshal([]byte(k.Body), v); err != nil {
		return false, fmt.Errorf("what is kept of the server cannot be read: %w", err)
	}
	return true, nil
}

// Together writes how those stand whom the member sponsors, and of the boards the company's of this week, as the server at a sync
// address says to one of the member's devices.
func Together(ctx context.Context, out io.Writer, r *replica.Replica, url, token, lang string) error {
	a := &app{access: access{URL: url, Token: token}, Replica: r, out: out, lang: lang}
	if err := a.team(ctx); err != nil {
		return err
	}
	return a.boards(ctx, func(scope, period string) bool { return scope == "company" && period == "week" })
}

// boards prints the boards of this week and month, or those of them that are wanted, and who was recognised.
func (a *app) boards(ctx context.Context, wanted func(scope, period string) bool) error {
	var v boardsView
	if ok, err := a.look(ctx, replica.KeptBoards, &v); !ok {
		return err
	}
	if v.Off {
		a.say("your company shows no boards")
		return nil
	}
	name := func(i int64) string {
		if i < 0 || int(i) >= len(v.People) {
			return "?"
		}
		return printable(v.People[i])
	}
	any := false
	for _, b := range v.Boards {
		if b.Period >= len(v.Periods) || b.Metric >= len(v.Metrics) || b.Period < 0 || b.Metric < 0 || b.Period%2 == 1 { // the ones before are for screens
			continue
		}
		p, m := v.Periods[b.Period], v.Metrics[b.Metric]
		if len(b.Rows) == 0 || !wanted(b.Scope, p.Kind) { // on a screen one looks at a single board, here an empty one is in the way
			continue
		}
		any = true
		fmt.Fprintf(a.out, "\n%s · %s · %s (%s – %s)\n", strings.ToUpper(m.Label.in(a.lang)), a.word(b.Scope), a.word(p.Kind), printable(p.From), printable(p.To))
		row := func(r [4]int64, who string) {
			n, byHand := r[3], ""
			switch told := r[2] - r[3]; {
			case n == 0 && told > 0:
				n, byHand = told, "  "+a.word("noted by hand")
			case told > 0:
				byHand = "  " + fmt.Sprintf(a.word("+ %d noted by hand"), told)
			}
			fmt.Fprintf(a.out, "%4d  %-28s %8d%s\n", r[0], who, n, byHand)
		}
		seen := false
		for _, r := range b.Rows {
			who := name(r[1])
			if int(r[1]) == v.Me {
				who, seen = who+" ←", true
			}
			row(r, who)
		}
		if b.Me != nil && !seen && b.Me[0] > 0 {
			row(*b.Me, name(b.Me[1])+" ←")
		}
	}
	if !any {
		a.say("nobody is on a board yet: the first act of somebody puts them there")
	}
	if v.Hidden {
		a.say("you are on no board: only you see your numbers")
	}
	for i, g := range v.Recognised {
		if i == 0 {
			fmt.Fprintln(a.out)
			a.say("RECOGNISED in the last seven days")
		}
		fmt.Fprintf(a.out, "  %s  %-28s %s, %d\n", printable(g.Day), name(int64(g.Person)), g.Label.in(a.lang), g.Count)
	}
	return nil
}

// team prints how those stand whom the member sponsors.
func (a *app) team(ctx context.Context) error {
	var v teamView
	if ok, err := a.look(ctx, replica.KeptTeam, &v); !ok {
		return err
	}
	switch {
	case v.Off:
		a.say("your company shows no report of teams")
	case len(v.People) == 0:
		a.say("you sponsor nobody yet")
	}
	for _, p := range v.People {
		var weeks, goals []string
		for _, w := range p.Weeks {
			weeks = append(weeks, fmt.Sprintf("%d/%d", w.Met, w.Asked))
		}
		for _, g := range p.Goals {
			goals = append(goals, fmt.Sprintf("%s %d/%d", g.Label.in(a.lang), g.Done, g.Want))
		}
		who := fmt.Sprintf("%-28s", printable(p.Name))
		switch {
		case p.Private:
			a.say("%s keeps their numbers private", who)
		case p.Waiting:
			a.say("%s has synced nothing yet", who)
		default:
			fmt.Fprintf(a.out, "%s %s  %s\n", who, strings.Join(weeks, " "), strings.Join(goals, ", "))
		}
		if p.Line != nil {
			fmt.Fprintf(a.out, "  “%s”\n", p.Line.in(a.lang))
		}
	}
	return nil
}
