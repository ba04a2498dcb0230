package playbook

import (
	"slices"
	"strings"

	"trio/ranking"
)

// Warning is something that is no mistake and may not be meant.
type Warning struct {
	Path string `json:"field"` // "" for the whole
	Text string `json:"text"`
}

// claims are words that a text had better not have: nobody can promise what they say.
var claims = []string{
	"guarantee", "risk-free", "risk free", "get rich", "passive income", "financial freedom", "quit your job", "no effort",
	"garantiza", "sin riesgo", "hazte rico", "ingreso pasivo", "ingresos pasivos", "libertad financiera", "deja tu trabajo", "sin esfuerzo",
}

// Warnings returns what is worth a second look in a sound document.
func (d *Doc) Warnings() (all []Warning) {
	warn := func(path, text string) { all = append(all, Warning{path, text}) }
	texts, missing := 0, make([]int, len(d.Drafts))
	w := walker{texts: func(path []byte, t *ranking.Texts, _ *textKind) {
		if len(*t) == 0 {
			return
		}
		texts++
		for i, lang := range d.Drafts {
			if !speaks(*t, lang) {
				missing[i]++
			}
		}
		for _, ph := range *t {
			low := strings.ToLower(ph.Text)
			for _, claim := range claims {
				if strings.Contains(low, claim) {
					warn(string(path)+"."+ph.Lang, "\""+claim+"\" is a promise that nobody can keep, and in many countries not allowed")
				}
			}
		}
	}}
	document(&w, d)
	for i, lang := range d.Drafts {
		if missing[i] == 0 {
			warn("drafts", "all texts are there in \""+lang+"\": it may move to \"languages\"")
		} else {
			warn("drafts", number(int64(missing[i]))+" of "+number(int64(texts))+" texts are missing in \""+lang+"\": members who read it get \""+d.main()+"\" there")
		}
	}
	for _, lang := range d.languages() {
		if base, _, _ := strings.Cut(lang, "-"); base != "en" && base != "es" {
			warn("languages", "the app's own sentences, of reasons and goals, are in English and Spanish: members who read \""+lang+"\" get them in English")
			if !speaks(d.Ranking.Unnamed, lang) {
				warn("unnamed", "a step for a contact without a name names nobody in \""+lang+"\": write what stands there")
			}
		}
	}
	on := 0
	for t := range ranking.NumTriggers {
		r, path := &d.Ranking.Rules[t], "triggers."+t.String()
		if r.Stages == 0 {
			continue
		}
		on++
		silent := ""
		for _, why := range t.Reasons() {
			if r.When == nil && !slices.ContainsFunc(r.Contents, func(c ranking.Content) bool {
				return (c.For == ranking.NoReason || c.For == why) && !(c.Begins && c.From > 0) && !c.Ends
			}) && silent == "" {
				silent = why.String()
			}
		}
		for i := range r.Contents {
			if why := r.Contents[i].For; why != ranking.NoReason && !slices.Contains(t.Reasons(), why) {
				warn(at(path+".contents", i)+".reason", "it is never said: this trigger does not open for \""+why.String()+"\"")
			}
		}
		cheapest := int64(-1)
		for ch := range ranking.NumChannels {
			if cost := d.Ranking.Cost[ch]; r.Channels>>ch&1 == 1 && (cheapest < 0 || cost < cheapest) {
				cheapest = cost
			}
		}
		if least := d.Ranking.MinEV + cheapest; t != ranking.PromisedFollow && !r.Automate && r.Value < least {
			warn(path+".value_cents", "it is never suggested: a success is worth "+number(r.Value)+" cents, and a step has to bring "+number(d.Ranking.MinEV)+" beyond its cost of "+number(cheapest))
		}
		switch {
		case silent != "":
			warn(path+".contents", "no wording suits each opening for \""+silent+"\": at some the trigger is silent")
		case len(r.Contents) == 1 && r.Repeat == ranking.RepeatNever:
			warn(path+".contents", "there is one wording, which nobody gets twice: afterwards the trigger is silent for the contact")
		}
	}
	if on == 0 {
		warn("triggers", "all are off: no promoter is ever asked to do anything")
	}
	shared, ours := 0, 0
	for i := range d.Pieces {
		if d.Pieces[i].Share {
			shared++
		}
		address, _, _ := strings.Cut(d.Pieces[i].URL, "#")
		_, query, _ := strings.Cut(address, "?")
		for had := range strings.SplitSeq(query, "&") {
			name, _, _ := strings.Cut(had, "=")
			if name != "" && (name == d.Sharing.Sharer || name == d.Sharing.Share || name == d.Sharing.Piece) {
				warn(at("pieces", i)+".url", "it has the parameter \""+name+"\" already, which links of members add too: a page may take either")
			}
		}
		if strings.HasPrefix(d.Pieces[i].URL, samples) {
			ours++
		}
	}
	if shared == 0 {
		warn("pieces", "none may be shared: members have nothing to share")
	}
	if ours > 0 {
		warn("pieces", number(int64(ours))+" of "+number(int64(len(d.Pieces)))+" have an address under "+samples+", which leads nowhere: put yours in their place")
	}
	if c := d.Brand.Colors.Primary; c != "" {
		// Buttons and what is lit are in it, on white and on the dark screens.
		for _, ground := range [...]struct{ name, color, shade string }{{"light", "#ffffff", "darker"}, {"dark", "#17211c", "lighter"}} {
			if n := contrast(c, ground.color); n < leastContrast {
				warn("brand.colors.primary", c+" on "+ground.name+" screens has a contrast of "+number(n/10)+"."+number(n%10)+", less than the 4.5 that can be read: they show it "+ground.shade)
			}
		}
	}
	if c := d.Brand.Colors; c.Background != "" && c.Text != "" && contrast(c.Background, c.Text) < leastContrast {
		warn("brand.colors.text", "it cannot be read on the background: screens take their own colors for both")
	}
	last := map[string]int32{}
	for i, c := range d.Newcomer.Commitments {
		for j, t := range c.Targets {
			if t.Daily < last[t.Metric] {
				warn(at(at("newcomer.commitments", i)+".targets", j), "from day "+number(int64(c.Day))+" less of \""+t.Metric+"\" is proposed than before")
			}
			last[t.Metric] = t.Daily
		}
	}
	if len(d.Newcomer.Commitments)+len(d.Newcomer.Steps) == 0 {
		warn("newcomer", "a new member finds nothing for the first days")
	}
	return all
}

// leastContrast is what WCAG 2 asks for text (AA), in tenths.
const leastContrast = 45

// light is the luminance of every sixteenth shade of a channel and of the last, of 65,535.
var light = [...]int64{0, 340, 947, 1937, 3360, 5257, 7666, 10619, 14146, 18277, 23038, 28452, 34544, 41337, 48850, 57105, 65535}

// contrast is that of WCAG 2 between two colors, #rrggbb, in tenths.
func contrast(a, b string) int64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 3277) * 10 / (min(x, y) + 3277) // .05 of 65,535
}

// luminance of a color, of 65,535; between the shades that are known it goes straight.
func luminance(color string) int64 {
	var sum int64
	for i, weight := range [...]int64{2126, 7152, 722} {
		shade := 16*nibble(color[1+2*i]) + nibble(color[2+2*i])
		from, part := shade/16, shade%16
		width := int64(16)
		if from == 15 {
			width = 15
		}
		sum += weight * (light[from] + (light[from+1]-light[from])*part/width)
	}
	return sum / 10_000
}

func nibble(c byte) int64 {
	switch {
	case digit(c):
		return int64(c - '0')
	case lower(c):
		return int64(c-'a') + 10
	}
	return int64(c-'A') + 10
}
