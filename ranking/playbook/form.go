package playbook

import (
	"strings"

	"trio/ranking"
)

// This file says once what a document looks like; reading, writing, checking texts and the schema go over it as visitors.

// left says what a field that is left out means.
type left uint8

const (
	must  left = iota // it may not be left out
	shown             // its usual value, which is written out all the same
	quiet             // nothing or zero, which is not written
)

// visitor goes over a document. Bodies and values are called by it as often as it likes, so that they do nothing but visit.
type visitor interface {
	// object visits the fields that body names.
	object(body func())
	// field visits one field of an object; empty says that it has the value that a quiet one is left out for.
	field(name string, l left, empty bool, value func())
	// list visits an array of lo to hi items, of which there are n; resize makes it hold so many.
	list(lo, hi, n int, resize func(n int), item func(i int))
	integer(p *int64, lo, hi int64)
	truth(p *bool)
	str(p *string, k *kind)
	// choice is one of names, by its place. Empty names are not for documents.
	choice(p *int64, names []string)
	// choices are some of names, as bits.
	choices(p *uint64, names []string)
	// clock is a time of day in minutes, "HH:MM", up to "24:00".
	clock(p *int64)
	words(p *ranking.Texts, k *textKind)
	// stairs are the steps of a staircase, [[below, score], …], the last with null for no end.
	stairs(p *[]ranking.Bin, lo, hi int64)
}

// set writes only what is new: a document that is written out may be ranked with, and written out, by others at the same time.
func set[T comparable](p *T, v T) {
	if *p != v {
		*p = v
	}
}

// What follows is called some two hundred times: inlined it would make a program for browsers 6 KB greater.

type whole interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint32
}

//go:noinline
func integer[T whole](v visitor, name string, l left, p *T, lo, hi int64) {
	v.field(name, l, *p == 0, func() {
		n := int64(*p)
		v.integer(&n, lo, hi)
		set(p, T(n))
	})
}

//go:noinline
func truth(v visitor, name string, p *bool) {
	v.field(name, quiet, !*p, func() { v.truth(p) })
}

//go:noinline
func str(v visitor, name string, l left, p *string, k *kind) {
	v.field(name, l, *p == "", func() { v.str(p, k) })
}

//go:noinline
func choice[T ~uint8](v visitor, name string, l left, p *T, names []string) {
	v.field(name, l, *p == 0, func() {
		n := int64(*p)
		v.choice(&n, names)
		set(p, T(n))
	})
}

//go:noinline
func choices[T ~uint8 | ~uint64](v visitor, name string, l left, p *T, empty T, names []string) {
	v.field(name, l, *p == empty, func() {
		n := uint64(*p)
		v.choices(&n, names)
		set(p, T(n))
	})
}

//go:noinline
func texts(v visitor, name string, l left, p *ranking.Texts, k *textKind) {
	v.field(name, l, len(*p) == 0, func() { v.words(p, k) })
}

//go:noinline
func stairs(v visitor, name string, p *[]ranking.Bin, lo, hi int64) {
	v.field(name, quiet, len(*p) == 0, func() { v.stairs(p, lo, hi) })
}

//go:noinline
func object(v visitor, name string, l left, empty bool, body func()) {
	v.field(name, l, empty, func() { v.object(body) })
}

// list visits a list of structs or of anything else; fill sets what an item has before it is read.
//
//go:noinline
func list[T any](v visitor, name string, l left, p *[]T, lo, hi int, fill T, item func(*T)) {
	v.field(name, l, len(*p) == 0, func() {
		v.list(lo, hi, len(*p), func(n int) {
			if n <= len(*p) {
				*p = (*p)[:n]
			}
			for len(*p) < n {
				*p = append(*p, fill)
			}
		}, func(i int) { item(&(*p)[i]) })
	})
}

// numbers visits an array of a fixed length.
//
//go:noinline
func numbers(v visitor, name string, p []int64, lo, hi int64) {
	v.field(name, shown, false, func() {
		v.list(len(p), len(p), len(p), func(int) {}, func(i int) { v.integer(&p[i], lo, hi) })
	})
}

// byChannel visits a number for each channel.
//
//go:noinline
func byChannel(v visitor, name string, l left, p *[ranking.NumChannels]int64, lo, hi int64) {
	object(v, name, l, *p == [ranking.NumChannels]int64{}, func() {
		for ch := range ranking.NumChannels {
			integer(v, ch.String(), l, &p[ch], lo, hi)
		}
	})
}

// Bounds. Log-odds are bounded so that sums of them stay far from where chances are 0 or 1 for good, and nothing can overflow.
const (
	maxMilliNats = 12_000
	maxCents     = 1_000_000_000
	maxDays      = 3650
	maxInfo      = 1 << 30 // Q16, of records
	maxModel     = 1 << 24 // of the numbers of the reorder model
	maxCount     = 1_000_000_000_000
	maxBins      = 128
	maxPoints    = 1000
	maxLevel     = 1_000_000
	maxKinds     = 16
	maxMinutes   = 7 * 24 * 60
	noEnd        = 1 << 62
	one          = ranking.One
)

// noStages marks a rule that is on and for nobody, until the checker has seen it.
const noStages = 1 << 7

const allWays = 1<<ranking.Call | 1<<ranking.Text | 1<<ranking.Email | 1<<ranking.InPerson

var (
	channelNames = namesOf(ranking.NumChannels)
	stageNames   = namesOf(ranking.Promoter + 1)
	triggerNames = namesOf(ranking.NumTriggers)
	reasonNames  = openings()

	featureNames  = [ranking.NumFeatures]string{"age", "tries", "heard", "signals", "orders"}
	rhythmNames   = [ranking.NumRhythms]string{"repeats", "ratio", "elapsed", "tenure", "recent", "repeats_ratio"}
	repeatNames   = []string{"never", "not_running", "free"}
	quantityNames = []string{
		"since_created", "since_stage", "since_form", "since_registered", "since_webinar", "since_attended", "since_watched",
		"since_clicked", "since_visited", "since_joined", "since_first_order", "since_last_order", "since_touched", "since_reached",
		"order_days", "spent_cents", "touches", "tries",
	}
	unitNames    = []string{"act", "contact", "minute", "piece"}
	whichNames   = []string{"all", "new", "follow_ups"}
	measureNames = []string{"total", "day", "goal_days", "streak", "good_weeks", "returns"}
	modeNames    = []string{"off", "suggest", "automate"}
	pieceNames   = []string{"article", "testimony", "story", "video", "lesson", "webinar", "page"}
	stepNames    = []string{"do", "learn"}
	nameForms    = []string{"first_and_initial", "full"}
)

// firstCount is the first quantity that is a count; those before are days since something.
const firstCount = ranking.OrderDays

func namesOf[T interface {
	~uint8
	String() string
}](n T) (names []string) {
	for v := range n {
		names = append(names, v.String())
	}
	return names
}

// openings returns the names of the reasons that a trigger opens for, and "" for the terms that only add to a score.
func openings() (names []string) {
	for r := range ranking.NumReasons {
		name := r.String()
		if r == ranking.NoReason || r >= ranking.AnswersBy {
			name = ""
		}
		names = append(names, name)
	}
	return names
}

// fresh returns a document with the value of every field that may be left out.
func fresh() *Doc {
	pb := ranking.DefaultPlaybook()
	pb.Greeting = ranking.Greeting{}
	pb.Verbs = [ranking.NumChannels]ranking.Texts{}
	pb.Rules = [ranking.NumTriggers]ranking.Rule{}
	pb.Shared = ranking.Shared{}
	g := ranking.DefaultGoalRules()
	g.Metrics, g.Badges = nil, nil
	return &Doc{Ranking: pb, Goals: g, Boards: Boards{Places: UsualPlaces}}
}

// document visits a whole document.
//
//go:noinline
func document(v visitor, d *Doc) {
	v.object(func() {
		format := int64(FormatVersion)
		v.field("format", must, false, func() { v.integer(&format, FormatVersion, FormatVersion) })
		integer(v, "version", must, &d.Version, 1, 1<<32-1)
		integer(v, "fitted", quiet, &d.Fitted, 0, 1<<32-1)
		str(v, "name", must, &d.Name, &titleKind)
		list(v, "languages", must, &d.Languages, 1, MaxLanguages, "", func(s *string) { v.str(s, &langKind) })
		list(v, "drafts", quiet, &d.Drafts, 0, MaxLanguages, "", func(s *string) { v.str(s, &langKind) })
		object(v, "brand", quiet, d.Brand == Brand{}, func() { brand(v, &d.Brand) })
		object(v, "greeting", must, false, func() {
			g := &d.Ranking.Greeting
			texts(v, "both", must, &g.Both, &bothTexts)
			texts(v, "name", must, &g.Name, &nameTexts)
			texts(v, "sender", must, &g.Sender, &senderTexts)
			texts(v, "neither", must, &g.Neither, &plainTexts)
		})
		object(v, "verbs", must, false, func() {
			for ch := range ranking.NumChannels {
				texts(v, ch.String(), must, &d.Ranking.Verbs[ch], &verbTexts)
			}
		})
		texts(v, "unnamed", quiet, &d.Ranking.Unnamed, &labelTexts)
		object(v, "limits", shown, false, func() { limits(v, d.Ranking) })
		object(v, "worth", shown, false, func() { worth(v, d.Ranking) })
		object(v, "triggers", must, false, func() {
			for t := range ranking.NumTriggers {
				r := &d.Ranking.Rules[t]
				v.field(t.String(), quiet, blank(r), func() { rule(v, t, r, &d.Ranking.Shared.Words[t]) })
			}
		})
		object(v, "goals", must, false, func() { goals(v, d.Goals) })
		list(v, "pieces", quiet, &d.Pieces, 0, MaxPieces, Piece{}, func(p *Piece) { v.object(func() { piece(v, p) }) })
		object(v, "sharing", quiet, d.Sharing == Sharing{}, func() {
			str(v, "sharer", quiet, &d.Sharing.Sharer, &paramKind)
			str(v, "share", quiet, &d.Sharing.Share, &paramKind)
			str(v, "piece", quiet, &d.Sharing.Piece, &paramKind)
		})
		object(v, "newcomer", quiet, len(d.Newcomer.Commitments)+len(d.Newcomer.Steps) == 0, func() { newcomer(v, &d.Newcomer) })
		b := &d.Boards
		object(v, "boards", quiet, !b.Off && !b.TeamOff && len(b.Metrics) == 0 && b.Places == UsualPlaces && b.Names == FirstAndInitial, func() { boards(v, b) })
		object(v, "reorder", shown, false, func() { reorder(v, &d.Ranking.Reorder) })
		object(v, "learning", shown, false, func() { learning(v, d.Ranking) })
	})
}

func brand(v visitor, b *Brand) {
	str(v, "name", quiet, &b.Name, &labelKind)
	c := &b.Colors
	object(v, "colors", quiet, *c == Colors{}, func() {
		str(v, "primary", quiet, &c.Primary, &colorKind)
		str(v, "accent", quiet, &c.Accent, &colorKind)
		str(v, "background", quiet, &c.Background, &colorKind)
		str(v, "text", quiet, &c.Text, &colorKind)
	})
	str(v, "logo", quiet, &b.Logo, &logoKind)
}

func limits(v visitor, pb *ranking.Playbook) {
	integer(v, "rest_days", shown, &pb.Rest, 0, maxDays)
	integer(v, "touches", shown, &pb.CapTouches, 1, 8)
	integer(v, "touches_days", shown, &pb.CapDays, 1, maxDays)
	integer(v, "dismiss_days", shown, &pb.DismissDays, 0, maxDays)
	integer(v, "promise_grace_days", shown, &pb.PromiseGrace, 0, maxDays)
	integer(v, "of_one_trigger", shown, &pb.PerTrigger, 1, 3)
	integer(v, "memory_days", shown, &pb.Memory, 0, maxDays)
	integer(v, "interest_days", shown, &pb.InterestDays, 0, maxDays)
}

func worth(v visitor, pb *ranking.Playbook) {
	integer(v, "least_cents", shown, &pb.MinEV, 0, maxCents)
	byChannel(v, "cost_cents", shown, &pb.Cost, 0, maxCents)
	object(v, "opt_out_loss_cents", shown, false, func() {
		for s, name := range stageNames {
			integer(v, name, shown, &pb.Loss[s], 0, maxCents)
		}
	})
	numbers(v, "opt_out_chance", pb.OptOut[:], 0, one)
	integer(v, "opt_out_days", shown, &pb.OptOutDays, 0, maxDays)
	integer(v, "margin_percent", quiet, &pb.Margin, 0, 100)
}

// isOwn says whether a trigger is one that a company makes up itself.
func isOwn(t ranking.TriggerID) bool { return strings.HasPrefix(t.String(), "own") }

// blank says whether nothing was written of a trigger.
func blank(r *ranking.Rule) bool {
	return r.Stages == 0 && len(r.Label)+len(r.Purpose)+len(r.Because)+len(r.Contents) == 0 && r.When == nil && r.Notice == nil
}

func rule(v visitor, t ranking.TriggerID, r *ranking.Rule, shared *[ranking.MaxContents]int64) {
	mode, stages := uint8(0), r.Stages
	switch {
	case r.Automate && stages != 0:
		mode = 2
	case stages != 0:
		mode = 1
	}
	v.object(func() {
		v.field("mode", must, false, func() {
			n := int64(mode)
			v.choice(&n, modeNames)
			mode = uint8(n)
		})
		texts(v, "label", quiet, &r.Label, &labelTexts)
		texts(v, "purpose", quiet, &r.Purpose, &purposeTexts)
		choices(v, "stages", quiet, &stages, 0, stageNames)
		if isOwn(t) {
			texts(v, "because", quiet, &r.Because, &becauseTexts)
			v.field("when", quiet, r.When == nil, func() {
				if r.When == nil {
					r.When = &ranking.When{}
				}
				when(v, r.When)
			})
		}
		v.field("notice", quiet, r.Notice == nil, func() {
			if r.Notice == nil {
				r.Notice = &ranking.Notice{}
			}
			v.object(func() {
				integer(v, "minutes", must, &r.Notice.Minutes, 1, maxMinutes)
				texts(v, "words", must, &r.Notice.Words, &noticeTexts)
			})
		})
		choices(v, "channels", quiet, &r.Channels, 0, channelNames)
		choice(v, "repeat", quiet, &r.Repeat, repeatNames)
		integer(v, "value_cents", quiet, &r.Value, 0, maxCents)
		integer(v, "rest_days", quiet, &r.Rest, 0, maxDays)
		integer(v, "cooldown_days", quiet, &r.Cooldown, 0, maxDays)
		integer(v, "opens", quiet, &r.Opens, 0, maxDays)
		integer(v, "deadline_days", quiet, &r.Deadline, 0, maxDays)
		integer(v, "expiry_days", quiet, &r.Expiry, 0, maxDays)
		list(v, "contents", quiet, &r.Contents, 0, ranking.MaxContents, ranking.Content{Channels: allWays}, func(c *ranking.Content) {
			v.object(func() { content(v, c) })
		})
		odds := r.Base|r.Offset == 0 && len(r.Natural) == 0 && r.ByWay == [ranking.NumChannels]int64{} && *shared == [ranking.MaxContents]int64{}
		for _, bins := range r.Weights {
			odds = odds && len(bins) == 0
		}
		object(v, "log_odds", quiet, odds, func() {
			integer(v, "base", shown, &r.Base, -maxMilliNats, maxMilliNats)
			integer(v, "offset", quiet, &r.Offset, -maxMilliNats, maxMilliNats)
			byChannel(v, "channel", quiet, &r.ByWay, -maxMilliNats, 0)
			for f, name := range featureNames {
				stairs(v, name, &r.Weights[f], -maxMilliNats, maxMilliNats)
			}
			stairs(v, "unasked", &r.Natural, -maxMilliNats, maxMilliNats)
			trimmed(v, "shared", shared[:])
		})
	})
	set(&r.Automate, mode == 2)
	switch {
	case mode == 0:
		set(&r.Stages, 0)
	case stages == 0:
		set(&r.Stages, noStages)
	default:
		set(&r.Stages, stages)
	}
}

// trimmed visits an array of log-odds whose last zeros may be left out.
func trimmed(v visitor, name string, p []int64) {
	n := len(p)
	for n > 0 && p[n-1] == 0 {
		n--
	}
	v.field(name, quiet, n == 0, func() {
		v.list(0, len(p), n, func(int) {}, func(i int) { v.integer(&p[i], -maxMilliNats, maxMilliNats) })
	})
}

func when(v visitor, w *ranking.When) {
	v.object(func() {
		choice(v, "since", quiet, &w.Since, quantityNames[:firstCount])
		list(v, "cadence_days", quiet, &w.Cadence, 0, ranking.MaxCadence, 0, func(n *int64) { v.integer(n, -maxDays, maxDays) })
		integer(v, "open_days", quiet, &w.Open, 0, maxDays)
		list(v, "tests", quiet, &w.Tests, 0, ranking.MaxTests, ranking.Test{Max: noEnd}, func(t *ranking.Test) {
			v.object(func() {
				choice(v, "of", must, &t.Of, quantityNames)
				integer(v, "min", quiet, &t.Min, -maxCount, maxCount)
				v.field("max", quiet, t.Max > maxCount, func() { v.integer(&t.Max, -maxCount, maxCount) })
			})
		})
	})
}

// day visits a day that may be left out for no bound; 0 is the day of the event.
func day(v visitor, name string, bounded *bool, n *int64) {
	v.field(name, quiet, !*bounded, func() {
		v.integer(n, -maxDays, maxDays)
		set(bounded, true)
	})
}

func content(v visitor, c *ranking.Content) {
	texts(v, "write", quiet, &c.Write, &messageTexts)
	texts(v, "say", quiet, &c.Say, &messageTexts)
	texts(v, "meet", quiet, &c.Meet, &messageTexts)
	str(v, "piece", quiet, &c.Piece, &slugKind)
	choices(v, "channels", quiet, &c.Channels, allWays, channelNames)
	choice(v, "reason", quiet, &c.For, reasonNames)
	day(v, "from_days", &c.Begins, &c.From)
	day(v, "until_days", &c.Ends, &c.Until)
	byChannel(v, "log_odds", quiet, &c.Arm, -maxMilliNats, maxMilliNats)
	integer(v, "doubt", quiet, &c.Doubt, 0, maxMilliNats)
}

func goals(v visitor, g *ranking.GoalRules) {
	list(v, "metrics", must, &g.Metrics, 1, ranking.MaxMetrics, ranking.Metric{}, func(m *ranking.Metric) {
		v.object(func() {
			str(v, "name", must, &m.Name, &slugKind)
			texts(v, "label", must, &m.Label, &labelTexts)
			list(v, "kinds", must, &m.Kinds, 1, maxKinds, "", func(s *string) { v.str(s, &entryKind) })
			choice(v, "which", quiet, &m.Which, whichNames)
			choice(v, "unit", must, &m.Unit, unitNames)
			truth(v, "event", &m.Event)
			integer(v, "least_evidence", quiet, &m.MinEvidence, 0, 4)
			integer(v, "captured_evidence", shown, &m.Captured, 0, 4)
			truth(v, "needs_contact", &m.NeedsContact)
			integer(v, "points", quiet, &m.Points, 0, maxPoints)
			integer(v, "points_cap", quiet, &m.PointsCap, 0, maxPoints)
		})
	})
	integer(v, "core", shown, &g.Core, 0, ranking.MaxMetrics)
	integer(v, "skips_a_week", shown, &g.SkipsPerWeek, 0, 6)
	integer(v, "grace_minutes", shown, &g.GraceMinutes, 0, 360)
	integer(v, "good_week_days", shown, &g.GoodWeek, 1, 7)
	integer(v, "day_points", shown, &g.DayPoints, 0, maxPoints)
	clock(v, "nudge_from", &g.NudgeFrom)
	clock(v, "nudge_until", &g.NudgeUntil)
	list(v, "badges", quiet, &g.Badges, 0, ranking.MaxBadges, ranking.Badge{}, func(b *ranking.Badge) {
		v.object(func() {
			str(v, "name", must, &b.Name, &slugKind)
			texts(v, "label", must, &b.Label, &labelTexts)
			v.field("measure", must, false, func() {
				n := int64(b.Measure)
				v.choice(&n, measureNames)
				set(&b.Measure, ranking.Measure(n))
			})
			str(v, "metric", quiet, &b.Metric, &slugKind)
			list(v, "levels", must, &b.Levels, 1, ranking.MaxLevels, 0, func(n *int32) {
				l := int64(*n)
				v.integer(&l, 1, maxLevel)
				set(n, int32(l))
			})
			truth(v, "board", &b.Board)
		})
	})
}

func clock(v visitor, name string, p *int) {
	v.field(name, shown, false, func() {
		n := int64(*p)
		v.clock(&n)
		set(p, int(n))
	})
}

func piece(v visitor, p *Piece) {
	str(v, "name", must, &p.Name, &slugKind)
	choice(v, "kind", must, &p.Kind, pieceNames)
	texts(v, "title", must, &p.Title, &titleTexts)
	texts(v, "summary", quiet, &p.Summary, &summaryTexts)
	str(v, "url", must, &p.URL, &urlKind)
	integer(v, "minutes", quiet, &p.Minutes, 0, 24*60)
	truth(v, "share", &p.Share)
	choices(v, "triggers", quiet, &p.Triggers, 0, triggerNames)
}

func boards(v visitor, b *Boards) {
	truth(v, "off", &b.Off)
	truth(v, "team_off", &b.TeamOff)
	list(v, "metrics", quiet, &b.Metrics, 0, ranking.MaxBoards, "", func(s *string) { v.str(s, &slugKind) })
	integer(v, "places", shown, &b.Places, LeastPlaces, MostPlaces)
	choice(v, "names", shown, &b.Names, nameForms)
}

func newcomer(v visitor, n *Newcomer) {
	list(v, "commitments", quiet, &n.Commitments, 0, LastDay, Commitment{}, func(c *Commitment) {
		v.object(func() {
			integer(v, "day", must, &c.Day, 1, LastDay)
			list(v, "targets", must, &c.Targets, 1, ranking.MaxMetrics, Target{}, func(t *Target) {
				v.object(func() {
					str(v, "metric", must, &t.Metric, &slugKind)
					integer(v, "daily", must, &t.Daily, 1, maxPoints)
				})
			})
			texts(v, "words", must, &c.Words, &summaryTexts)
		})
	})
	list(v, "steps", quiet, &n.Steps, 0, MaxSteps, Step{}, func(s *Step) {
		v.object(func() {
			integer(v, "day", must, &s.Day, 1, LastDay)
			choice(v, "kind", must, &s.Kind, stepNames)
			texts(v, "title", must, &s.Title, &titleTexts)
			texts(v, "words", must, &s.Words, &stepTexts)
			str(v, "piece", quiet, &s.Piece, &slugKind)
			str(v, "metric", quiet, &s.Metric, &slugKind)
		})
	})
}

func reorder(v visitor, r *ranking.Reorder) {
	integer(v, "median_gap_days", shown, &r.MedianGap, 1, maxDays)
	integer(v, "prior", shown, &r.Prior, 1, maxModel)
	integer(v, "r", shown, &r.R, 1, maxModel)
	integer(v, "a", shown, &r.A, 1, maxModel)
	integer(v, "b", shown, &r.B, 1, maxModel)
	integer(v, "alpha", shown, &r.Alpha, 1, maxModel)
	integer(v, "own_from_gaps", shown, &r.OwnFrom, 0, 1000)
	integer(v, "horizon_days", shown, &r.Horizon, 1, maxDays)
	integer(v, "due_percent", shown, &r.DueFrom, 0, 10_000)
	integer(v, "lapsed_percent", shown, &r.LapseAt, 0, 10_000)
	integer(v, "let_go_chance", shown, &r.LetGo, 0, one)
	integer(v, "intercept", shown, &r.Intercept, -maxMilliNats, maxMilliNats)
	integer(v, "weight", shown, &r.Weight, 0, 10_000)
	for i, name := range rhythmNames {
		stairs(v, name, &r.Card[i], -maxMilliNats, maxMilliNats)
	}
}

func learning(v visitor, pb *ranking.Playbook) {
	integer(v, "form", shown, &pb.Form, -maxMilliNats, maxMilliNats)
	byChannel(v, "answer_chance", shown, &pb.AnswerRate, 0, one)
	integer(v, "answer_information", shown, &pb.AnswerSure, 1, maxInfo)
	s := &pb.Shrink
	object(v, "company_information", shown, false, func() {
		integer(v, "member", shown, &s.Member, 0, maxInfo)
		integer(v, "member_channel", shown, &s.Way, 0, maxInfo)
		integer(v, "member_content", shown, &s.Words, 0, maxInfo)
		integer(v, "contact", shown, &s.Contact, 0, maxInfo)
		integer(v, "contact_channel", shown, &s.ContactWay, 0, maxInfo)
	})
	byChannel(v, "shared_channel", quiet, &pb.Shared.Ways, -maxMilliNats, maxMilliNats)
	byChannel(v, "shared_contact_channel", quiet, &pb.Shared.Contacts, -maxMilliNats, maxMilliNats)
	integer(v, "explore_thousandths", shown, &pb.Explore, 0, 10_000)
	integer(v, "silent_one_in", shown, &pb.Silent, 0, 1000)
}
