package crdt

import (
	"errors"
	"strings"
	"testing"
)

// The code of a link is the same for ever: it stands in messages that were sent.
func TestLinkStaysAsItIs(t *testing.T) {
	m := MemberID{0x01, 0x9a, 15: 0x77}
	id := SourceEntryID(m, "call:share-1")
	l := NewLink(m, id, "why-it-works")
	const want = "AQGaAAAAAAAAAAAAAAAAAHdnzpkY6yrjKhRi2oo-"
	if got := l.Code(); got != want {
		t.Errorf("code %s, want %s", got, want)
	}
	back, err := ReadLink(want)
	if err != nil || back != l {
		t.Errorf("read %+v, %v; want %+v", back, err, l)
	}
	if back.Piece != TagOf("why-it-works") || string(back.Share[:]) != string(id[:5]) {
		t.Error("the link names another piece or share")
	}
	for i := range want { // one character mistyped is found, wherever it is
		c := byte('A')
		if want[i] == c {
			c = 'B'
		}
		if _, err := ReadLink(want[:i] + string(c) + want[i+1:]); !errors.Is(err, ErrLink) {
			t.Errorf("with character %d mistyped: %v", i, err)
		}
	}
	for _, bad := range []string{"", "x", want[1:], want + "A", want[:39] + "\n", want[:38] + "\r\n", strings.Repeat("A", 40), strings.Repeat("/", 40), "Ä" + want[2:]} {
		if _, err := ReadLink(bad); !errors.Is(err, ErrLink) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzReadLink(f *testing.F) {
	l := NewLink(MemberID{1}, EntryID{2}, "how-sam-began")
	f.Add(l.Code())
	f.Add(l.Code()[:39] + "\n")
	f.Fuzz(func(t *testing.T, code string) {
		l, err := ReadLink(code)
		if err == nil && l.Code() != code {
			t.Fatalf("%q is read as the link of %q", code, l.Code())
		}
	})
}
