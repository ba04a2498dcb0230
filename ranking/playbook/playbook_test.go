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
