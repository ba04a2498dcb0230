package ranking

import (
	"testing"

	cldr "golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// TestPluralsAreThoseOfCLDR: for days up to 30 years, in the languages whose rules are written out, and in some of those that go by one
// and other.
func TestPluralsAreThoseOfCLDR(t *testing.T) {
	names := map[cldr.Form]Plural{
		cldr.Zero: PluralZero, cldr.One: PluralOne, cldr.Two: PluralTwo, cldr.Few: PluralFew, cldr.Many: PluralMany, cldr.Other: PluralOther,
	}
	for _, lang := range []string{
		"ar", "am", "as", "be", "bn", "bs", "cs", "cy", "da", "fa", "fil", "fr", "ga", "gu", "hi", "hr", "hy", "id", "is", "ja", "km", "kn", "ko", "ln", "lo",
		"lt", "lv", "mg", "ms", "mt", "my", "nb", "pa", "pl", "pt", "pt-PT", "ro", "ru", "si", "sk", "sl", "sr", "th", "ti", "uk", "vi", "wa", "yue", "zh", "zu",
		"en", "es", "es-MX", "de", "it", "nl", "sv", "fi", "et", "hu", "el", "bg", "tr", "az", "kk", "ka", "sq", "sw", "ta", "te", "ml", "ur", "ne", "ca", "eu", "gl", "mn", "uz",
	} {
		for n := range 1_300 {
			want := names[cldr.Cardinal.MatchPlural(language.MustParse(lang), n, 0, 0, 0, 0)]
			if got := PluralOf(lang, int64(n)); got != want {
				t.Errorf("%s, %d: %v, want %v", lang, n, got, want)
				break
			}
		}
	}
	// The reference has the rules of CLDR 32; newer ones say otherwise of three.
	for _, c := range []struct {
		lang string
		n    int64
		want Plural
	}{{"he", 2, PluralTwo}, {"he", 20, PluralOther}, {"mk", 11, PluralOther}, {"mk", 21, PluralOne}, {"mr", 0, PluralOther}} {
		if got := PluralOf(c.lang, c.n); got != c.want {
			t.Errorf("%s, %d: %v, want %v", c.lang, c.n, got, c.want)
		}
	}
	if PluralOf("PL_pl", 3) != PluralFew || PluralOf("", 1) != PluralOne || PluralOf("xx", 7) != PluralOther {
		t.Error("tags are read in another way")
	}
}

func TestDaysAreCountedAsTheLanguageCountsThem(t *testing.T) {
	pb := DefaultPlaybook()
	pb.Rules[Own1].Because = Texts{
		{"en", "{days|one:# day|other:# days} on the team"},
		{"pl", "w zespole od {days|one:# dnia|few:# dni|many:# dni|other:# dnia}"},
		{"ar", "في الفريق منذ {days|zero:اليوم|one:يوم واحد|two:يومين|few:# أيام|many:# يومًا|other:# يوم}"},
	}
	for _, c := range []struct {
		lang string
		days int64
		want string
	}{
		{"en", 1, "1 day on the team"},
		{"en-GB", 14, "14 days on the team"},
		{"pl", 1, "w zespole od 1 dnia"},
		{"pl", 22, "w zespole od 22 dni"},
		{"ar", 2, "في الفريق منذ يومين"},
		{"ar-EG", 7, "في الفريق منذ 7 أيام"},
		{"ar", 30, "في الفريق منذ 30 يومًا"},
		{"de", 1, "1 day on the team"},
	} {
		if got := pb.Sentence(Reason{Code: OwnMoment, Args: [3]int64{c.days, 1}}, c.lang); got != c.want {
			t.Errorf("%s, %d days: %q, want %q", c.lang, c.days, got, c.want)
		}
	}
	c := &pb.Rules[Own1].Contents[0]
	c.Write = Texts{{"pl", "To już {days|one:# dzień|other:# dni}, {name}!"}}
	if got := pb.Wording(Own1, Text, 0, "pl", "", "", 5); got != "Hi! To już 5 dni!" {
		t.Errorf("a form that is not written: %q", got)
	}
}
