package ranking

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// lenientImporter knows only the names of imported packages: the check needs the types of our own expressions.
type lenientImporter struct{}

func (lenientImporter) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	p.MarkComplete()
	return p, nil
}

func TestSourcesHaveNoFloatNoMapRangeNoClockNoDice(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) < 5 {
		t.Fatalf("only %d sources found", len(files))
	}
	for _, wrong := range impurities(fset, files) {
		t.Error(wrong)
	}

	// The check itself sees what it must see.
	bad := `package p
		import ("math"; "time"; "math/rand")
		var m = map[int]int{}
		func f() { for range m {}; x := 1.5; _ = x; _ = float32(1); _ = m; go f(); var c complex128; _ = c }`
	f, err := parser.ParseFile(fset, "bad.go", bad, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := impurities(fset, []*ast.File{f}); len(got) < 8 {
		t.Errorf("the check finds only %q in a bad source", got)
	}
}

func impurities(fset *token.FileSet, files []*ast.File) (found []string) {
	allowed := map[string]bool{
		"bytes": true, "cmp": true, "encoding/binary": true, "errors": true, "math/bits": true, "slices": true, "strconv": true, "strings": true,
		"unicode": true, "unicode/utf8": true,
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	conf := types.Config{Importer: lenientImporter{}, Error: func(error) {}}
	_, _ = conf.Check("ranking", fset, files, info)
	bad := func(n ast.Node, what string) { found = append(found, fset.Position(n.Pos()).String()+": "+what) }
	for _, f := range files {
		for _, imp := range f.Imports {
			if path, _ := strconv.Unquote(imp.Path.Value); !allowed[path] {
				bad(imp, "import of "+path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.RangeStmt:
				typ := info.TypeOf(n.X)
				if typ == nil {
					bad(n, "range over something of unknown type")
				} else if _, isMap := typ.Underlying().(*types.Map); isMap {
					bad(n, "range over a map")
				}
			case *ast.GoStmt, *ast.SelectStmt:
				bad(n, "concurrency")
			case *ast.BasicLit:
				if n.Kind == token.FLOAT || n.Kind == token.IMAG {
					bad(n, "a floating-point literal")
				}
			}
			if e, ok := n.(ast.Expr); ok {
				if typ := info.TypeOf(e); typ != nil {
					if b, ok := typ.Underlying().(*types.Basic); ok && b.Info()&(types.IsFloat|types.IsComplex) != 0 {
						bad(n, "an expression of type "+b.Name())
					}
				}
			}
			return true
		})
	}
	return found
}

func TestNamesAreStableAndReadBack(t *testing.T) {
	snake := regexp.MustCompile(`^[a-z]+[1-8]?(_[a-z]+)*$`)
	seen := map[string]bool{}
	check := func(kind, name string, back bool) {
		t.Helper()
		if !snake.MatchString(name) || seen[kind+name] || !back {
			t.Errorf("%s %q is no snake_case name, there twice, or does not read back", kind, name)
		}
		seen[kind+name] = true
	}
	for v := range NumTriggers {
		got, ok := ParseTrigger(v.String())
		check("trigger", v.String(), ok && got == v)
	}
	for v := NoOutcome; v <= Enrolled; v++ {
		got, ok := ParseOutcome(v.String())
		check("outcome", v.String(), ok && got == v)
	}
	for v := range NumChannels {
		got, ok := ParseChannel(v.String())
		check("channel", v.String(), ok && got == v)
	}
	for v := Prospect; v <= Promoter; v++ {
		got, ok := ParseStage(v.String())
		check("stage", v.String(), ok && got == v)
	}
	for v := Prospects; v <= Members; v++ {
		got, ok := ParseList(v.String())
		check("list", v.String(), ok && got == v)
	}
	for v := range NumReasons {
		got, ok := ParseReasonCode(v.String())
		check("reason", v.String(), ok && got == v)
	}
	if RefillDue.String() != "refill_due" || NotReady.String() != "not_ready" || InPerson.String() != "in_person" {
		t.Error("a name that is in the log has changed")
	}
	if TriggerID(200).String() != "unknown" || Outcome(200).String() != "unknown" {
		t.Error("a number without a name is not unknown")
	}
	for _, s := range []string{"", "unknown", "Refill_Due", "refill_due "} {
		if _, ok := ParseTrigger(s); ok {
			t.Errorf("%q is read as a trigger", s)
		}
	}
}

func TestDaysAreDatesOfTheHomeCalendar(t *testing.T) {
	for _, c := range []struct {
		milli  int64
		offset int
		want   string
	}{
		{0, 0, "1970-01-01"},
		{-1, 0, "1969-12-31"},
		{86_399_999, 0, "1970-01-01"},
		{86_400_000, 0, "1970-01-02"},
		{1_795_320_000_000, 0, "2026-11-22"},    // 04:00 UTC …
		{1_795_320_000_000, -300, "2026-11-21"}, // … is 23:00 of the day before in New York
		{1_795_388_400_000, 0, "2026-11-22"},    // 23:00 UTC …
		{1_795_388_400_000, 540, "2026-11-23"},  // … is the next morning in Tokyo
		{1_709_164_800_000, 0, "2024-02-29"},
		{-62_167_219_200_000, 0, "0000-01-01"},
		{1<<63 - 1, 0, "5881580-07-11"},
		{-1 << 63, 0, "-5877641-06-23"},
	} {
		if got := DayOf(c.milli, c.offset).String(); got != c.want {
			t.Errorf("DayOf(%d, %d) = %s, want %s", c.milli, c.offset, got, c.want)
		}
	}
	for d := Day(-719_528); d < 2_932_897; d += 11 { // 0000-01-01 to 9999-12-31
		if back, err := ParseDay(d.String()); err != nil || back != d {
			t.Fatalf("%v reads back as %v, %v", d, back, err)
		}
	}
	for _, s := range []string{"", "2026-11-2", "2026-02-29", "2026-13-01", "2026-00-10", "2026-11-31", "2026/11/22", "20261-1-22", "+026-11-22", "2026-11-22 "} {
		if d, err := ParseDay(s); err == nil {
			t.Errorf("%q is read as %v", s, d)
		}
	}
}

// flaws are what is left when a sentence is made of nothing.
var flaws = regexp.MustCompile(`[{}]|  | [,.!?;:]|,[,.!?]|[.,]\.|^ | $|it's \.|it's ,|soy \.|Hi ,|Hola ,|\bto about\b`)

func TestWordsAreFinishedInBothLanguagesForEveryStep(t *testing.T) {
	pb := DefaultPlaybook()
	seen := map[string]string{}
	for tr := range NumTriggers {
		if pb.Rules[tr].Stages == 0 {
			continue
		}
		if n := len(pb.Rules[tr].Contents); n != len(defaultWords[tr].contents) || n == 0 || n > MaxContents {
			t.Errorf("%v: %d contents, %d wordings", tr, n, len(defaultWords[tr].contents))
		}
		for i, texts := range []Texts{pb.Rules[tr].Label, pb.Rules[tr].Purpose} {
			if !texts.whole() || len(texts) != 2 {
				t.Errorf("%v: no label or purpose (%d)", tr, i)
			}
		}
		for ch := range NumChannels {
			for _, lang := range []string{"en", "es"} {
				for _, name := range []string{"", "Ann", " José  Luis "} {
					s := pb.Step(tr, ch, lang, name)
					given := strings.Join(strings.Fields(name), " ")
					if name == "" {
						given = map[string]string{"en": "this contact", "es": "este contacto"}[lang]
					}
					if flaws.MatchString(s) || strings.Count(s, given) != 1 || strings.HasSuffix(s, ".") {
						t.Errorf("%v by %v in %s: step %q", tr, ch, lang, s)
					}
					for _, sender := range []string{"", "Rosa"} {
						for ct := range pb.Rules[tr].Contents {
							w := pb.Wording(tr, ch, uint16(ct), lang, name, sender, 5)
							where := tr.String() + " " + strconv.Itoa(ct) + " by " + ch.String() + " in " + lang
							checkWords(t, where, w, lang, ch, strings.Join(strings.Fields(name), " "), sender)
							voice := tr.String() + strconv.Itoa(ct) + map[Channel]string{Call: "spoken", InPerson: "spoken"}[ch]
							if other, there := seen[w]; there && other != voice {
								t.Errorf("%s says the same as %s", where, other)
							}
							seen[w] = voice
						}
					}
				}
			}
		}
	}
	if pb.Wording(NewLead, Text, 99, "en", "", "", 5) != "" || pb.Wording(NumTriggers, Text, 0, "en", "", "", 5) != "" ||
		pb.Wording(NewLead, NumChannels, 0, "en", "", "", 5) != "" || pb.Step(NumTriggers, Text, "en", "") != "" {
		t.Error("words for what is not there")
	}
	if pb.Wording(NewLead, Text, 0, "fr", "A", "B", 5) != pb.Wording(NewLead, Text, 0, "en", "A", "B", 5) ||
		pb.Wording(NewLead, Text, 0, "es_AR", "A", "B", 5) != pb.Wording(NewLead, Text, 0, "es", "A", "B", 5) {
		t.Error("a language is taken for another")
	}
	for code := CapturedAgo; code < NumReasons; code++ {
		for _, n := range []int64{0, 1, 2, 45, -3} {
			for _, lang := range []string{"en", "es"} {
				args := [3]int64{n, n, n}
				if code == OwnMoment {
					args[1] = 1
				}
				if s := pb.Sentence(Reason{Code: code, Args: args}, lang); s == "" || strings.Contains(s, "{") {
					t.Errorf("%v with %d in %s: %q", code, n, lang, s)
				}
			}
		}
	}
}

func checkWords(t *testing.T, where, w, lang string, ch Channel, name, sender string) {
	t.Helper()
	if flaws.MatchString(w) || len(w) > 320 || len(w) < 30 {
		t.Errorf("%s, name %q, sender %q: %q", where, name, sender, w)
	}
	if strings.Contains(strings.TrimPrefix(w, "¡"), "Hola") != (lang == "es") || strings.HasPrefix(w, "Hi") != (lang == "en") {
		t.Errorf("%s: wrong greeting in %q", where, w)
	}
	if !strings.Contains(w, name) || strings.Contains(w, "Rosa") != (sender != "" && ch != InPerson) {
		t.Errorf("%s: the names are missing or too many in %q", where, w)
	}
	if ch == InPerson && regexp.MustCompile(`(?i)\bcall|\bllam(ar|o\b)|it's Rosa|soy Rosa|escrib`).MatchString(w) {
		t.Errorf("%s: words for the phone said face to face: %q", where, w)
	}
}

func TestGreetings(t *testing.T) {
	pb := DefaultPlaybook()
	for _, c := range []struct{ lang, name, sender, want string }{
		{"en", "Joanna", "Rosa", "Hi Joanna, it's Rosa. Did it"},
		{"en", "", "Rosa", "Hi, it's Rosa. Did it"},
		{"en", "Joanna", "", "Hi Joanna! Did it"},
		{"en", "", "", "Hi! Did it"},
		{"es", "Joanna", "Rosa", "Hola, Joanna, soy Rosa. ¿Te"},
		{"es", "", "Rosa", "Hola, soy Rosa. ¿Te"},
		{"es", "Joanna", "", "¡Hola, Joanna! ¿Te"},
		{"es", "", "", "¡Hola! ¿Te"},
	} {
		if w := pb.Wording(Watched, Text, 1, c.lang, c.name, c.sender, 5); !strings.HasPrefix(w, c.want) {
			t.Errorf("%q, want %q …", w, c.want)
		}
	}
	if w := pb.Wording(Watched, InPerson, 0, "en", "Joanna", "Rosa", 5); !strings.HasPrefix(w, "Hi Joanna! Thanks") {
		t.Errorf("%q", w)
	}
}

func TestFirstName(t *testing.T) {
	for full, want := range map[string]string{
		"Joanna": "Joanna", "  Joanna   Reyes ": "Joanna", "José Luis Ruiz": "José", "Ruiz, Ana": "Ana", "Ruiz, Dr. Ana": "Ana",
		"Dr. Ana Ruiz": "Ana", "DR ANA": "ANA", "Prof. Dr. Jan Holm": "Jan", "Mr. Tom Reed": "Tom", "Mrs. Reed": "", "Ms Reed": "",
		"Frau Dr. Ute Holm": "Ute", "Herr Holm": "", "Mme Claire Roy": "Claire", "Sr. Ruiz": "Ruiz", "Sra. Ana": "Ana", "Don": "Don",
		"Don Pedro": "Pedro", "Doña Ana Ruiz": "Ana", "Dr.": "", "Mr.": "", "": "", "   ": "", "+1 555 0100": "", "555-0100": "",
		"(555) 0100": "", "0049 171": "", "ana@example.com": "", "Ana ana@example.com": "", "+Ana": "", "李雷": "李雷", "Ana-María Ruiz": "Ana-María",
		"J. Reed": "J", "{name}": "", "Mister Tom Reed": "Tom", "O'Neil": "O'Neil", `"Bo" Reed`: "Bo", "-": "", ",": "", ", Ana": "Ana",
	} {
		if got := FirstName(full); got != want {
			t.Errorf("FirstName(%q) = %q, want %q", full, got, want)
		}
	}
}

func TestDefaultPlaybookIsAFreshCopy(t *testing.T) {
	a := DefaultPlaybook()
	a.Rules[NewLead].Contents[0].Arm[0] = 77
	a.Rules[NewLead].Weights[TriesMade][0].Score = 77
	a.Rules[NewLead].Contents[0].Write[0].Text = "x"
	if b := DefaultPlaybook(); b.Rules[NewLead].Contents[0].Arm[0] == 77 || b.Rules[NewLead].Weights[TriesMade][0].Score == 77 || b.Version != 6 || len(b.Rules[NewLead].Contents[0].Write) != 2 || b.Rules[NewLead].Contents[0].Write[0].Text == "x" {
		t.Error("a change to one playbook shows in another")
	}
	for tr, rule := range a.Rules {
		if rule.Stages == 0 {
			continue
		}
		best := int64(-1 << 62)
		for ch := range NumChannels {
			if rule.Channels>>ch&1 == 1 {
				best = max(best, rule.ByWay[ch])
			}
		}
		if best != 0 {
			t.Errorf("%v: the best channel has %d, want 0", TriggerID(tr), best)
		}
	}
}
