package playbook

import (
	"slices"
	"strings"
	"testing"

	"trio/ranking"
)

func TestDiffSaysWhatChangesAndWarnsOfWhatTheLogKnows(t *testing.T) {
	text := Default().Encode()
	base := func() *Doc {
		d, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.Ranking.Rules {
			for j := range d.Ranking.Rules[i].Contents {
				c := &d.Ranking.Rules[i].Contents[j]
				c.Write = both("wording "+number(int64(j)), "palabras "+number(int64(j)))
			}
		}
		return d
	}
	refill := func(d *Doc) *ranking.Rule { return &d.Ranking.Rules[ranking.RefillDue] }
	for _, c := range []struct {
		name          string
		edit          func(*Doc)
		path          string
		old, now      string
		warning       string
		more, numbers int // further differences, and how many of all are fitted numbers
	}{
		{"nothing", func(*Doc) {}, "", "", "", "", 0, 0},
		{"a number", func(d *Doc) { refill(d).Rest = 15 }, "triggers.refill_due.rest_days", "14", "15", "", 0, 0},
		{"a number that was none", func(d *Doc) { refill(d).Deadline = 9 }, "triggers.refill_due.deadline_days", "", "9", "", 0, 0},
		{"a fitted number", func(d *Doc) { refill(d).Base = 900 }, "triggers.refill_due.log_odds.base", "1000", "900", "", 0, 1},
		{"a text", func(d *Doc) { d.Pieces[0].Title[1].Text = "Otro" }, "pieces.why-it-works.title.es", "Qué lleva y por qué", "Otro", "", 0, 0},
		{"a mode", func(d *Doc) { refill(d).Automate = true }, "triggers.refill_due.mode", "suggest", "automate", "", 0, 0},
		{"off", func(d *Doc) { refill(d).Stages = 0 }, "triggers.refill_due.mode", "suggest", "off", "", 1, 0},
		{"a time", func(d *Doc) { d.Goals.NudgeFrom = 18 * 60 }, "goals.nudge_from", "17:00", "18:00", "", 0, 0},
		{"a new piece", func(d *Doc) {
			d.Pieces = append(d.Pieces, Piece{Name: "new", Title: both("A new one", "Una nueva"), URL: "https://x.example/"})
		}, "pieces.new", "", "A new one", "", 0, 0},
		{"boards", func(d *Doc) { d.Boards.Off, d.Boards.Places = true, 5 }, "boards", "", "off true; places 5; names first_and_initial", "", 0, 0},
		{"a logo", func(d *Doc) { d.Brand.Name, d.Brand.Logo = "Sol", "<svg>"+strings.Repeat("<g></g>", 100)+"</svg>" }, "brand", "", "name Sol; logo <svg><g></g><g></g><g></g><g></g><g></g>…", "", 0, 0},
		{"no parameters for links", func(d *Doc) { d.Sharing = Sharing{} }, "sharing", "sharer ref; share share", "", "", 0, 0},
		{"a margin", func(d *Doc) { d.Ranking.Margin = 100 }, "worth.margin_percent", "", "100", "", 0, 0},
		{"a step between others", func(d *Doc) {
			d.Newcomer.Steps = slices.Insert(d.Newcomer.Steps, 9, Step{Day: 16, Title: both("Rest", "Descansa"), Words: both("Today.", "Hoy.")})
		}, "newcomer.steps.day 16", "", "Rest", "", 0, 0},
		{"another wording", func(d *Doc) { refill(d).Contents[1].Write[0].Text = "better" }, "triggers.refill_due.contents[1].write.en", "wording 1", "better", "", 0, 0},
		{"a new wording", func(d *Doc) {
			refill(d).Contents = append(refill(d).Contents, ranking.Content{Channels: allWays, Write: both("more", "más")})
		}, "triggers.refill_due.contents[2]", "", "more", "", 0, 0},

		{"a wording less", func(d *Doc) { refill(d).Contents = refill(d).Contents[:1] }, "triggers.refill_due.contents[1]", "wording 1", "", "by their place", 0, 0},
		{"wordings in another order", func(d *Doc) { slices.Reverse(refill(d).Contents) }, "triggers.refill_due.contents[0]", "wording 0", "wording 1", "another order", 9, 0},
		{"a metric less", func(d *Doc) { d.Goals.Metrics = d.Goals.Metrics[:9] }, "goals.metrics.event", "people met at an event", "", "committed to this metric", 0, 0},
		{"a metric renamed", func(d *Doc) { d.Goals.Metrics[9].Name = "fair" }, "goals.metrics.event", "people met at an event", "", "committed to this metric", 1, 0},
		{"metrics in another order", func(d *Doc) { slices.Reverse(d.Goals.Metrics[7:9]) }, "goals.metrics.texts", "place 8", "place 9", "by their place", 1, 0},
		{"a metric that counts otherwise", func(d *Doc) { d.Goals.Metrics[0].Which = ranking.AllActs }, "goals.metrics.outreach.which", "new", "all", "streaks", 0, 0},
		{"skips", func(d *Doc) { d.Goals.SkipsPerWeek = 1 }, "goals.skips_a_week", "2", "1", "streaks", 0, 0},
		{"a badge renamed", func(d *Doc) { d.Goals.Badges[9].Name = "run" }, "goals.badges.streak", "In a row", "", "members have this badge", 1, 0},
		{"a badge with other levels", func(d *Doc) { d.Goals.Badges[9].Levels = []int32{3, 10} }, "goals.badges.streak.levels", "3, 7, 30, 100, 365", "3, 10", "by their place", 0, 0},
		{"a badge with one more level", func(d *Doc) { d.Goals.Badges[9].Levels = append(d.Goals.Badges[9].Levels, 500) }, "goals.badges.streak.levels", "3, 7, 30, 100, 365", "3, 7, 30, 100, 365, 500", "", 0, 0},
		{"a piece less", func(d *Doc) { d.Pieces = d.Pieces[1:] }, "pieces.why-it-works", "What is in it, and why", "", "links that were shared", 0, 0},
		{"a language less", func(d *Doc) { d.Languages = d.Languages[:1] }, "languages", "en, es", "en", "read \"es\"", 1000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := base(), base()
			c.edit(b)
			b.Version = a.Version + 1
			all := slices.DeleteFunc(Diff(a, b), func(d Difference) bool { return d.Path == "version" })
			if c.path == "" {
				if len(all) > 0 {
					t.Errorf("%+v", all)
				}
				return
			}
			if len(all) == 0 || all[0].Path != c.path || all[0].Old != c.old || all[0].New != c.now || (c.warning == "") != (all[0].Warning == "") || !strings.Contains(all[0].Warning, c.warning) {
				t.Fatalf("%+v", all)
			}
			numbers := 0
			for _, d := range all {
				if d.Fitted {
					numbers++
				}
			}
			if len(all)-1 > c.more || numbers != c.numbers {
				t.Errorf("%d more, %d of them fitted: %+v", len(all)-1, numbers, all)
			}
		})
	}
	if all := Diff(base(), base()); len(all) > 0 {
		t.Errorf("of the same: %+v", all)
	}
	older := base()
	older.Version--
	if all := Diff(base(), older); len(all) != 1 || all[0].Path != "version" || all[0].Warning != "" { // the server gives versions out
		t.Errorf("of a lower version: %+v", all)
	}
}

// TestContrast: WCAG's own formula gives 21.00, 4.48, 4.54, 8.20, 11.54 and 1.
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int64
	}{
		{"#ffffff", "#000000", 209}, {"#777777", "#FFFFFF", 44}, {"#767676", "#ffffff", 45}, {"#0b5a44", "#ffffff", 81}, {"#ffd400", "#17211c", 115}, {"#abcdef", "#abcdef", 10},
	} {
		if got := contrast(c.a, c.b); got != c.want {
			t.Errorf("%s on %s: %d tenths, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestWarningsAreOfWhatMayNotBeMeant(t *testing.T) {
	for _, c := range []struct {
		name, want string
		edit       func(*Doc)
	}{
		{"as it comes", "20 of 20 have an address under https://www.example.com/", func(*Doc) {}},
		{"a language begun", "pieces.title", func(d *Doc) {
			d.Drafts = []string{"pt"}
			for i := range d.Pieces {
				d.Pieces[i].Title = append(d.Pieces[i].Title, ranking.Phrase{Lang: "pt", Text: "Nome"})
			}
		}},
		{"a language that the app does not speak", "unnamed: a step for a contact without a name names nobody in", func(d *Doc) { d.Drafts = []string{"pt-BR"} }},
		{"a promise", "\"guarantee\" is a promise", func(d *Doc) { d.Pieces[0].Summary[0].Text = "We guarantee it." }},
		{"one wording", "triggers.refill_due.contents: there is one wording", func(d *Doc) {
			d.Ranking.Rules[ranking.RefillDue].Contents = d.Ranking.Rules[ranking.RefillDue].Contents[:1]
			d.Ranking.Rules[ranking.RefillDue].Repeat = ranking.RepeatNever
		}},
		{"nothing for an opening", "triggers.registered.contents: no wording suits each opening for \"webinar_today\"", func(d *Doc) {
			d.Ranking.Rules[ranking.Registered].Contents[1].For = ranking.RegisteredAgo
		}},
		{"a reason of another trigger", "triggers.new_lead.contents[3].reason: it is never said: this trigger does not open for \"quiet_days\"", func(d *Doc) {
			d.Ranking.Rules[ranking.NewLead].Contents[3].For = ranking.QuietDays
		}},
		{"worth nothing", "triggers.refill_due.value_cents: it is never suggested: a success is worth 49 cents, and a step has to bring 40 beyond its cost of 10", func(d *Doc) {
			d.Ranking.Rules[ranking.RefillDue].Value = 49
		}},
		{"nothing to share", "pieces: none may be shared", func(d *Doc) {
			for i := range d.Pieces {
				d.Pieces[i].Share = false
			}
		}},
		{"less than before", "from day 90 less of \"learn\"", func(d *Doc) {
			d.Newcomer.Commitments = append(d.Newcomer.Commitments, Commitment{90, []Target{{"learn", 1}}, both("Less.", "Menos.")})
		}},
		{"a color for nobody's eyes", "brand.colors.primary: #FFD400 on light screens has a contrast of 1.4, less", func(d *Doc) { d.Brand.Colors.Primary = "#FFD400" }},
		{"text on its like", "brand.colors.text: it cannot be read", func(d *Doc) { d.Brand.Colors.Background, d.Brand.Colors.Text = "#ffffff", "#999999" }},
		{"all off", "triggers: all are off", func(d *Doc) {
			for i := range d.Ranking.Rules {
				d.Ranking.Rules[i].Stages = 0
			}
		}},
	} {
		d := Default()
		c.edit(d)
		if _, err := Parse(d.Encode()); err != nil {
			t.Errorf("%s is no mistake: %v", c.name, err)
		}
		var all []string
		for _, w := range d.Warnings() {
			all = append(all, w.Path+": "+w.Text)
		}
		if c.name == "as it comes" && len(all) != 1 {
			t.Errorf("the first playbook warns of what it means: %q", all)
		}
		want := c.want
		if want == "pieces.title" {
			want = "texts are missing in \"pt\": members who read it get \"en\" there"
		}
		if got := strings.Join(all, "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}
