package crdt

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode/utf8"
)

// FuzzEntryJSON holds the reader and the writer of entries against encoding/json, whose bytes are the canonical form.
func FuzzEntryJSON(f *testing.F) {
	for _, s := range []string{
		`{"v":1,"kind":"order","at":1790000000000,"zone":-60,"skew":-3,"evidence":"E4","contact":"01890000-0000-7000-8000-000000000001","about":"01890000-0000-7000-8000-000000000002","channel":"c","content":"x<&>\u2028\ud83d\ude00","outcome":"o","stage":"s","due":"2026-01-01","trigger":"t","choice":"taken","reason":"r","playbook":3,"p0":1,"p1":2,"value":{"cents":-5,"currency":"EUR","minutes":1,"seconds":2,"count":3},"event":"e","source":"s","note":"n\"\\\b\f\u0001"}`,
		`{"v":2,"kind":"call","at":1790000000000,"evidence":"E0","value":{},"future":[{"a":[]},"x",1e9,null]}`,
		`{"V":1,"KIND":"call","At":1790000000000,"value":{"CENTS":1},"value":{"count":2},"\u212Aind":"k"}`,
		`{"v":null,"at":1e3}`, `null`, `{"v":1,"at":1790000000000,"value":null,"contact":null,"evidence":null}`, `{"evidence":"E5"}`, `{"playbook":-1}`,
		`{"playbook":4294967296}`, `{"at":9223372036854775808}`, `{"contact":5}`, `{"note":[]}`, `[]`, `{"v":1}x`, `{"v":7,"kind":8}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > MaxEntryBytes || !utf8.ValidString(s) {
			return
		}
		var want Entry
		wantErr := json.Unmarshal([]byte(s), &want)
		if wantErr == nil {
			wantErr = want.checkForm()
		}
		got, err := ParseEntry(s)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%s: %v, encoding/json says %v", s, err, wantErr)
		}
		var v struct {
			Version int `json:"v"`
		}
		if newer := json.Unmarshal([]byte(s), &v) == nil && v.Version > EntryVersion; NewerEntry(s) != newer {
			t.Fatalf("%s: newer %v, want %v", s, NewerEntry(s), newer)
		}
		if err != nil {
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s:\n%+v, want\n%+v", s, got, want)
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(&want); err != nil {
			t.Fatal(err)
		}
		if out, err := got.encode(); err == nil && out+"\n" != b.String() || err != nil && b.Len() <= MaxEntryBytes+1 {
			t.Fatalf("%s, %v: want\n%s", out, err, b.String())
		}
	})
}
