package automerge

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// syncSeeds are messages and saved states of automerge-go.
func syncSeeds(tb testing.TB) (messages, states [][]byte) {
	b, err := os.ReadFile(filepath.Join("testdata", "sync.golden"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[2]) > 3000 {
			continue
		}
		data, err := hex.DecodeString(f[2])
		if err != nil {
			tb.Fatal(err)
		}
		switch f[0] {
		case "say":
			messages = append(messages, data)
		case "save":
			states = append(states, data)
		}
	}
	if len(messages) < 5 || len(states) == 0 {
		tb.Fatalf("%d messages, %d states", len(messages), len(states))
	}
	return messages, states
}

func FuzzSyncMessage(f *testing.F) {
	messages, _ := syncSeeds(f)
	for _, b := range messages {
		f.Add(b)
		f.Add(append(slices.Clone(b), 2, 2, 0x86))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseSyncMessage(b)
		if err != nil {
			return
		}
		again, err := ParseSyncMessage(m.Encode())
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v is read again as %+v, %v", m, again, err)
		}
		if n := m.size(); n < len(m.Encode())-10*len(m.Changes) {
			t.Fatalf("%d bytes, and %d were expected", len(m.Encode()), n)
		}
	})
}

func FuzzBloom(f *testing.F) {
	var list []Hash
	for i := range 20 {
		list = append(list, Hash{byte(i), 4: byte(3 * i), 8: byte(7 * i)})
	}
	for _, n := range []int{0, 1, 20} {
		filter := NewBloom(list[:n])
		f.Add(filter.Append(nil), list[0][:])
	}
	f.Add([]byte{1, 0, 7}, []byte{})
	f.Add([]byte{1, 8, 0, 1}, []byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1, 1, 1}, []byte{})
	f.Fuzz(func(t *testing.T, b, h []byte) {
		var hash Hash
		copy(hash[:], h)
		filter, err := ParseBloom(b)
		if err != nil {
			return
		}
		again, err := ParseBloom(filter.Append(nil))
		if err != nil || !reflect.DeepEqual(again, filter) {
			t.Fatalf("%+v is read again as %+v, %v", filter, again, err)
		}
		if filter.Has(hash) && filter.entries == 0 {
			t.Fatal("the empty set has something")
		}
		own := NewBloom([]Hash{hash})
		if !own.Has(hash) {
			t.Fatal("what is in a filter is not")
		}
	})
}

func FuzzSyncState(f *testing.F) {
	_, states := syncSeeds(f)
	for _, b := range states {
		f.Add(b)
	}
	f.Add([]byte{0x43, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := LoadSync(b)
		if err != nil {
			return
		}
		again, err := LoadSync(s.Save())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("%+v is read again as %+v, %v", s, again, err)
		}
		// Whatever is believed to be shared, what is said names only what is there.
		var g Graph
		m, err := s.Generate(&g, nil)
		if err != nil || m == nil || len(m.Have) != 1 || len(m.Have[0].LastSync) > 0 {
			t.Fatalf("%+v, %v", m, err)
		}
	})
}

// FuzzSyncSession has a hostile peer say anything to a Sync with a history: two messages, each with its chunks as they
// are or with checksums that fit, the second again and again.
func FuzzSyncSession(f *testing.F) {
	messages, states := syncSeeds(f)
	for i, b := range messages {
		f.Add(b, messages[(i+1)%len(messages)], states[0], uint16(300*i), i%2 == 0)
	}
	// The history of the seeds, so that they concern it.
	var history []*Change
	b, err := os.ReadFile(filepath.Join("testdata", "sync.golden"))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if chunk, ok := strings.CutPrefix(strings.TrimSpace(line), "change a "); ok {
			data, err := hex.DecodeString(chunk)
			if err != nil {
				f.Fatal(err)
			}
			c, err := ParseChange(data)
			if err != nil {
				f.Fatal(err)
			}
			history = append(history, c)
		}
	}
	f.Fuzz(func(t *testing.T, first, second, state []byte, maxBytes uint16, fix bool) {
		var g Graph
		chunks := map[Hash][]byte{}
		add := func(c *Change) error {
			// What a change may not do is the graph's to say.
			ready, _ := g.Add(c)
			for _, c := range ready {
				chunks[c.hash] = Deflate(c.Raw())
			}
			return nil
		}
		for _, c := range history {
			if err := add(c); err != nil {
				t.Fatal(err)
			}
		}
		if g.Len() == 0 {
			t.Fatal("no history")
		}
		s, err := LoadSync(state)
		if err != nil {
			s = &Sync{}
		}
		s.MaxBytes = int(maxBytes)
		for turn := range 6 {
			b := first
			if turn > 0 {
				b = second
			}
			m, err := ParseSyncMessage(b)
			if err != nil {
				return
			}
			if fix {
				for i := range m.Changes {
					m.Changes[i] = repair(m.Changes[i])
				}
			}
			heads := g.Heads()
			before := fmt.Sprintf("%+v", s)
			if err := s.Receive(&g, m, add); err != nil {
				if after := fmt.Sprintf("%+v", s); after != before {
					t.Fatalf("%v left\n%s, not\n%s", err, after, before)
				}
				return
			}
			out, err := s.Generate(&g, func(h Hash) ([]byte, error) { return chunks[h], nil })
			if err != nil {
				t.Fatal(err)
			}
			if len(s.sent) > g.Len() || len(s.shared) > max(g.Len(), len(m.Heads)) {
				t.Fatalf("of %d changes %d are sent and %d shared", g.Len(), len(s.sent), len(s.shared))
			}
			again, err := s.Generate(&g, nil)
			if err != nil || again != nil {
				t.Fatalf("a second message: %+v, %v", again, err)
			}
			if out == nil {
				continue
			}
			size := 0
			for _, c := range out.Changes {
				size += len(c)
				// What is sent is ours, and one by one.
				own, err := ParseChange(c)
				if err != nil || !g.Has(own.hash) {
					t.Fatalf("%x is sent: %v", c, err)
				}
			}
			if s.MaxBytes > 0 && size > s.MaxBytes && len(out.Changes) > 1 {
				t.Fatalf("%d bytes of changes", size)
			}
			read, err := ParseSyncMessage(out.Encode())
			if err != nil || !reflect.DeepEqual(read, out) {
				t.Fatalf("%+v is read as %+v, %v", out, read, err)
			}
			if turn > 2 && len(m.Changes) == 0 && len(m.Heads) > 0 && len(out.Changes) == 0 && slices.Equal(heads, g.Heads()) {
				t.Fatalf("the same question is answered again and again: %x", out.Encode())
			}
			if bytes.Contains(out.Flags, []byte{1}) {
				t.Fatal("flags of ours")
			}
		}
	})
}
