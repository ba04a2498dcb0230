package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/server/board"
	"trio/server/learn"
	"trio/server/store"
)

// newBoards are those of a server, on clock now: members are read gently.
func newBoards(st *store.SQLite, now func() time.Time) *board.Boards {
	return &board.Boards{Store: st, Now: now, Rest: learn.Gently(3)}
}

// keepBoards has the boards follow what members do, until ctx ends.
func keepBoards(ctx context.Context, b *board.Boards, c *config, log *slog.Logger) {
	if c.BoardsEvery <= 0 {
		return
	}
	b.Every(ctx, c.BoardsEvery, func(r board.Report, err error) {
		attrs := []any{"company", int64(r.Company), "members", r.Members, "read", r.Folded, "ms", r.Took.Milliseconds()}
		switch {
		case err != nil:
			log.Error("boards not kept", append(attrs, "err", err)...)
		case r.Unread > 0:
			log.Warn("boards lack members", append(attrs, "unread", r.Unread, "why", r.Why)...)
		default:
			log.Debug("boards kept", attrs...)
		}
	})
}

const boardAbout = `reads the members of a company who did something, as the server does every few minutes, and prints who did most in a
week and a month, and who was recognised in the last seven days. A day is one of the member's own calendar. The server may
run meanwhile. With --team, only that member and all below, and how the commitments of those stand whom the member sponsors.
`

// boards is trio board.
func boards(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio board", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: trio board COMPANY [--data DIR] [--config FILE] [--week 2026-W47] [--month 2026-11] [--team MEMBER] [--lang es] [--json]\n\n%s\n", boardAbout)
		fs.PrintDefaults()
	}
	data := fs.String("data", "", "`folder` of the server's data, unless that of the settings")
	file := fs.String("config", "", "`file` with the server's settings")
	lang := fs.String("lang", "en", "`language` of the words, as far as the playbook has it")
	asJSON := fs.Bool("json", false, "print one JSON object, as GET /v1/admin/boards answers")
	var ask board.Choice
	fs.Func("week", "`week` such as 2026-W47; this one by default", func(s string) (err error) { ask.Week, err = ranking.ParseWeek(s); return err })
	fs.Func("month", "`month` such as 2026-11; this one by default", func(s string) (err error) { ask.Month, err = ranking.ParseMonth(s); return err })
	fs.Func("team", "`id` of a member", func(s string) error { return ask.Team.UnmarshalText([]byte(s)) })
	list, err := parsed(fs, args, interleaved)
	if err != nil {
		return err
	}
	if len(list) != 1 {
		return &wrong{"name one company by its number", "trio admin companies lists them: trio board 1", 2}
	}
	n, err := strconv.ParseInt(list[0], 10, 64)
	if err != nil || n < 1 {
		return &wrong{fmt.Sprintf("%.40q is no company's number", list[0]), "trio admin companies lists them", 2}
	}
	c, err := adminSettings(*data, *file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, dbName)); errors.Is(err, os.ErrNotExist) {
		return &wrong{fmt.Sprintf("there is no server's data in %s", c.Data), "name the folder: trio board 1 --data DIR", 1}
	}
	st, err := openStore(ctx, c.Data, nil, true)
	if err != nil {
		return plainly(err, c.Data)
	}
	err = printBoards(ctx, os.Stdout, &board.Boards{Store: st.SQLite}, store.Tenant(n), ask, *lang, *asJSON)
	return plainly(errors.Join(err, st.Close()), c.Data)
}

func printBoards(ctx context.Context, w io.Writer, b *board.Boards, t store.Tenant, ask board.Choice, lang string, asJSON bool) error {
	r, err := b.Fold(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return &wrong{fmt.Sprintf("there is no company %d", t), "trio admin companies lists them", 2}
	}
	if err != nil {
		return err
	}
	v, err := b.Company(ctx, t, ask)
	if errors.Is(err, board.ErrMember) {
		return &wrong{fmt.Sprintf("member %s is not of company %d", ask.Team, t), fmt.Sprintf("trio admin members %d lists them", t), 2}
	}
	if err != nil {
		return err
	}
	var team *board.Team
	if ask.Team != (crdt.MemberID{}) {
		if team, err = b.Team(ctx, t, ask.Team); err != nil {
			return err
		}
	}
	if asJSON {
		return json.NewEncoder(w).Encode(struct {
			*board.View
			Team *board.Team `json:"team,omitempty"`
		}{v, team})
	}
	p := &boardPrinter{w: w, lang: lang}
	p.line("%s, %d read now", counted(r.Members, "member"), r.Folded)
	if r.Unread > 0 {
		p.line("%d of them could not be read; %s", r.Unread, r.Why)
	}
	p.view(v)
	if team != nil {
		p.team(team)
	}
	return p.err
}

type boardPrinter struct {
	w    io.Writer
	lang string
	err  error
}

func (p *boardPrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *boardPrinter) words(t map[string]string) string { return cmp.Or(t[p.lang], t["en"]) }

func (p *boardPrinter) view(v *board.View) {
	if v.Off {
		p.line("the company's playbook has boards switched off")
		return
	}
	for _, b := range v.Boards {
		m := &v.Metrics[b.Metric]
		p.line("\n%s %s to %s: most %s (%s)", strings.ToUpper(v.Periods[b.Period].Kind), v.Periods[b.Period].From, v.Periods[b.Period].To, p.words(m.Label), p.words(m.Capture))
		for _, row := range b.Rows {
			n, byHand := row[3], ""
			switch told := row[2] - row[3]; {
			case n == 0 && told > 0:
				n, byHand = told, "  noted by hand"
			case told > 0:
				byHand = fmt.Sprintf("  + %d noted by hand", told)
			}
			p.line("%4d  %-32s %8d%s", row[0], v.People[row[1]], n, byHand)
		}
		if len(b.Rows) == 0 {
			p.line("      nobody yet")
		}
	}
	if len(v.Recognised) > 0 {
		p.line("\nRECOGNISED in the last seven days")
	}
	for _, g := range v.Recognised {
		p.line("  %s  %-32s %s, level %d (%d)", g.Day, v.People[g.Person], p.words(g.Label), g.Level, g.Count)
	}
}

func (p *boardPrinter) team(t *board.Team) {
	if t.Off {
		p.line("\nthe company's playbook has reports to sponsors switched off")
		return
	}
	p.line("\nTEAM, goal days of the last weeks, the newest last")
	for i := range t.Rows {
		m := &t.Rows[i]
		var weeks, goals []string
		for _, w := range m.Weeks {
			weeks = append(weeks, fmt.Sprintf("%d/%d", w.Met, w.Asked))
		}
		for _, g := range m.Goals {
			goals = append(goals, fmt.Sprintf("%s %d of %d", p.words(g.Label), g.Done, g.Want))
		}
		switch {
		case m.Private:
			p.line("  %-32s keeps their numbers private", m.Name)
		case m.Waiting:
			p.line("  %-32s has synced nothing yet", m.Name)
		default:
			p.line("  %-32s %s  %s", m.Name, strings.Join(weeks, " "), strings.Join(goals, ", "))
		}
		if m.Line != nil {
			p.line("    “%s”", p.words(m.Line))
		}
	}
	if len(t.Rows) == 0 {
		p.line("  sponsors nobody")
	}
}
