package playbook

import (
	"bytes"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"trio/ranking"
)

// filler puts something that is not the usual value into every field of a document.
type filler struct{ n int64 }

func (f *filler) object(body func())                           { body() }
func (f *filler) field(_ string, _ left, _ bool, value func()) { value() }
func (f *filler) truth(p *bool)                                { *p = true }
func (f *filler) choices(p *uint64, names []string)            { *p = 1<<len(names) - 1 }
func (f *filler) clock(p *int64)                               { f.n++; *p = 600 + f.n%60 }
func (f *filler) stairs(p *[]ranking.Bin, lo, hi int64) {
	*p = []ranking.Bin{{Below: 5, Score: lo}, {Below: noEnd, Score: hi}}
}

func (f *filler) list(lo, hi, n int, size func(int), it func(int)) {
	if n = max(n, lo, min(hi, 2)); n > 0 {
		size(n)
	}
	for i := range n {
		it(i)
	}
}

func (f *filler) integer(p *int64, lo, hi int64) {
	f.n++
	if *p = lo + 1 + f.n%7; *p > hi || *p == 0 {
		*p = hi
	}
}

func (f *filler) choice(p *int64, names []string) {
	for *p = int64(len(names)) - 1; names[*p] == ""; *p-- {
	}
}

func (f *filler) str(p *string, k *kind) {
	f.n++
	n := strconv.FormatInt(f.n, 10)
	for _, s := range []string{"a" + n, "de", "#abcdef", "https://www.example.com/" + n, "<svg></svg>"} {
		if *p = s; k.ok(s) == "" && (k != &langKind || s == "de") {
			return
		}
	}
}

func (f *filler) words(p *ranking.Texts, k *textKind) {
	f.n++
	text := "\"Ägypten\" \\ 𝄞 </script> " + strconv.FormatInt(f.n, 10)
	if k.need != "" {
		text += " {" + k.need + "}"
	}
	*p = ranking.Texts{{Lang: "en", Text: text}, {Lang: "es", Text: text}}
}

// full returns a sound document in which every field says something.
func full(t *testing.T) *Doc {
	t.Helper()
	d := fresh()
	document(&filler{}, d)
	d.Version, d.Fitted, d.Languages, d.Drafts = 9, 8, []string{"en", "es"}, []string{"pt-BR"}
	for i := range d.Goals.Metrics {
		d.Goals.Metrics[i].Name = "metric-" + strconv.Itoa(i)
		d.Goals.Metrics[i].Kinds = []string{"call"}
	}
	for i := range d.Goals.Badges {
		b := &d.Goals.Badges[i]
		b.Name, b.Measure, b.Metric, b.Levels = "badge-"+strconv.Itoa(i), ranking.ByDay, "metric-0", []int32{1, 2}
	}
	d.Goals.Core, d.Goals.NudgeFrom, d.Goals.NudgeUntil = 1, 100, 200
	for i := range d.Pieces {
		d.Pieces[i].Name = "piece-" + strconv.Itoa(i)
	}
	for i := range d.Ranking.Rules {
		r := &d.Ranking.Rules[i]
		r.Automate, r.Deadline, r.Expiry = r.Notice == nil, 3, 4
		if r.Automate = i%2 == 0; r.Automate {
			r.Notice = nil
		}
		for j := range r.Contents {
			r.Contents[j].Begins, r.Contents[j].Ends = true, true
			r.Contents[j].Piece, r.Contents[j].From, r.Contents[j].Until = "piece-1", 2, 3
			r.Contents[j].Channels = 1<<ranking.Text | 1<<ranking.Call
		}
		r.Channels = 1<<ranking.Text | 1<<ranking.Call
		if r.When != nil {
			r.When.Cadence, r.When.Open = []int64{1, 5}, 4
			for j := range r.When.Tests {
				r.When.Tests[j].Min, r.When.Tests[j].Max = 3, 4
			}
		}
	}
	d.Ranking.Reorder.DueFrom, d.Ranking.Reorder.LapseAt = 80, 210
	for i := range d.Newcomer.Commitments {
		c := &d.Newcomer.Commitments[i]
		c.Day, c.Targets = int32(i+1), []Target{{"metric-0", 3}, {"metric-1", 4}}
	}
	for i := range d.Newcomer.Steps {
		s := &d.Newcomer.Steps[i]
		s.Day, s.Metric, s.Piece = int32(i+1), "metric-1", "piece-0"
	}
	d.Boards.Metrics = []string{"metric-1", ranking.GoalDaysMetric}
	d.settle()
	return d
}

// empty finds fields, by reflection, that are the zero value in all items.
func empty(v reflect.Value, path string, into map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			into[path] = true
			empty(v.Elem(), path, into)
			return
		}
	case reflect.Struct:
		for i := range v.NumField() {
			empty(v.Field(i), path+"."+v.Type().Field(i).Name, into)
		}
		return
	case reflect.Slice, reflect.Array:
		if v.Len() > 0 && v.Index(0).Kind() != reflect.Uint8 {
			into[path] = true
			for i := range v.Len() {
				empty(v.Index(i), path+"[]", into)
			}
			return
		}
	}
	into[path] = into[path] || !v.IsZero()
}

// A field that is added to the types of ranking and not to the form would be lost on the way to devices.
func TestEveryFieldTravels(t *testing.T) {
	d := full(t)
	set := map[string]bool{}
	empty(reflect.ValueOf(d), "Doc", set)
	for path, filled := range set {
		if !filled {
			t.Errorf("%s is no part of the form", path)
		}
	}
	b := d.Encode()
	read, err := Parse(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	if !reflect.DeepEqual(d, read) {
		t.Errorf("written and read again it is another document: %+v", Diff(d, read))
	}
	if again := read.Encode(); !bytes.Equal(b, again) {
		t.Errorf("read and written again it is another text:\n%s\n%s", b, again)
	}
}

// A server that releases, and a device that shows the playbook, do so while others rank with it.
func TestWrittenOutAtOnce(t *testing.T) {
	for name, d := range map[string]*Doc{"full": full(t), "default": Default()} {
		want := d.Encode()
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if !bytes.Equal(d.Encode(), want) {
					t.Errorf("%s: written by two at once it is another text", name)
				}
				d.Warnings()
				Diff(d, d)
			})
		}
		if again, err := Parse(want); err != nil || !reflect.DeepEqual(d, again) { // each field is read
			t.Errorf("%s: while it is written out it is another document: %v", name, err)
		}
		all.Wait()
	}
}

func TestNotesAndOrderChangeNothing(t *testing.T) {
	base := small(t)
	first, err := Parse([]byte(base))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(base, `"version": 1,`, `"note": "ours", "$schema": "./x.json",`, 1)
	text = strings.Replace(text, `"format": 1,`, `"format": 1, "version": 1,`, 1)
	text = strings.Replace(text, `{"en": "Write to one person", "es": "Escribe a una persona"}`, `{"es": "Escribe a una persona", "note": "better words?", "en": "Write to one person"}`, 1)
	text = strings.ReplaceAll(text, "\n  ", "\r\n\t")
	text = strings.Replace(text, "Escribe", `\u0045scribe`, 1)
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d.Hash() != first.Hash() {
		t.Errorf("another hash: %+v", Diff(first, d))
	}
	if text == base {
		t.Error("nothing was changed")
	}
}

// What Parse needs is a small multiple of what it is given, however that is made up.
func TestParseNeedsLittleMemory(t *testing.T) {
	fill := func(before, item, after string) string {
		return before + strings.Repeat(item, (MaxBytes-len(before)-len(after))/len(item)) + after
	}
	for name, text := range map[string]string{
		"numbers":      fill(`{"languages": [`, `1,`, `1]}`),
		"languages":    fill(`{"languages": [`, `"a",`, `"a"]}`),
		"keys":         fill(`{`, `"":1,`, `"":1}`),
		"known keys":   fill(`{`, `"version":1,`, `"version":1}`),
		"steps":        fill(`{"newcomer": {"steps": [`, `{},`, `{}]}}`),
		"pieces":       fill(`{"pieces": [`, `{"name":"a"},`, `{}]}`),
		"texts":        fill(`{"greeting": {"both": {`, `"aa":"",`, `"ab":""}}}`),
		"bins":         fill(`{"reorder": {"ratio": [`, `[1,2],`, `[1,2]]}}`),
		"escapes":      fill(`{"name": "`, `\u0041`, `"}`),
		"an odd word":  fill(`{"version": `, `1`, `}`),
		"nested":       fill(`{"x": `, `[`, ``),
		"half a quote": fill(`{"name": "`, `x`, ``),
	} {
		b := []byte(text)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := Parse(b)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it was taken", name)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16*uint64(len(b)) {
			t.Errorf("%s: %d bytes took %d, in %d pieces", name, len(b), n, after.Mallocs-before.Mallocs)
		} else {
			t.Logf("%s: %.2f of the input", name, float64(n)/float64(len(b)))
		}
	}
}

// small is a short playbook with something of everything that people write: what is short is gone through, and changed,
// more often.
func small(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func FuzzParse(f *testing.F) {
	base := small(f)
	f.Add([]byte(base))
	for _, w := range wrongs {
		if text := strings.Replace(base, w.old, w.now, 1); text != base {
			f.Add([]byte(text))
		}
	}
	for _, s := range []string{
		`{"format":1,"version":1,"name":"a","languages":["en"],"triggers":{},"goals":{"metrics":[{"name":"a","label":{"en":"b"},"kinds":["call"],"unit":"act"}],"core":1}}`,
		`{"greeting":{"both":{"en":"\ud83d\ude00 {name}"}},"triggers":{"nurture":{"mode":"off","note":"x","contents":[{}]}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Parse(b)
		if err != nil {
			ps, ok := err.(Problems)
			if !ok || len(ps) == 0 || len(ps) > MaxProblems {
				t.Fatalf("an odd error: %v", err)
			}
			lines := bytes.Count(b, []byte("\n")) + 1
			for _, p := range ps {
				if p.Line < 1 || p.Line > lines || p.Column < 1 || p.Column > len(b)+1 || p.Reason == "" || p.Remedy == "" {
					t.Fatalf("an odd problem: %+v", p)
				}
			}
			return
		}
		text := d.Encode()
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, text)
		}
		if !reflect.DeepEqual(d, again) {
			t.Fatalf("written and read again it is another document: %+v\n%s", Diff(d, again), text)
		}
		if !bytes.Equal(text, again.Encode()) {
			t.Fatal("read and written again it is another text")
		}
		if ds := Diff(d, again); len(ds) > 0 {
			t.Fatalf("the same differs: %+v", ds)
		}
		d.Warnings()
	})
}
