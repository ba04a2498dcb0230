package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/store"
)

// named writes a playbook of a name into a file.
func named(t *testing.T, name string) string {
	t.Helper()
	d := playbook.Default()
	d.Name = name
	return write(t, string(d.Encode()))
}

// TestPlaybookBeside publishes on the command line beside a server that runs, one that was killed, and one that is put back
// from a backup, with what it had beside it and without; a device goes by what was published, whatever became of the server.
func TestPublishBeside(t *testing.T) {
	c := newCompany(t)
	dir := t.TempDir()
	device := func(args ...string) string {
		t.Helper()
		return command(t, append([]string{"device", "--data", dir}, args...)...)
	}
	publish := func(name string, args ...string) (version uint32) { // that devices end on
		t.Helper()
		var p struct {
			Version uint32
			Carried struct{ Version uint32 }
		}
		out := command(t, append([]string{"playbook", "publish", "--json", "--data", c.data, named(t, name)}, args...)...)
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			t.Fatal(out, err)
		}
		return max(p.Version, p.Carried.Version)
	}
	goesBy := func(when string, version uint32, name string) {
		t.Helper()
		eventually(t, fmt.Sprintf("%s the device goes by playbook %d, %s", when, version, name), func() bool { // the server hears of it within a second
			return strings.Contains(device("sync"), fmt.Sprintf("playbook: version %d, %s, since ", version, name))
		})
	}
	p := serving(t, c)
	at := p.addr
	if out := device("join", "http://"+at, c.token); !strings.Contains(out, "none of the company's has come") {
		t.Errorf("with none published the device says\n%s", out)
	}

	// A device that is connected is told of what another process publishes.
	ws, _, err := p.dial(c.token)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	hello, err := wire.Encode(&wire.Hello{Version: wire.Version, Member: c.member, Device: c.device.ID})
	if err == nil {
		err = ws.WriteMessage(websocket.BinaryMessage, hello)
	}
	if err != nil {
		t.Fatal(err)
	}
	one := publish("One")
	for {
		if err := ws.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, b, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		f, err := wire.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := f.(*wire.Playbook); ok {
			if f.Version != one || !bytes.Contains(f.Doc, []byte(`"One"`)) {
				t.Errorf("sent playbook %d", f.Version)
			}
			break
		}
	}
	goesBy("published,", one, "One")

	ends(t, program("playbook", "publish", "--data", c.data, write(t, "{\n  \"format\": 1,\n  \"colour\": 2\n}")), 1, ":3:", "colour", "error: nothing is published: ", "hint: mend what is said above")
	ends(t, program("playbook", "publish", "--data", c.data, named(t, "x"), "--after", "1"), 1, "another playbook was published meanwhile", "hint: look at it")
	ends(t, program("playbook", "publish", "--data", c.data, filepath.Join(dir, "none.json")), 2, "no such file")
	ends(t, program("playbook", "show", "--data", c.data, "--version", "99"), 1, "playbook 99 was not published here")
	ends(t, program("playbook", "show", "--data", c.data, "--company", "9"), 1, "company 9 is not known here")
	ends(t, program("playbook", "publish", "-h"), 0, "publish FILE [--company]")

	// What was learnt is not what people change, and stays when they publish.
	learnt := playbook.Default()
	learnt.Version, learnt.Fitted, learnt.Name = one+1, one, "One"
	learnt.Ranking.Rules[ranking.NewLead].Base += 250
	learnt.Ranking.Margin, learnt.Ranking.Rules[ranking.RefillDue].Value = 30, 3600
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(c.data, dbName)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = st.PublishPlaybook(t.Context(), store.Playbook{Tenant: c.device.Tenant, Version: one + 1, Fitted: one, Hash: learnt.Hash(), By: "a night", Doc: learnt.Encode()}, one)
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	shown := program("playbook", "show", "--data", c.data)
	var said bytes.Buffer
	shown.Stderr = &said
	written, err := shown.Output()
	if d, bad := playbook.Parse(written); err != nil || bad != nil || d.Version != one || d.Fitted != 0 || !strings.Contains(said.String(), fmt.Sprintf("version %d adds learnt numbers", one+1)) {
		t.Fatalf("shown is %s, and said %s: %v %v", written, &said, err, bad)
	}
	if want := "triggers.refill_due.value_cents is 3600, learnt from what orders bring at a margin of 30 %; people wrote 4500"; !strings.Contains(said.String(), want) {
		t.Errorf("what an order was learnt to be worth is not said: %s", &said)
	}
	all := command(t, "playbook", "show", "--data", c.data, "--learnt")
	if all != string(learnt.Encode()) || all != command(t, "playbook", "show", "--data", c.data, "--version", fmt.Sprint(one+1)) {
		t.Errorf("what was learnt is shown as %s", all)
	}
	ends(t, program("playbook", "publish", "--data", c.data, write(t, all)), 1, "the document's numbers were learnt", "hint: begin with what people wrote")
	out := command(t, "playbook", "publish", "--data", c.data, "--after", fmt.Sprint(one), write(t, strings.Replace(string(written), `"rest_days": 3`, `"rest_days": 4`, 1)))
	if !strings.Contains(out, fmt.Sprintf("version %d carries over what was learnt", one+3)) {
		t.Errorf("published, it says %s", out)
	}
	goesBy("after a change,", one+3, "One")
	if d, err := playbook.Parse([]byte(command(t, "playbook", "show", "--data", c.data, "--learnt"))); err != nil ||
		d.Ranking.Rest != 4 || d.Ranking.Rules[ranking.NewLead].Base != learnt.Ranking.Rules[ranking.NewLead].Base || d.Fitted != one+2 {
		t.Errorf("what devices end on lacks what was learnt or changed: %v", err)
	}
	one += 3
	again := program("playbook", "publish", "--data", c.data, write(t, command(t, "playbook", "show", "--data", c.data)))
	ends(t, again, 0, fmt.Sprintf("nothing is changed: version %d says the same already", one-1), "warning: pieces: 20 of 20 have an address under")

	// Killed before anybody had it, the next server sends it.
	kill := func() {
		t.Helper()
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		p.cmd.Wait() //nolint:errcheck // it was killed
	}
	two := publish("Two", "--after", fmt.Sprint(one))
	kill()
	p = serving(t, c, "--listen", at)
	goesBy("killed,", two, "Two")

	if testing.Short() {
		return // some ten processes more, one after the other
	}
	// Put back from a backup beside what it had, nothing is missing.
	backup := filepath.Join(t.TempDir(), "backup.db")
	command(t, "backup", "--data", c.data, backup)
	three := publish("Three")
	goesBy("after the backup,", three, "Three")
	kill()
	if out := command(t, "restore", "--data", c.data, backup); !strings.Contains(out, "2 playbooks.") {
		t.Errorf("restore says\n%s", out)
	}
	if out := command(t, "playbook", "show", "--data", c.data); !strings.Contains(out, `"name": "Three"`) || strings.Contains(out, `"fitted"`) {
		t.Errorf("restored it is\n%s", out)
	}
	p = serving(t, c, "--listen", at)
	goesBy("restored,", three, "Three")

	// With nothing beside it, versions are left out that devices may hold with other content.
	kill()
	if err := os.RemoveAll(c.data); err != nil {
		t.Fatal(err)
	}
	command(t, "restore", "--data", c.data, backup)
	p = serving(t, c, "--listen", at)
	goesBy("restored with nothing beside it,", three, "Three")
	if out := command(t, "playbook", "history", "--data", c.data); !strings.Contains(out, fmt.Sprintf("Devices may hold versions up to %d ", two+store.MaxPlaybookAhead)) {
		t.Errorf("history says\n%s", out)
	}
	four := publish("Four")
	if four != two+store.MaxPlaybookAhead+2 { // with the one that carries over
		t.Errorf("published as version %d", four)
	}
	goesBy("published after that,", four, "Four")
	command(t, "verify", "--data", c.data)
	if res, body := p.get(p.addr, "/v1/admin/playbook", "Authorization", "Bearer "+c.key); res.StatusCode != http.StatusForbidden {
		t.Errorf("a key for the feed is answered %s %s", res.Status, body)
	}
}
