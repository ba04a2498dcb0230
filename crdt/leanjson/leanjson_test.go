package leanjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"trio/crdt/leanjson"
)

func FuzzReader(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,-2.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00\ud800\udc0x"],"b":{}}`, `[]`, `"`, `"\`, `"\u12"`, `01`, `-`, `1.`, `1e`, `{"a" 1}`, `[1,]`,
		`{,}`, `nul`, " \t\r\n1 ", `"\ud83d\ud83d\ude00"`, "\"\xff\xe2\x28\"", "\"\x01\"", `tru`, `1 2`, `{"a":1,}`, `"\x"`,
		strings.Repeat("[", 9999) + strings.Repeat("]", 9999), strings.Repeat("[", 10001) + strings.Repeat("]", 10001),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := leanjson.NewReader(s)
		r.Skip()
		if err := r.End(); (err == nil) != json.Valid([]byte(s)) && len(s) < 10_000 {
			t.Fatalf("%q: %v, encoding/json says %v", s, err, json.Valid([]byte(s)))
		}
		var want string
		r = leanjson.NewReader(s)
		got := r.String()
		if err := r.End(); json.Unmarshal([]byte(s), &want) == nil && !strings.HasPrefix(strings.TrimSpace(s), "null") && (err != nil || got != want) {
			t.Fatalf("%q: %q, %v, want %q", s, got, err, want)
		}
		var n int64
		r = leanjson.NewReader(s)
		i := r.Int(64)
		if err := r.End(); json.Unmarshal([]byte(s), &n) == nil && !strings.Contains(s, "null") && (err != nil || i != n) {
			t.Fatalf("%q: %d, %v, want %d", s, i, err, n)
		} else if err == nil && json.Unmarshal([]byte(s), &n) != nil {
			t.Fatalf("%q is no integer for encoding/json", s)
		}
		for _, html := range []bool{false, true} {
			var b bytes.Buffer
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(html)
			if err := e.Encode(s); err != nil {
				t.Fatal(err)
			}
			if got := string(leanjson.AppendString(nil, s, html)); got+"\n" != b.String() {
				t.Fatalf("%q: %s, want %s", s, got, b.String())
			}
		}
	})
}

func TestReader(t *testing.T) {
	r := leanjson.NewReader(` {"a": [1, "x", true, null], "b": {"c": 18446744073709551615}, "d": [[]]} `)
	var got []any
	var u uint64
	r.Object(func(key string) {
		switch key {
		case "a":
			i := 0
			r.Array(func() {
				switch i++; i {
				case 1:
					got = append(got, r.Int(64))
				case 2:
					got = append(got, r.String())
				case 3:
					got = append(got, r.Bool())
				default:
					got = append(got, r.Null())
				}
			})
		case "b":
			r.Object(func(string) { u = r.Uint(64) })
		default:
			r.Skip()
		}
	})
	if err := r.End(); err != nil || u != 1<<64-1 || len(got) != 4 || got[0] != int64(1) || got[1] != "x" || got[2] != true || got[3] != true {
		t.Error(got, u, err)
	}
	for _, bad := range []string{`{"a":1`, `{"a"`, `[1 2]`, `{"a":tru}`, ``, `{"a":300}`} {
		r := leanjson.NewReader(bad)
		r.Object(func(string) { r.Int(8) })
		if err := r.End(); err == nil || !strings.Contains(err.Error(), "byte ") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
