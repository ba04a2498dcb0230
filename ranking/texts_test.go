package ranking

import (
	"strings"
	"testing"
)

func TestATextIsFoundInTheReadersLanguage(t *testing.T) {
	texts := Texts{{"en", "colour"}, {"es", "color"}, {"pt-BR", "cor"}, {"es-MX", "color, pues"}, {"de-AT", "Farbe, eh"}, {"de", "Farbe"}}
	for lang, want := range map[string]string{
		"en": "colour", "en-US": "colour", "es": "color", "es-MX": "color, pues", "es_mx": "color, pues", "ES-AR": "color",
		"pt-BR": "cor", "pt": "cor", "pt-PT": "cor", "de-CH": "Farbe", "fr": "colour", "": "colour", "e": "colour", "-": "colour",
	} {
		if got := texts.In(lang); got != want {
			t.Errorf("in %q: %q, want %q", lang, got, want)
		}
	}
	if (Texts{}).In("en") != "" || (Texts{}).whole() || (Texts{{"en", ""}}).whole() || (Texts{{"", "x"}}).whole() || !texts.whole() {
		t.Error("texts that are not there are there")
	}
}

func TestATextIsFilledOnceAndLeavesNoGap(t *testing.T) {
	for _, c := range []struct {
		text   string
		blanks blanks
		want   string
	}{
		{"Hi {name}, it's {sender}. {days} days!", blanks{"Ann", "Rosa", 45, ""}, "Hi Ann, it's Rosa. 45 days!"},
		{"Hi {name}, {days}", blanks{"{sender} {days} {name}", "Rosa", 0, ""}, "Hi {sender} {days} {name}, 0"},
		{"Thanks, {name}! How {sender} is", blanks{"", "", -1, ""}, "Thanks! How is"},
		{"¡Gracias, {name}! {name}, ¿cómo estás?", blanks{"", "", -1, ""}, "¡Gracias! ¿Cómo estás?"},
		{"¡{name}, ánimo!", blanks{"", "", -1, ""}, "¡Ánimo!"},
		{"{name}, you know", blanks{"", "", -1, ""}, "You know"},
		{"You know, {name}, it is so", blanks{"", "", -1, ""}, "You know, it is so"},
		{"A line.\n{name}, another", blanks{"", "", -1, ""}, "A line.\nAnother"},
		{"for {days} days", blanks{"", "", -1, ""}, "for days"},
		{"{name}", blanks{"", "", -1, ""}, ""},
		{"{Name} {nam {name", blanks{"Ann", "Rosa", 1, ""}, "{Name} {nam {name"},
		{"{name}{name} \xff{", blanks{"Ann", "", 1, ""}, "AnnAnn \xff{"},
	} {
		if got := c.blanks.fill(c.text); got != c.want {
			t.Errorf("%q with %+v: %q, want %q", c.text, c.blanks, got, c.want)
		}
	}
}

func FuzzFill(f *testing.F) {
	f.Add("Hi {name}, it's {sender}. {days}", "Ann", "", int64(-1))
	f.Add("{days|one:# x|few:# y|other:# z} {days|", "", "", int64(3))
	f.Add("{name},{name}, ¿{sender}", "", "{name}", int64(3))
	f.Fuzz(func(t *testing.T, text, name, sender string, days int64) {
		b := blanks{name, sender, days, "pl"}
		if got := b.fill(text); len(got) > len(text)*(len(name)+len(sender)+20)+1 { // # is a number of 19 digits at most
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
	})
}

func TestOneDayIsNotDays(t *testing.T) {
	for text, want := range map[string][2]string{
		"{days} days since the first order":        {"1 day since the first order", "2 days since the first order"},
		"{days} días desde el primer pedido":       {"1 día desde el primer pedido", "2 días desde el primer pedido"},
		"the first order, {days} days":             {"the first order, 1 day", "the first order, 2 days"},
		"{days} daysies, {days} days, {days} Tage": {"1 daysies, 1 day, 1 Tage", "2 daysies, 2 days, 2 Tage"},
	} {
		for i := range want {
			b := blanks{days: int64(i) + 1}
			if got := b.fill(text); got != want[i] {
				t.Errorf("%q for %d: %q, want %q", text, i+1, got, want[i])
			}
		}
	}
}

func TestACompanysWordsForAContactWithoutAName(t *testing.T) {
	pb := DefaultPlaybook()
	pb.Verbs[Call] = append(pb.Verbs[Call], Phrase{"pt", "Ligar para {name}"})
	pb.Rules[NewLead].Purpose = append(pb.Rules[NewLead].Purpose, Phrase{"pt", "para dizer olá"})
	pb.Unnamed = Texts{{"pt", "este contato"}}
	for lang, want := range map[string]string{"pt-BR": "Ligar para este contato para dizer olá", "en": "Call this contact to say hello"} {
		if got := pb.Step(NewLead, Call, lang, ""); got != want {
			t.Errorf("%s: %q, want %q", lang, got, want)
		}
	}
	pb.Rules[NewLead].Notice.Words = Texts{{"pt", "{name} preencheu o formulário"}}
	if got := pb.NoticeWords(NewLead, "pt", ""); got != "Este contato preencheu o formulário" {
		t.Errorf("the notice says %q", got)
	}
}

// TestEveryCodeIsSaid: each reason and each end, with any number and by any channel, in both languages of ours and with nothing left open.
func TestEveryCodeIsSaid(t *testing.T) {
	pb := DefaultPlaybook()
	for _, lang := range []string{"en", "es"} {
		said := map[string]string{}
		is := func(what, s string) {
			t.Helper()
			if s == "" || strings.ContainsAny(s, "{}") || strings.HasSuffix(s, ".") || strings.Contains(s, "  ") || strings.TrimSpace(s) != s {
				t.Errorf("%s, %s: %q", lang, what, s)
			}
			for _, slip := range []string{"1 days", "1 días", "by in person", "to in person", "with in person", " a en persona", "con en persona"} {
				if strings.Contains(s, slip) {
					t.Errorf("%s, %s: %q", lang, what, s)
				}
			}
			if other, ok := said[s]; ok && other != what {
				t.Errorf("%s: %s and %s are both %q", lang, other, what, s)
			}
			said[s] = what
		}
		for code := NoReason + 1; code < NumReasons; code++ {
			for n := range int64(4) {
				args := [3]int64{n, 1, 4}
				if code == OwnMoment {
					args = [3]int64{n, n%3 + 1, 0}
				}
				is(code.String(), pb.Sentence(Reason{Code: code, Args: args}, lang))
			}
		}
		for code := NoEnd + 1; code < NumEnds; code++ {
			for n := range int64(3) {
				is("end "+code.String(), End{code, n}.Sentence(lang))
			}
		}
	}
	// A promise is not said to have been made on the day that it was for.
	for lang, want := range map[string][2]string{
		"en": {"you promised to get back today", "you promised to get back, due 3 days ago"},
		"es": {"quedaste en hablar hoy", "quedaste en hablar, tocaba hace 3 días"},
	} {
		for i, days := range []int64{0, 3} {
			if got := pb.Sentence(Reason{Code: PromisedAgo, Args: [3]int64{days}}, lang); got != want[i] {
				t.Errorf("%q, want %q", got, want[i])
			}
		}
	}
	// A day to come has its name, and one order is no habit of so many days.
	for lang, want := range map[string][4]string{
		"en": {"signed up yesterday for a webinar tomorrow", "signed up yesterday for a webinar in 2 days", "ordered once, yesterday", "ordered on 4 days, last yesterday"},
		"es": {"se apuntó ayer a un webinar que es mañana", "se apuntó ayer a un webinar que es dentro de 2 días", "ha pedido una vez, ayer", "ha pedido en 4 días distintos, la última vez ayer"},
	} {
		for i, r := range []Reason{
			{Code: RegisteredAgo, Args: [3]int64{1, 1}},
			{Code: RegisteredAgo, Args: [3]int64{1, 2}},
			{Code: LoyalOrders, Args: [3]int64{1, 1}},
			{Code: LoyalOrders, Args: [3]int64{4, 1}},
		} {
			if got := pb.Sentence(r, lang); got != want[i] {
				t.Errorf("%q, want %q", got, want[i])
			}
		}
	}
	// Whoever was never contacted is not caught up with.
	if got := pb.Step(Nurture, Text, "en", "Mia"); got != "Text Mia just to say hello" {
		t.Error(got)
	}
}
