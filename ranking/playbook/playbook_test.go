package playbook

import (
	"bytes"
	"reflect"
	"testing"
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
