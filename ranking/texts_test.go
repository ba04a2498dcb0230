package ranking

import "testing"

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
