package playbook

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"trio/ranking"
)

var update = flag.Bool("update", false, "write playbook.schema.json and default.json anew")

// pair is a member of an object whose order counts.
type pair struct {
	key   string
	value any
}

type pairs []pair

func (p *pairs) add(key string, value any) { *p = append(*p, pair{key, value}) }

func (p pairs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(m.key) + ":")
		var v bytes.Buffer
		enc := json.NewEncoder(&v)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
		b.Write(bytes.TrimSpace(v.Bytes()))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// sketch visits a fresh document and draws its schema. now is the schema of the value that was visited last.
type sketch struct {
	t        *testing.T
	path     []string // without numbers of items; "trigger" for every trigger
	now      pairs
	usual    any // the value that a field has when it is left out
	fields   *pairs
	required *[]string
	defs     pairs
	used     map[string]bool
}

func (s *sketch) describe(path string) string {
	d := descriptions[path]
	if way := byWay[s.path[len(s.path)-1]]; d == "" && way != "" {
		return way
	}
	if d == "" {
		s.t.Errorf("schema_test.go has no description of %q: say its meaning and unit", path)
	}
	s.used[path] = true
	return d
}

var noteSchema = pairs{{"type", "string"}, {"description", "A remark of your own. It is read by nobody else: what is published leaves it out."}}

func (s *sketch) object(body func()) {
	fields, required := s.fields, s.required
	var mine pairs
	var needed []string
	s.fields, s.required = &mine, &needed
	body()
	s.fields, s.required = fields, required
	mine.add("note", noteSchema)
	if len(s.path) == 0 {
		mine.add("$schema", pairs{{"type", "string"}, {"description", "Where this schema lies, for editors that help while you write."}})
	}
	s.now = pairs{{"type", "object"}, {"properties", mine}, {"additionalProperties", false}}
	if len(needed) > 0 {
		s.now.add("required", needed)
	}
	s.usual = nil
}

func (s *sketch) field(name string, l left, _ bool, value func()) {
	n := len(s.path)
	s.path = append(s.path, name)
	defer func() { s.path = s.path[:n] }()
	path := strings.Join(s.path, ".")
	description := s.describe(path)
	if id, ok := ranking.ParseTrigger(name); ok && n == 1 && s.path[0] == "triggers" {
		s.path = []string{"trigger"}
		def := "trigger"
		if isOwn(id) {
			def = "own_trigger"
		}
		if !s.has(def) {
			s.defs.add(def, nil)
			value()
			s.now.add("if", pairs{{"properties", pairs{{"mode", pairs{{"const", "off"}}}}}})
			s.now.add("else", pairs{{"required", onFields(id)}})
			s.now.add("dependentSchemas", pairs{{"notice", pairs{{"properties", pairs{{"mode", pairs{{"enum", []string{"off", "suggest"}}}}}}}}})
			for i := range s.defs {
				if s.defs[i].key == def {
					s.defs[i].value = s.now
				}
			}
		}
		s.path = []string{"triggers", name}
		s.now, s.usual = pairs{{"$ref", "#/$defs/" + def}}, nil
	} else {
		value()
	}
	schema := append(pairs{{"description", description}}, s.now...)
	switch {
	case l == must:
		*s.required = append(*s.required, name)
	case l == shown && s.usual != nil:
		schema.add("default", s.usual)
	}
	s.fields.add(name, schema)
}

func onFields(id ranking.TriggerID) []string {
	if isOwn(id) {
		return []string{"stages", "when", "channels", "contents"}
	}
	return []string{"stages", "channels", "contents"}
}

func (s *sketch) has(def string) bool {
	for _, d := range s.defs {
		if d.key == def {
			return true
		}
	}
	return false
}

func (s *sketch) list(lo, hi, n int, resize func(int), item func(int)) {
	var usual any
	if n > 0 {
		all := []any{}
		for i := range n {
			item(i)
			all = append(all, s.usual)
		}
		usual = all
	} else {
		resize(1)
		item(0)
	}
	of := s.now
	s.now = pairs{{"type", "array"}, {"items", of}}
	if lo > 0 {
		s.now.add("minItems", lo)
	}
	s.now.add("maxItems", hi)
	s.usual = usual
}

func (s *sketch) integer(p *int64, lo, hi int64) {
	s.now = pairs{{"type", "integer"}, {"minimum", lo}, {"maximum", hi}}
	if lo == hi {
		s.now = pairs{{"const", lo}}
	}
	s.usual = *p
}

func (s *sketch) truth(p *bool) { s.now, s.usual = pairs{{"type", "boolean"}}, *p }

var patterns = map[*kind]string{
	&langKind:  languagePattern,
	&paramKind: "^[A-Za-z0-9._-]{1,32}$",
	&slugKind:  "^[a-z][a-z0-9-]{0,31}$",
	&entryKind: "^[a-z][a-z0-9._-]{0,31}$",
	&colorKind: "^#[0-9a-fA-F]{6}$",
	&urlKind:   "^https://[A-Za-z0-9.-]+",
	&logoKind:  "^(<svg|data:image/(png|jpeg|webp);base64,)",
	&titleKind: "", &labelKind: "",
}

const languagePattern = "^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"

func (s *sketch) str(_ *string, k *kind) {
	pattern, ok := patterns[k]
	if !ok {
		s.t.Errorf("%v: its kind has no pattern", s.path)
	}
	s.now = pairs{{"type", "string"}, {"minLength", 1}, {"maxLength", k.max}}
	if pattern != "" {
		s.now.add("pattern", pattern)
	}
	s.usual = nil
}

func given(names []string) (all []string) {
	for _, name := range names {
		if name != "" {
			all = append(all, name)
		}
	}
	return all
}

func (s *sketch) choice(p *int64, names []string) {
	s.now, s.usual = pairs{{"enum", given(names)}}, names[*p]
}

func (s *sketch) choices(_ *uint64, names []string) {
	s.now, s.usual = pairs{{"type", "array"}, {"items", pairs{{"enum", given(names)}}}, {"uniqueItems", true}, {"maxItems", len(names)}}, nil
}

func (s *sketch) clock(p *int64) {
	var w writer
	w.clock(p)
	s.now, s.usual = pairs{{"type", "string"}, {"pattern", "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"}}, json.RawMessage(w.b)
}

// counts is the part of a pattern for a number of days in the forms of a language.
func counts(k *textKind) string {
	if !strings.Contains(k.holes, " days ") {
		return ""
	}
	return "|\\{days(\\|(zero|one|two|few|many):[^{}|]+)*\\|other:[^{}|]+(\\|(zero|one|two|few|many):[^{}|]+)*\\}"
}

func (s *sketch) words(_ *ranking.Texts, k *textKind) {
	name, pattern := "text"+strconv.Itoa(k.max), "^[^{}]*$"
	if holes := strings.Fields(k.holes); len(holes) > 0 {
		name += "_" + strings.Join(holes, "_")
		pattern = "^([^{}]|\\{(" + strings.Join(holes, "|") + ")\\}" + counts(k) + ")*$"
	}
	if !s.has(name) {
		may := " Braces cannot stand in it."
		if k.holes != "" {
			may = " Names in braces that may stand in it: {" + strings.Join(strings.Fields(k.holes), "}, {") + "}."
		}
		if counts(k) != "" {
			may += " Where a language has more forms than two for what is counted, {days|one:# day|few:# days|other:# days}: the forms are zero, one, two, few, many and other, as CLDR has them, and # is the number."
		}
		s.defs.add(name, pairs{
			{"type", "object"},
			{"description", "One text by its languages, up to " + strconv.Itoa(k.max) + " characters each." + may},
			{"properties", pairs{{"note", noteSchema}}},
			{"patternProperties", pairs{{languagePattern, pairs{{"type", "string"}, {"minLength", 1}, {"maxLength", k.max}, {"pattern", pattern}}}}},
			{"additionalProperties", false},
			{"minProperties", 1},
		})
	}
	s.now, s.usual = pairs{{"$ref", "#/$defs/" + name}}, nil
}

func (s *sketch) stairs(_ *[]ranking.Bin, lo, hi int64) {
	if !s.has("staircase") {
		s.defs.add("staircase", pairs{
			{"type", "array"},
			{"description", "Steps [[below, score], …] in rising order: a number below the first takes the first score in milli-nats, and so on. The last step has null for no end."},
			{"items", pairs{
				{"type", "array"},
				{"prefixItems", []any{pairs{{"type", []string{"integer", "null"}}, {"minimum", -maxCount}, {"maximum", maxCount}}, pairs{{"type", "integer"}, {"minimum", lo}, {"maximum", hi}}}},
				{"minItems", 2},
				{"maxItems", 2},
			}},
			{"minItems", 1},
			{"maxItems", maxBins},
		})
	}
	s.now, s.usual = pairs{{"$ref", "#/$defs/staircase"}}, nil
}

func drawSchema(t *testing.T) []byte {
	s := sketch{t: t, used: map[string]bool{}}
	document(&s, fresh())
	root := pairs{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "A company's playbook"},
		{"description", "All that a company tells its promoters' devices: moments, wording, limits, goals, badges, content and a newcomer's first 90 days. trio playbook check says what is wrong with one, and knows more than this schema can say."},
	}
	root = append(append(root, s.now...), pair{"$defs", s.defs})
	for path := range descriptions {
		if !s.used[path] {
			t.Errorf("schema_test.go describes %q, which is no field", path)
		}
	}
	b, err := root.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return append(layOut(nil, b), '\n')
}

// golden compares with a committed file, or writes it with -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the code makes: go test ./ranking/playbook -update writes it anew; look at what changed", name)
	}
}

func TestSchemaIsTheFormWithDescriptions(t *testing.T) {
	golden(t, "playbook.schema.json", drawSchema(t))
}
