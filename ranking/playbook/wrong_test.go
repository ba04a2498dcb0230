package playbook

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"trio/ranking"
)

// wrongs are edits that break the first playbook: what is replaced, by what, where the problem is then said to stand, and
// parts of the reason and of the remedy. Those that the schema does not see are between fields, or of the kind that a
// validator is not told: duplicate keys, 1.0 for 1, JSON itself.
var wrongs = []struct {
	name, old, now     string
	at, reason, remedy string
	schema             bool
}{
	// the form
	{"a misspelt field", `"mode": "suggest"`, `"moed": "suggest"`, `"moed"`, `triggers.new_lead: "moed" is not known here`, `did you mean "mode"?`, true},
	{"a field begun and not ended", `"cooldown_days": 4`, `"cooldown": 4`, `"cooldown"`, `is not known here`, `did you mean "cooldown_days"?`, true},
	{"a trigger that is not there", `"webinar_follow": {`, `"webinar_folow": {`, `"webinar_folow"`, `"webinar_folow" is not known here`, `did you mean "webinar_follow"?`, true},
	{"something made up", `"version": 1`, `"version": 1, "color_of_the_sky": "blue"`, `"color_of_the_sky"`, `is not known here`, `"note"`, true},
	{"a field twice", `"version": 1`, `"version": 1, "version": 2`, `"version": 2`, `"version" is there twice`, `keep one`, false},
	{"a note twice", `"version": 1`, `"note": "a", "note": "b", "version": 1`, `"note": "b"`, `"note" is there twice`, `keep one`, false},
	{"a note that is no text", `"version": 1`, `"note": 7, "version": 1`, `7`, `a number, where a text belongs`, `quotation marks`, true},
	{"a field that is missing", `"version": 1,`, ``, `{`, `"version" is missing`, `add "version"`, true},
	{"a trigger with a name of one's own", `"triggers": {`, `"triggers": {"birthday": {"mode": "suggest"},`, `"birthday"`, `"birthday" is not known here`, `"own1" to "own8"`, true},
	{"a language in capitals", `["en", "es"]`, `["EN", "es"]`, `"EN"`, `"EN" is no language tag`, `did you mean "en"?`, true},
	{"the form in quotation marks", `"format": 1`, `"format": "1"`, `"1"`, `a text, where a whole number belongs`, `write 1, without quotation marks`, true},
	{"a newer form", `"format": 1`, `"format": 2`, `2`, `format: 2 is above 1`, `write 1: a higher one takes a newer trio`, true},
	{"a board of no metric", `"version": 1`, `"version": 1, "boards": {"metrics": ["cals"]}`, `"cals"`, `"cals" is no metric of goals.metrics`, `did you mean "calls"?`, false},
	{"a board twice", `"version": 1`, `"version": 1, "boards": {"metrics": ["goal-days", "calls", "goal-days"]}`, `"goal-days"]`, `"goal-days" is there twice`, `keep one`, false},
	{"a board of too few places", `"version": 1`, `"version": 1, "boards": {"places": 2}`, `2}`, `boards.places: 2 is below 3`, `from 3 to 50`, true},
	{"a name in another form", `"version": 1`, `"version": 1, "boards": {"names": "nick"}`, `"nick"`, `"nick"`, `first_and_initial`, true},
	{"version zero", `"version": 1`, `"version": 0`, `0`, `version: 0 is below 1`, `from 1 to`, true},
	{"a fraction", `"rest_days": 3`, `"rest_days": 3.5`, `3.5`, `limits.rest_days: 3.5 is no whole number`, `whole number from 0 to 3650`, true},
	{"a whole number written as a fraction", `"rest_days": 3`, `"rest_days": 3.0`, `3.0`, `3.0 is no whole number`, `whole number`, false},
	{"an exponent", `"rest_days": 3`, `"rest_days": 3e0`, `3e0`, `is no whole number`, `whole number`, false},
	{"a number beyond all ranges", `"rest_days": 3`, `"rest_days": 99999999999999999999999`, `9999`, `is above 3650`, `from 0 to 3650`, true},
	{"a number in quotation marks", `"rest_days": 3`, `"rest_days": "3"`, `"3"`, `a text, where a whole number belongs`, `without quotation marks`, true},
	{"a list in place of an object", `"limits": {`, `"goals2": [], "limits": [], "worth2": {`, `[], "worth2"`, `limits: this is a list, where an object belongs`, `{ "name": value`, true},
	{"a weight beyond reason", `"base": -2600`, `"base": -12001`, `-12001`, `triggers.new_lead.log_odds.base: -12001 is below -12000`, `from -12000 to 12000`, true},
	{"a step's weight beyond reason", `[2, 1800]`, `[2, 18000]`, `18000`, `18000 is above 12000`, `from -12000 to 12000`, true},
	{"a chance above one", `"opt_out_chance": [131`, `"opt_out_chance": [65537`, `65537`, `65537 is above 65536`, `from 0 to 65536`, true},
	{"a chance too few", `"opt_out_chance": [131, `, `"opt_out_chance": [`, `[`, `4 items, fewer than 5`, `add what is missing`, true},
	{"a channel better than the best", `"channel": {"text": -500`, `"channel": {"text": 500`, `500`, `500 is above 0`, ``, true},
	{"a channel that is none", `["call", "text", "email", "in_person"]`, `["call", "sms"]`, `"sms"`, `"sms" is not known here`, `call, text, email, in_person`, true},
	{"a channel twice", `["call", "text", "email", "in_person"]`, `["call", "call"]`, `"call"]`, `"call" is there twice`, `keep one`, true},
	{"a mode that is none", `"mode": "suggest"`, `"mode": "automatic"`, `"automatic"`, `"automatic" is not known here`, `did you mean "automate"?`, true},
	{"nine contents", `"contents": [`, `"contents": [` + strings.Repeat(`{"write": {"en": "a", "es": "b"}, "say": {"en": "a", "es": "b"}}, `, 5), ``, `the list has more than 8 items`, `take out`, true},
	{"steps that fall", `[2, 1800], [8, 494]`, `[8, 1800], [2, 494]`, `[2, 494]`, `2 is not above 8 of the step before`, `rising order`, false},
	{"a staircase with an end", `[31, -944], [null, -1885]]`, `[31, -944], [61, -1885]]`, `]`, `the last step has an end`, `null in place of 61`, false},
	{"steps behind the last", `[31, -944], [null, -1885]]`, `[31, -944], [null, -1885], [90, 0]]`, `[90, 0]`, `a step follows the one without an end`, `the last one with null`, false},
	{"a step of three", `[2, 1800]`, `[2, 1800, 1]`, `1]`, `more than 2 items`, ``, true},
	{"seventeen metrics", `"metrics": [`, `"metrics": [` + strings.Repeat(`{"name": "a", "label": {"en": "a", "es": "a"}, "kinds": ["a"], "unit": "act"}, `, 7), ``, `the list has more than 16 items`, `take out`, true},
	{"a time that is none", `"nudge_from": "17:00"`, `"nudge_from": "5 pm"`, `"5 pm"`, `"5 pm" is no time of day`, `"17:30"`, true},
	{"a remote logo", `"limits": {`, `"brand": {"logo": "https://www.example.com/logo.svg"}, "limits": {`, `"https://www`, `is an address: devices without signal`, `64 KiB`, true},
	{"a logo that runs", `"limits": {`, `"brand": {"logo": "<svg><path onload ='x()'/></svg>"}, "limits": {`, `"<svg>`, `has "onload" in its SVG`, ``, false},
	{"a logo that fetches", `"limits": {`, `"brand": {"logo": "<svg><image href='https://x.example'/></svg>"}, "limits": {`, `"<svg>`, `which could fetch or run something`, ``, false},
	{"a parameter that is none", `"limits": {`, `"sharing": {"sharer": "who shared"}, "limits": {`, `"who shared"`, `"who shared" is no such name`, `the name of a parameter`, true},
	{"a parameter for two things", `"limits": {`, `"sharing": {"sharer": "ref", "piece": "ref"}, "limits": {`, `"ref"}`, `"ref" is there twice`, `a name of its own`, false},
	{"a color that is none", `"limits": {`, `"brand": {"colors": {"primary": "green"}}, "limits": {`, `"green"`, `"green" is no color`, `#0b6e4f`, true},
	{"an address without encryption", `"url": "https://www.example.com/webinar"`, `"url": "http://www.example.com/webinar"`, `"http:`, `does not begin with https://`, `https://`, true},
	{"an address that runs", `"url": "https://www.example.com/webinar"`, `"url": "javascript:alert(1)"`, `"javascript:`, `does not begin with https://`, ``, true},
	{"a name that is none", `"name": "overview-webinar"`, `"name": "Overview Webinar"`, `"Overview Webinar"`, `is no such name`, `lower-case letter`, true},

	// texts
	{"a placeholder that is none", `"Write to one person"`, `"Write to {nmae}"`, `"Write to {nmae}"`, `{nmae} stands for nothing here`, `the text without braces`, true},
	{"a placeholder misspelt", `"Thanks for reaching out! `, `"Thanks, {nmae}! `, `"Thanks, {nmae}`, `{nmae} stands for nothing here`, `did you mean {name}?`, true},
	{"a brace left open", `"Thanks for reaching out! `, `"Thanks, {name! `, `"Thanks, {name`, `a brace without its other half`, `{name} or {sender} or {days}`, true},
	{"an empty text", `"en": "Write to one person"`, `"en": ""`, `""`, `the text is empty`, `1 to 120 characters`, true},
	{"a text too long", `"en": "Write to one person"`, `"en": "` + strings.Repeat("é", 121) + `"`, `"éé`, `has 121 characters, more than 120`, `1 to 120`, true},
	{"a line break", `"en": "Write to one person"`, `"en": "Write\nto one person"`, `"Write`, `cannot be seen`, `one line`, false},
	{"a language that the playbook is not in", `"en": "Write to one person"`, `"en": "Write to one person", "fr": "Écris à quelqu'un"`, `"Écris`, `the playbook is not in "fr"`, `"languages"`, false},
	{"a language that is none", `"en": "Write to one person"`, `"english": "Write to one person"`, `"english"`, `"english" is no language tag`, `"pt-BR"`, true},
	{"a language twice", `"en": "Write to one person"`, `"en": "Write to one person", "en": "Write"`, `"en": "Write"`, `"en" is there twice`, `keep one`, false},
	{"a text missing in a language", `"en": "Write to one person", `, ``, `{"es": "Escribe a una persona"}`, `the text is missing in "en"`, `add "en"`, false},
	{"a text without languages", `{"en": "Write to one person", "es": "Escribe a una persona"}`, `{}`, `{}`, `the text is in no language`, `"en"`, true},
	{"a text without its braces", `{"en": "Write to one person", "es": "Escribe a una persona"}`, `"Write to one person"`, `"Write`, `a text, where a text by its languages belongs`, `{ "en"`, true},
	{"languages that overlap", `"languages": ["en", "es"]`, `"languages": ["en", "es"], "drafts": ["es"]`, `"es"],`, `"es" is there twice`, `once`, false},

	// between fields
	{"on and for nobody", `"stages": ["prospect"],`, ``, `{`, `"stages" is missing`, `"prospect"`, true},
	{"on and by no way", `"channels": ["call", "text", "email", "in_person"],`, ``, `{`, `"channels" is missing`, `call, text, email, in_person`, true},
	{"on and without words", `"contents": [`, `"log_odds": {}}, "nurture": {"mode": "off", "contents": [`, `{`, `"contents" is missing`, `"off"`, true},
	{"automated by telephone", lead, strings.NewReplacer("suggest", "automate", `, "text", "email"`, "").Replace(lead), `["call", "in_person"]`, `no machine calls or visits people`, `"text" or "email"`, false},
	{"a notice without a step", `"mode": "suggest",`, `"mode": "automate", "notice": {"minutes": 15, "words": {"en": "{name} is there", "es": "{name} está"}},`, `{"minutes"`, `nobody would have a step to take`, `noise`, true},
	{"a notice that says nothing", `"mode": "suggest",`, `"mode": "suggest", "notice": {"minutes": 15},`, `{"minutes"`, `"words" is missing`, `add "words"`, true},
	{"a deadline after the end", `"deadline_days": 7,`, `"deadline_days": 31,`, `31`, `but the step is withdrawn after 30`, `at most 30`, false},
	{"a content that ends before it begins", `"until_days": 7`, `"from_days": 9, "until_days": 7`, `7`, `ends after 7 days, before it begins after 9`, `at least 9`, false},
	{"a content with a piece that is not there", `"until_days": 7`, `"until_days": 7, "piece": "how-sam-begun"`, `"how-sam-begun"`, `is no piece of "pieces"`, `did you mean "how-sam-began"?`, false},
	{"a content without words to write", `"reason": "form_ago"`, `"reason": "form_ago"}, {"say": {"en": "Hi", "es": "Hola"}`, `{"say"`, `"write" is missing: the content may go by text, email`, `leave text, email out`, false},
	{"a content without words to say", `"reason": "form_ago"`, `"reason": "form_ago"}, {"write": {"en": "Hi", "es": "Hola"}`, `{"write"`, `"say" is missing: the content may go by call`, `leave call out`, false},
	{"a content that goes nowhere", `"reason": "form_ago"`, `"reason": "form_ago", "channels": []`, `[]`, `suits none of the trigger's channels`, `add one of call, text`, false},
	{"a trigger that people have no name for", `"label": {"en": "A new lead", "es": "Un contacto nuevo"},`, ``, `{`, `"label" is missing`, `add "label"`, false},
	{"a greeting too few", `"neither": {"en": "Hi!", "es": "¡Hola!"}`, `"note": "later"`, `{`, `greeting: "neither" is missing`, `add "neither"`, true},
	{"a verb too few", `"call": {"en": "Call {name}", "es": "Llama a {name}"},`, ``, `{`, `verbs: "call" is missing`, `add "call"`, true},
	{"a verb without the name", `"Call {name}"`, `"Call"`, `"Call"`, `the text has no {name}`, `put {name} where`, false},
	{"no verbs at all", verbs, ``, `{`, `"verbs" is missing`, `add "verbs"`, true},
	{"lapsed before due", `"lapsed_percent": 200`, `"lapsed_percent": 60`, `60`, `before a refill is due`, `more than 75`, false},
	{"fitted to itself", `"version": 1,`, `"version": 1, "fitted": 1,`, `1,`, `no earlier one`, `take it out`, false},
	{"a metric twice", `"name": "followup",` + "\n        " + `"label": {"en": "follow-ups"`, `"name": "outreach", "label": {"en": "follow-ups"`, `"outreach", "label": {"en": "follow-ups"`, `"outreach" is there twice`, `a name of its own`, false},
	{"more core metrics than there are", `"core": 4`, `"core": 11`, `11`, `but there are 10`, `at most 10`, false},
	{"nudges that end before they begin", `"nudge_until": "21:00"`, `"nudge_until": "16:00"`, `"16:00"`, `would end before they begin`, `later`, false},
	{"a badge for a metric that is not there", `"metric": "calls"`, `"metric": "call"`, `"call"`, `"call" is no metric`, `did you mean "calls"?`, false},
	{"levels that fall", `"levels": [60, 600, 3000, 6000]`, `"levels": [60, 600, 300, 6000]`, `300,`, `300 is not above 600`, `rising order`, false},
	{"a piece twice", `"name": "overview-webinar"`, `"name": "overview-video"`, `"overview-video",` + "\n" + `      "kind": "webinar"`, `"overview-video" is there twice`, `a name of its own`, false},
	{"commitments out of order", `"day": 8,` + "\n        " + `"targets"`, `"day": 3, "targets"`, `3,`, `day 3 does not come after day 4`, `by day`, false},
	{"a commitment to nothing known", `{"metric": "outreach", "daily": 1}`, `{"metric": "outreech", "daily": 1}`, `"outreech"`, `is no metric of goals.metrics`, `did you mean "outreach"?`, false},
	{"steps out of order", `"day": 9,` + "\n        " + `"kind"`, `"day": 7, "kind"`, `7,`, `day 7 comes before day 8`, `by day`, false},
	{"day 91", `"day": 90,`, `"day": 91,`, `91`, `91 is above 90`, `from 1 to 90`, true},

	// a company's own triggers
	{"an own trigger that is sound but for its name", `"triggers": {`, own("own9", `"cadence_days": [2, 7], "open_days": 3`), `"own9"`, `"own9" is not known here`, `did you mean "own`, true},
	{"a cadence that falls", `"triggers": {`, own("own8", `"cadence_days": [7, 2], "open_days": 3`), `2]`, `day 2 does not come after day 7`, `rising order`, false},
	{"a cadence without days to do it", `"triggers": {`, own("own8", `"cadence_days": [2, 7]`), `{"cadence_days"`, `"open_days" is missing`, `add "open_days"`, false},
	{"days to do it without a cadence", `"triggers": {`, own("own8", `"open_days": 3, "tests": [{"of": "order_days", "min": 1}]`), `3,`, `there is no cadence`, `add "cadence_days"`, false},
	{"a moment without an end", `"triggers": {`, own("own8", `"since": "since_created"`), `{"since"`, `would never end`, `"cadence_days" or "tests"`, false},
	{"a test that cannot hold", `"triggers": {`, own("own8", `"tests": [{"of": "spent_cents", "min": 5, "max": 4}]`), `{"of"`, `the least, 5, is above the most, 4`, `no greater than`, false},
	{"a test that always holds", `"triggers": {`, own("own8", `"tests": [{"of": "spent_cents"}]`), `{"of"`, `holds for everybody`, `add "min" or "max"`, false},
	{"a test of nothing known", `"triggers": {`, own("own8", `"tests": [{"of": "spent_dollars", "min": 1}]`), `"spent_dollars"`, `is not known here`, `spent_cents`, true},
	{"a cadence since a count", `"triggers": {`, own("own8", `"since": "order_days", "cadence_days": [2], "open_days": 3`), `"order_days"`, `is not known here`, ``, true},
	{"nine tests", `"triggers": {`, own("own8", `"tests": [`+strings.Repeat(`{"of": "order_days", "min": 1}, `, 8)+`{"of": "order_days", "min": 1}]`), `{"of"`, `more than 8 items`, `take out`, true},
	{"a deadline after a step of the cadence", `"triggers": {`, strings.Replace(own("own8", `"cadence_days": [2, 7], "open_days": 3`), `"mode"`, `"deadline_days": 3, "mode"`, 1), `3, "mode"`, `but a step is open for 3`, `at most 2`, false},
	{"a text that nobody sees", `"First playbook"`, `"\u200b\ufeff \u00ad\u202e"`, `"\u200b`, `no character that can be seen`, ``, false},

	// numbers in the forms of a language
	{"a form that is none", `"triggers": {`, strings.Replace(own("own8", `"cadence_days": [2, 7], "open_days": 3`), `"{days} days"`, `"{days|some:# days|other:# days}"`, 1), `"{days|som`, `is none of zero, one, two`, `{days|one:# day|other:# days}`, true},
	{"no form for the others", `"triggers": {`, strings.Replace(own("own8", `"cadence_days": [2, 7], "open_days": 3`), `"{days} days"`, `"{days|one:# day|few:# days}"`, 1), `"{days|one`, `has no form for "other"`, `{days|one:# day|other:# days}`, true},
	{"a form without words", `"triggers": {`, strings.Replace(own("own8", `"cadence_days": [2, 7], "open_days": 3`), `"{days} days"`, `"{days|one:|other:# days}"`, 1), `"{days|one`, `has no words for "one"`, `{days|one:# day|other:# days}`, true},
	{"a form twice", `"triggers": {`, strings.Replace(own("own8", `"cadence_days": [2, 7], "open_days": 3`), `"{days} days"`, `"{days|one:# day|one:# d|other:# days}"`, 1), `"{days|one`, `has two forms for "one"`, `{days|one:# day|other:# days}`, false},

	// JSON itself
	{"a comma too many", `"en", "es"]`, `"en", "es",]`, `,]`, `a comma stands before the end`, `take this comma out`, false},
	{"two commas", `"rest_days": 3,`, `"rest_days": 3,,`, `,`, `a comma follows another`, `take one of the two out`, false},
	{"NaN", `"rest_days": 3`, `"rest_days": NaN`, `NaN`, `NaN is no value`, `write a number`, false},
	{"a text without quotation marks", `"First playbook"`, `First playbook`, `First`, `First is no value`, `straight quotation marks`, false},
	{"a comment before a name", `"version": 1,`, "// the first\n\"version\": 1,", `// the`, `a comment cannot stand here`, `"note"`, false},
	{"a comment of another kind", `"version": 1,`, "# the first\n\"version\": 1,", `# the`, `a comment cannot stand here`, `"note"`, false},
	{"a space that holds words together", `"rest_days": 3`, "\"rest_days\":\u00a03", "\u00a03", `no plain one`, `plain space`, false},
	{"a tab in a text", `"First playbook"`, "\"First\tplaybook\"", "\tplaybook", `a tab, or something else that cannot be seen`, `a space in its place`, false},
	{"a text that is not closed by its brace", `"es": "Un contacto nuevo"},`, `"es": "Un contacto nuevo",`, `"purpose"`, `"purpose" stands among the languages of a text`, `close the text that stands above`, false},
	{"a comma missing", `"version": 1,`, `"version": 1`, `"name"`, `a comma is missing before this`, `put a comma`, false},
	{"a colon missing", `"version": 1,`, `"version" 1,`, `1,`, `a colon is missing`, `"name": value`, false},
	{"a name without quotation marks", `"version": 1,`, `version: 1,`, `version`, `a name in quotation marks is missing`, `quotation marks`, false},
	{"curly quotation marks", `"version": 1,`, `“version”: 1,`, `“version`, `a name in quotation marks is missing`, `straight`, false},
	{"a comment", `"version": 1,`, `"version": /* the first */ 1,`, `/*`, `a comment cannot stand here`, `"note"`, false},
	{"True", `"board": true`, `"board": True`, `True`, `True is written in lower case`, `true, false`, false},
	{"a leading zero", `"version": 1,`, `"version": 01,`, `01`, `01 is not written as numbers are here`, `no zeros in front`, false},
	{"a plus", `"version": 1,`, `"version": +1,`, `+1`, `+1 is not written as numbers are here`, ``, false},
	{"a text without end", `"First playbook",`, `"First playbook,`, `"First playbook,`, `goes on over the end of the line`, `quotation mark`, false},
	{"an odd escape", `"First playbook"`, `"First \playbook"`, `\playbook`, `a backslash stands before`, `\\`, false},
	{"half a surrogate", `"First playbook"`, `"First \ud83d"`, `\ud83d`, `a backslash stands before`, ``, false},
	{"no UTF-8", `"First playbook"`, "\"First \xff playbook\"", `First`, `not UTF-8`, `UTF-8`, false},
}

// own is the beginning of the triggers with one of a company's own.
func own(name, when string) string {
	return `"triggers": {"` + name + `": {"mode": "suggest", "label": {"en": "A", "es": "A"}, "purpose": {"en": "to a", "es": "para a"}, "because": {"en": "{days} days", "es": "{days} días"},
    "stages": ["customer"], "when": {` + when + `}, "channels": ["call"], "contents": [{"say": {"en": "Hi", "es": "Hola"}, "channels": ["call"]}]},`
}

const verbs = `  "verbs": {
    "call": {"en": "Call {name}", "es": "Llama a {name}"},
    "text": {"en": "Text {name}", "es": "Escribe a {name}"},
    "email": {"en": "E-mail {name}", "es": "Envía un correo a {name}"},
    "in_person": {"en": "See {name}", "es": "Ve a ver a {name}"}
  },
`

// lead is how the first trigger of the small playbook begins.
const lead = `"mode": "suggest",
      "label": {"en": "A new lead", "es": "Un contacto nuevo"},
      "purpose": {"en": "to say hello", "es": "para saludar"},
      "stages": ["prospect"],
      "channels": ["call", "text", "email", "in_person"]`

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	if err := c.AddResource("playbook.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("playbook.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWhatIsWrongIsSaidWithPlaceReasonAndRemedy(t *testing.T) {
	s := compiled(t)
	base := small(t)
	for _, w := range wrongs {
		if _, ok := ranking.ParseTrigger("own8"); !ok && strings.Contains(w.now, `"own`) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			text := strings.Replace(base, w.old, w.now, 1)
			if text == base {
				t.Fatalf("%q does not stand in the first playbook", w.old)
			}
			_, err := Parse([]byte(text))
			var ps Problems
			if !errors.As(err, &ps) {
				t.Fatalf("it was taken: %v", err)
			}
			found := false
			for _, p := range ps {
				lines := strings.SplitAfter(text, "\n")
				at := string([]rune(strings.Join(lines[p.Line-1:], ""))[max(p.Column-1, 0):])
				if strings.Contains(p.Said(), w.reason) && strings.Contains(p.Remedy, w.remedy) && strings.HasPrefix(at, w.at) {
					found = true
				}
			}
			if !found {
				t.Errorf("want %q at %q with %q, got:\n%s", w.reason, w.at, w.remedy, strings.ReplaceAll(err.Error(), "; ", "\n"))
			}
			if len(ps) > 3 && !strings.Contains(w.name, "metrics") {
				t.Errorf("one slip was said %d times: %v", len(ps), err)
			}
			for _, p := range ps {
				if p.Line < 1 || p.Column < 1 || p.Reason == "" || p.Remedy == "" {
					t.Errorf("%+v lacks something", p)
				}
			}
			doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
			if err != nil {
				if w.schema {
					t.Errorf("it is no JSON: %v", err)
				}
				return
			}
			if err := s.Validate(doc); (err != nil) != w.schema {
				t.Errorf("the schema says %v", err)
			}
		})
	}
}

func TestTheFirstPlaybookFitsTheSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Default().Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled(t).Validate(doc); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoPlaybookAtAll(t *testing.T) {
	deep := strings.Repeat("[", 1<<16)
	for text, want := range map[string]string{
		"":                    `1:1: the file is empty`,
		"null":                `1:1: this is null, where an object belongs`,
		"[]":                  `1:1: this is a list, where an object belongs`,
		"{":                   `1:2: the text ends too early`,
		"{}}":                 `1:3: something follows the end of the playbook`,
		"{}\x00":              `1:3: a zero byte stands in the text`,
		"\xef\xbb\xbf{}":      `"format" is missing`,
		`{"x": ` + deep:       `this is nested too deep`,
		`{"version": ` + deep: `this is nested too deep`,
		`{"note": "` + strings.Repeat("a", MaxBytes) + `"}`: `more than 1048576`,
		"\xff\xfe{\x00}\x00":    `1:1: the file is UTF-16`,
		"\xfe\xff\x00{\x00}":    `1:1: the file is UTF-16`,
		"{\x00}\x00":            `1:1: the file is UTF-16`,
		"PK\x03\x04":            `1:1: the file is no playbook`,
		"format: 1\nversion: 1": `1:1: the file is no playbook`,
		"// mine\n{}":           `1:1: a comment cannot stand here`,
	} {
		_, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: got %.200v, want %q", text, err, want)
		}
	}
}
