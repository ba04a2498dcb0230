package repo_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"trio/crdt"
	"trio/replica"
)

// TestExample runs the example of the README as it stands.
func TestExample(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana Ruiz"})
	must(t, err)
	_, err = d.Log(ctx, crdt.Entry{Kind: crdt.Share})
	must(t, err)
	w.level(d)
	_, token := w.token()
	out, err := exec.CommandContext(ctx, "node", filepath.Join("js", "example.mjs"), "http://"+w.addr, token).CombinedOutput()
	if want := id.String() + " Ana Ruiz\nsaved\n"; err != nil || string(out) != want {
		t.Fatalf("%v: %s, want %s", err, out, want)
	}
	w.until("the note shows", d, func() bool { return w.contact(d, id).Note == "likes the green one" })
	w.until("the call shows", d, func() bool {
		list, err := d.Timeline(ctx, id, 10)
		must(t, err)
		return len(list) == 1 && list[0].Kind == crdt.Call
	})
	if strings.Contains(w.logs.String(), token) {
		t.Error("a token stands in the log")
	}
}
