package playbook

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"trio/ranking"
)

func TestDefaultIsWhatItIsReadAs(t *testing.T) {
	d := Default()
	b := d.Encode()
	read, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, read.Encode()) {
		t.Error("read and written again it is another text")
	}
	if !reflect.DeepEqual(d, read) {
		t.Error("written and read again it is another playbook")
	}
	if d.Hash() != read.Hash() {
		t.Error("the hash differs")
	}
}

func TestDefaultDocumentIsCommitted(t *testing.T) {
	golden(t, "default.json", Default().Encode())
}

func BenchmarkParse(b *testing.B) {
	text := Default().Encode()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	d := Default()
	b.ReportAllocs()
	for b.Loop() {
		d.Encode()
	}
}

// Day 0 is the day of the event; what is left out is no bound.
func TestDayZeroIsADay(t *testing.T) {
	d, err := Parse([]byte(strings.Replace(small(t), `"until_days": 7`, `"until_days": 0`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(d.Encode(), []byte(`"until_days": 0`)) {
		t.Error("\"until_days\": 0 is lost")
	}
	for i := range d.Ranking.Rules {
		for _, c := range d.Ranking.Rules[i].Contents {
			if c.Until == 0 && c.Ends && c.Begins {
				t.Errorf("%v begins on a day that nobody wrote: %+v", ranking.TriggerID(i), c)
			}
		}
	}
}

// What is published is the document as trio writes it, which is longer than one without white space.
func TestTheWrittenFormIsHeldToTheLimit(t *testing.T) {
	d := Default()
	for i := 0; len(d.Pieces) < MaxPieces; i++ {
		p := d.Pieces[0]
		p.Name, p.Title = "piece-"+number(int64(i)), both(strings.Repeat("t", 120), strings.Repeat("t", 120))
		p.Summary = both(strings.Repeat("s", 400), strings.Repeat("s", 400))
		d.Pieces = append(d.Pieces, p)
	}
	size := func() int { return len(d.Encode()) }
	for i := range d.Pieces { // up to the last bytes
		if more := MaxBytes + 100 - size(); more > 0 {
			d.Pieces[i].URL = "https://www.example.com/" + strings.Repeat("u", min(more, 1900))
		}
	}
	var w writer
	w.langs = d.languages()
	document(&w, d)
	if len(w.b) > MaxBytes || size() <= MaxBytes {
		t.Fatalf("the test does not reach the limit: %d bytes, %d as written", len(w.b), size())
	}
	if _, err := Parse(w.b); err == nil || !strings.Contains(err.Error(), "laid out as trio writes it, the playbook has more than 1048576 bytes") {
		t.Errorf("%d bytes, %d as written: %v", len(w.b), size(), err)
	}
}
