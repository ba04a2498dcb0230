package repo_test

import (
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/repo"
)

// TestWhatComesByTheDoorReachesDevices: a change that is too large for a frame is refused, and the member's devices are
// served on.
func TestWhatComesByTheDoorReachesDevices(t *testing.T) {
	e := newEntrance(t, repo.Config{})
	s := e.dial("?token="+e.token, nil)
	s.join()
	id := strings.TrimPrefix(repo.URL(crdt.ContactsDoc.DocumentID(e.dev.Member)), "automerge:")
	var chunks [][]byte
	for i, n := range []int{wire.MaxChange, 10} {
		c := &automerge.Change{Actor: automerge.ActorID("0123456789abcde" + string(rune('a'+i))), Seq: 1, StartOp: 1, Ops: []automerge.Op{{
			Key: "a", Action: automerge.Put, Value: automerge.Value{Kind: automerge.KindString, Str: strings.Repeat("x", n)},
		}}}
		must(t, c.Seal())
		chunks = append(chunks, c.Raw())
	}
	b := (&automerge.SyncMessage{Changes: chunks, Have: []automerge.SyncHave{{}}}).Append(nil)
	s.say(map[string]any{"type": "sync", "senderId": "me", "targetId": s.server, "documentId": id, "data": b})
	for {
		m, code := s.hear()
		if code != 0 {
			t.Fatalf("closed with %d", code)
		}
		if m.Type == "ephemeral" {
			if !strings.Contains(string(m.Data), "at most 1048576 are carried") {
				t.Errorf("told %q", m.Data)
			}
			break
		}
	}
	phone, _, err := e.st.CreateDevice(t.Context(), e.dev.Member, "phone")
	must(t, err)
	h := hub.NewSession(e.st, phone, "test", time.Now)
	hello, err := wire.Encode(&wire.Hello{Version: wire.Version, Device: phone.ID, Member: e.dev.Member})
	must(t, err)
	_, err = h.Receive(t.Context(), hello)
	must(t, err)
	got := 0
	for {
		b, err := h.Next(t.Context())
		must(t, err)
		if b == nil {
			break
		}
		f, err := wire.Decode(b)
		must(t, err)
		if f, ok := f.(*wire.Changes); ok {
			got += len(f.Items)
		}
	}
	if got != 1 {
		t.Errorf("a device was brought %d changes, want the one that fits", got)
	}
	_, err = e.st.Compact(t.Context(), e.dev.Member, 1)
	must(t, err)
}
