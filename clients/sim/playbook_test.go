package sim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/replica"
	"trio/server/store"
)

// publisher publishes by the HTTP of a server that runs.
type publisher struct {
	*live
	key string
}

func newPublisher(l *live, scopes ...store.Scope) *publisher {
	_, key, err := l.st.CreateAPIKey(l.Context(), 1, "corporate", scopes...)
	l.must(err)
	return &publisher{l, key}
}

// ask returns the status and what was answered.
func (c *publisher) ask(method, path string, body []byte) (int, string) {
	c.Helper()
	req, err := http.NewRequestWithContext(c.Context(), method, "http://"+c.addr+"/v1/admin/"+path, bytes.NewReader(body))
	c.must(err)
	req.Header.Set("Authorization", "Bearer "+c.key)
	res, err := http.DefaultClient.Do(req)
	c.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	c.must(err)
	return res.StatusCode, string(b)
}

// publish publishes a playbook of a name, in which new contacts are written to by a channel, and returns its version.
func (c *publisher) publish(name string, way ranking.Channel) uint32 {
	c.Helper()
	d := playbook.Default()
	d.Name = name
	d.Ranking.Rules[ranking.NewLead].Channels = 1 << way
	d.Goals.GraceMinutes = int(way) // the rules for goals change with it
	status, answer := c.ask(http.MethodPost, "playbook", d.Encode())
	var p struct{ Version uint32 }
	if err := json.Unmarshal([]byte(answer), &p); status != http.StatusCreated || err != nil {
		c.Fatalf("publishing %s: %d %s", name, status, answer)
	}
	return p.Version
}

// goesBy waits until a device goes by a playbook.
func (l *live) goesBy(r *replica.Replica, version uint32, name, way string) time.Duration {
	l.Helper()
	took := l.wait(fmt.Sprintf("playbook %d", version), r, func() bool { return r.Playbook().Version == version })
	top, err := r.TopThree(l.Context(), ranking.Prospects, "en")
	l.must(err)
	if len(top) == 0 || !strings.HasPrefix(top[0].Step, way+" Bea") || top[0].Playbook != version || r.Playbook().Name != name {
		l.Fatalf("by playbook %d %q the three are %+v", r.Playbook().Version, r.Playbook().Name, top)
	}
	h, err := r.Habit(l.Context())
	l.must(err)
	if h.Rules.Version != version {
		l.Fatalf("goals go by version %d, want %d", h.Rules.Version, version)
	}
	return took
}

// TestPlaybookReachesEveryDevice publishes to devices that are connected, away, killed and of an older protocol, by a server
// that goes away in between and is put back from a backup.
func TestPlaybookReachesEveryDevice(t *testing.T) {
	ctx := t.Context()
	l := newLive(t)
	c := newPublisher(l, store.ScopePlaybook)
	a, b := l.devs[0], l.devs[1]
	_, err := a.AddContact(ctx, replica.Fields{crdt.FieldName: "Bea", crdt.FieldPhone + "+34610000001": "mobile", crdt.FieldEmail + "bea@example.com": ""})
	l.must(err)
	level := func(which ...int) {
		t.Helper()
		for _, i := range which {
			l.wait("level", l.devs[i], func() bool { return l.syncers[i].State().Level && l.entries(l.devs[i]) == l.entries(l.devs[0]) })
		}
	}
	level(0, 1)
	if status, _ := c.ask(http.MethodGet, "playbook", nil); status != http.StatusNotFound {
		t.Errorf("of a company that has published none: %d", status)
	}

	first := c.publish("Autumn", ranking.Text)
	if first <= playbook.Default().Version {
		t.Errorf("published as %d, which is what the build brings", first)
	}
	l.goesBy(a, first, "Autumn", "Text")
	l.goesBy(b, first, "Autumn", "Text")

	// What is wrong is said with its line, and devices hear nothing of it.
	bad := bytes.Replace(playbook.Default().Encode(), []byte(`"stages": ["prospect"]`), []byte(`"stages": ["prospekt"]`), 1)
	line := 1 + bytes.Count(bad[:bytes.Index(bad, []byte("prospekt"))], []byte("\n"))
	status, answer := c.ask(http.MethodPost, "playbook", bad)
	var refused struct {
		Error struct {
			Code, Message string
			Problems      []struct {
				Line                  int
				Field, Reason, Remedy string
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &refused); status != http.StatusBadRequest || err != nil || refused.Error.Code != "playbook" || len(refused.Error.Problems) != 1 {
		t.Fatalf("a bad one: %d %s", status, answer)
	}
	if p := refused.Error.Problems[0]; p.Line != line || p.Field == "" || p.Reason == "" || p.Remedy == "" {
		t.Errorf("problem %+v, want line %d", p, line)
	}
	fewer := playbook.Default()
	fewer.Ranking.Rules[ranking.NewLead].Contents = fewer.Ranking.Rules[ranking.NewLead].Contents[:1]
	if status, answer := c.ask(http.MethodPost, "playbook", fewer.Encode()); status != http.StatusConflict || !strings.Contains(answer, "new_lead.contents") {
		t.Errorf("with contents taken out: %d %s", status, answer)
	}
	if status, answer := c.ask(http.MethodPost, "playbook?after=1", playbook.Default().Encode()); status != http.StatusConflict || !strings.Contains(answer, "overtaken") {
		t.Errorf("after one that is not the newest: %d %s", status, answer)
	}
	reader := newPublisher(l, store.ScopeRead)
	if status, answer := reader.ask(http.MethodPost, "playbook", playbook.Default().Encode()); status != http.StatusForbidden || !strings.Contains(answer, "playbook") {
		t.Errorf("by a key without the scope: %d %s", status, answer)
	}
	status, whole := c.ask(http.MethodGet, fmt.Sprintf("playbook?version=%d", first), nil)
	if d, err := playbook.Parse([]byte(whole)); status != http.StatusOK || err != nil || d.Version != first || d.Hash() != a.Playbook().Hash() {
		t.Errorf("read again: %d %v", status, err)
	}

	// A device of an older protocol goes on without.
	old := l.older(2)
	if f, ok := old.hear().(*wire.Welcome); !ok || f.Version != 2 {
		t.Errorf("protocol 2 is answered %+v", f)
	}
	if f, ok := old.hear().(*wire.Changes); !ok || len(f.Held) == 0 {
		t.Errorf("protocol 2 is sent %+v", f)
	}

	// Published while the server is about to go: killed in between, devices have it by the next one.
	addr := l.addr
	l.stop()
	for i, r := range l.devs {
		l.wait("the device notices", r, func() bool { return !l.syncers[i].State().Connected })
	}
	l.goesBy(a, first, "Autumn", "Text") // without the server
	doc := playbook.Default()
	doc.Version, doc.Name, doc.Goals.GraceMinutes = first+1, "Winter", 7
	doc.Ranking.Rules[ranking.NewLead].Channels = 1 << ranking.Email
	_, err = l.st.PublishPlaybook(ctx, store.Playbook{Tenant: 1, Version: doc.Version, Hash: doc.Hash(), By: "Ann", Doc: doc.Encode()}, first)
	l.must(err)
	l.serve(addr)
	l.goesBy(a, first+1, "Winter", "E-mail")
	l.goesBy(b, first+1, "Winter", "E-mail")

	// The backup is from here: what comes after is lost to the server and not to the devices.
	backup := filepath.Join(t.TempDir(), "backup.db")
	l.must(store.Backup(ctx, filepath.Join(l.dir, "trio.db"), backup, nil))
	third := c.publish("Spring", ranking.Text)
	l.goesBy(a, third, "Spring", "Text")
	l.goesBy(b, third, "Spring", "Text")
	l.stop()
	l.must(l.st.Close())
	l.st, err = store.Open(ctx, store.Config{Path: backup})
	l.must(err)
	l.serve(addr)
	level(0, 1)
	l.goesBy(a, third, "Spring", "Text")
	if fourth := c.publish("Summer", ranking.Email); fourth <= third {
		t.Errorf("published as version %d, which devices hold with other content", fourth)
	} else {
		l.goesBy(a, fourth, "Summer", "E-mail")
		l.goesBy(b, fourth, "Summer", "E-mail")
	}

	// Published while a device is away, it has it when it comes back, and keeps it.
	l.leave(1)
	fifth := c.publish("Fall", ranking.Text)
	l.goesBy(a, fifth, "Fall", "Text")
	if v := b.Playbook().Version; v == fifth {
		t.Error("a device that is away has it")
	}
	l.come(1)
	l.goesBy(b, fifth, "Fall", "Text")
	l.leave(1)
	l.must(b.Close())
	b, err = replica.Open(ctx, replica.Config{Path: l.paths[1]})
	l.must(err)
	l.devs[1] = b
	l.goesBy(b, fifth, "Fall", "Text")
	st, err := b.Status(ctx)
	l.must(err)
	if st.Playbook.Version != fifth || st.Playbook.Name != "Fall" {
		t.Errorf("status %+v", st.Playbook)
	}
	_, answer = c.ask(http.MethodGet, "playbooks", nil)
	var list struct{ Items []struct{ Version uint32 } }
	l.must(json.Unmarshal([]byte(answer), &list))
	if len(list.Items) != 4 || list.Items[0].Version != fifth || list.Items[3].Version != first {
		t.Errorf("history %s", answer)
	}
}

// raw is a device that speaks by hand.
type raw struct {
	*live
	ws *websocket.Conn
}

// older connects a device that speaks an older version of the protocol and has nothing.
func (l *live) older(version uint64) *raw {
	l.Helper()
	d, token, err := l.st.CreateDevice(l.Context(), l.devs[0].Member(), "old")
	l.must(err)
	ws, _, err := websocket.DefaultDialer.Dial("ws://"+l.addr+"/v1/sync", http.Header{"Authorization": {"Bearer " + token}})
	l.must(err)
	l.Cleanup(func() { ws.Close() })
	b, err := wire.Encode(&wire.Hello{Version: version, Member: d.Member, Device: d.ID})
	l.must(err)
	l.must(ws.WriteMessage(websocket.BinaryMessage, b))
	return &raw{l, ws}
}

func (r *raw) hear() wire.Frame {
	r.Helper()
	r.must(r.ws.SetReadDeadline(time.Now().Add(30 * time.Second)))
	_, b, err := r.ws.ReadMessage()
	r.must(err)
	f, err := wire.Decode(b)
	r.must(err)
	return f
}

// BenchmarkPublish is a playbook from the moment that it is published until a device goes by it, the sync of the server's
// disk and the device's included.
func BenchmarkPublish(b *testing.B) {
	l := newLive(b)
	l.wait("connected", l.devs[0], func() bool { return l.syncers[0].State().Connected })
	var took []time.Duration
	for b.Loop() {
		heads, err := l.st.PlaybookHeads(b.Context(), []store.Tenant{1})
		l.must(err)
		d := playbook.Default()
		d.Version = heads[1].Taken + 1
		doc := d.Encode()
		start := time.Now()
		_, err = l.st.PublishPlaybook(b.Context(), store.Playbook{Tenant: 1, Version: d.Version, Hash: d.Hash(), By: "Ann", Doc: doc}, heads[1].Version)
		l.must(err)
		l.wait("the playbook", l.devs[0], func() bool { return l.devs[0].Playbook().Version == d.Version })
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(len(playbook.Default().Encode())), "B")
	frame, err := wire.Encode(&wire.Playbook{Version: 1, Doc: playbook.Default().Encode()})
	l.must(err)
	b.ReportMetric(float64(len(frame)), "B/frame")
}
