package repo_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/npmtest"
	"trio/ranking"
	"trio/replica"
	"trio/server"
	"trio/server/repo"
	"trio/server/store"
)

var seedFlag = flag.Uint64("seed", 0, "of the random test that is to be repeated")

// npm is programs that use npm's automerge-repo, in one Node process (js/client.mjs).
type npm struct {
	tb  testing.TB
	in  io.Writer
	mu  sync.Mutex
	ids int
	all map[int]chan npmAnswer
}

// npmRequest has the fields of all commands of js/client.mjs; each uses its own.
type npmRequest struct {
	ID      int               `json:"id"`
	Cmd     string            `json:"cmd"`
	Repo    string            `json:"repo,omitempty"`
	Server  string            `json:"server,omitempty"`
	Storage string            `json:"storage,omitempty"`
	Peer    string            `json:"peer,omitempty"`
	URL     string            `json:"url,omitempty"`
	Put     map[string]any    `json:"put,omitempty"`
	Text    map[string]string `json:"text,omitempty"`
	Del     []string          `json:"del,omitempty"`
	Values  map[string]any    `json:"values,omitempty"`
	Heads   []string          `json:"heads,omitempty"`
	Count   *int              `json:"count,omitempty"`
	Key     string            `json:"key,omitempty"`
	Message any               `json:"message,omitempty"`
	Timeout int               `json:"timeout,omitempty"` // ms
}

type npmAnswer struct {
	ID      int            `json:"id"`
	Error   string         `json:"error"`
	State   string         `json:"state"`
	Why     string         `json:"why"`
	Values  map[string]any `json:"values"`
	Heads   []string       `json:"heads"`
	Changes int            `json:"changes"`
	At      int64          `json:"at"` // ms since 1970
	MS      float64        `json:"ms"`
	Bytes   int            `json:"bytes"` // that came in on the socket
	Peers   []string       `json:"peers"`
	Heard   []struct {
		Sender  string          `json:"sender"`
		Message json.RawMessage `json:"message"`
	} `json:"heard"`
	Uncaught []string `json:"uncaught"`
}

// startNpm starts a child that ends with the test; the test does without where there is none to start, as npmtest.Need says.
func startNpm(tb testing.TB) *npm {
	tb.Helper()
	npmtest.Need(tb, "@automerge/automerge-repo")
	c, err := npmtest.Start(filepath.Join("js", "client.mjs"))
	must(tb, err)
	n := &npm{tb: tb, in: c.In, all: map[int]chan npmAnswer{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines := bufio.NewReader(c.Out)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var a npmAnswer
			if err := json.Unmarshal(line, &a); err != nil {
				a.Error = fmt.Sprintf("%v: %.200s", err, line) // of nobody: whoever waits times out
			}
			n.mu.Lock()
			asked := n.all[a.ID]
			n.mu.Unlock()
			if asked != nil {
				asked <- a
			}
		}
	}()
	tb.Cleanup(func() {
		c.Kill()
		<-done
		c.Stop()
		if tb.Failed() {
			tb.Logf("npm said:\n%s", c.Said())
		}
	})
	return n
}

// ask asks one thing and waits for its answer, up to five minutes: other tests run at the same time.
func (n *npm) ask(r npmRequest) npmAnswer {
	n.tb.Helper()
	a := n.try(r)
	if a.Error != "" {
		n.tb.Fatalf("%s: %s", r.Cmd, a.Error)
	}
	return a
}

func (n *npm) try(r npmRequest) npmAnswer {
	c := make(chan npmAnswer, 1)
	n.mu.Lock()
	n.ids++
	r.ID = n.ids
	n.all[r.ID] = c
	b, err := json.Marshal(r)
	if err == nil {
		_, err = n.in.Write(append(b, '\n'))
	}
	n.mu.Unlock()
	if err != nil {
		return npmAnswer{Error: err.Error()}
	}
	select {
	case a := <-c:
		return a
	case <-time.After(5 * time.Minute):
		return npmAnswer{Error: "no answer within five minutes"}
	}
}

func must(tb testing.TB, err error) {
	if err != nil {
		tb.Helper()
		tb.Fatal(err)
	}
}

// world is a server with a member, her devices, and programs of npm's.
type world struct {
	testing.TB
	dir    string
	addr   string
	st     *store.SQLite
	srv    *server.Server
	http   *http.Server
	logs   *logs
	tenant store.Tenant
	member crdt.MemberID
	npm    *npm
}

// logs keeps what the server logs.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(tb testing.TB) *world {
	w := &world{TB: tb, npm: startNpm(tb), dir: tb.TempDir(), logs: &logs{}}
	w.serve("127.0.0.1:0")
	tb.Cleanup(func() {
		w.stop()
		if tb.Failed() {
			tb.Logf("the server logged:\n%s", w.logs)
		}
	})
	var err error
	w.tenant, err = w.st.CreateTenant(tb.Context(), "Acme")
	must(tb, err)
	w.member, err = w.st.CreateMember(tb.Context(), store.Member{Tenant: w.tenant, Name: "Maya"})
	must(tb, err)
	return w
}

func (w *world) serve(addr string) {
	w.Helper()
	var err error
	w.st, err = store.Open(context.Background(), store.Config{Path: filepath.Join(w.dir, "trio.db"), Logger: slog.New(slog.DiscardHandler)})
	must(w, err)
	ln, err := net.Listen("tcp", addr)
	must(w, err)
	w.addr = ln.Addr().String()
	w.srv = server.New(server.Config{Store: w.st, Log: slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	w.http = &http.Server{Handler: w.srv}
	go w.http.Serve(ln) //nolint:errcheck // it ends with stop
}

func (w *world) stop() {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(w, w.srv.Shutdown(ctx))
	must(w, w.http.Shutdown(ctx))
	must(w, w.st.Close())
}

// token makes a device of the member and returns its token.
func (w *world) token() (store.Device, string) {
	w.Helper()
	d, token, err := w.st.CreateDevice(w.Context(), w.member, "device")
	must(w, err)
	return d, token
}

// device is one of ours.
type device struct {
	*replica.Replica
	*replica.Syncer
	stop context.CancelFunc
	done chan struct{}
}

// device makes a device of the member that syncs.
func (w *world) device() *device {
	w.Helper()
	dev, token := w.token()
	r, err := replica.Open(w.Context(), replica.Config{Path: filepath.Join(w.TempDir(), "replica.db"), Member: w.member, Device: dev.ID})
	must(w, err)
	d := &device{Replica: r, Syncer: r.NewSyncer(replica.SyncerConfig{
		URL: "ws://" + w.addr + "/v1/sync", Token: token, Log: slog.New(slog.DiscardHandler),
		MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond,
	})}
	d.join()
	w.Cleanup(func() {
		d.cut()
		r.Close()
	})
	return d
}

func (d *device) join() {
	ctx, stop := context.WithCancel(context.Background())
	d.stop, d.done = stop, make(chan struct{})
	go func() {
		defer close(d.done)
		d.Run(ctx) //nolint:errcheck // State tells
	}()
}

func (d *device) cut() {
	d.stop()
	<-d.done
}

// client starts a program of npm's with a device's token; what it stores under a name is there for the next one.
func (w *world) client(name, storage string) {
	w.Helper()
	_, token := w.token()
	w.npm.ask(npmRequest{Cmd: "repo", Repo: name, Server: w.url(token), Storage: storage})
}

func (w *world) url(token string) string { return "ws://" + w.addr + repo.Path + "?token=" + token }

func (w *world) doc(n crdt.DocName) string { return repo.URL(n.DocumentID(w.member)) }

// until waits until something holds of a device.
func (w *world) until(what string, d *device, holds func() bool) {
	w.Helper()
	start := time.Now()
	changed, stop := d.Watch()
	defer stop()
	for !holds() {
		if time.Since(start) > time.Minute {
			w.Fatalf("%s: not within a minute; %+v", what, d.State())
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// level waits until a device has sent all it has.
func (w *world) level(d *device) {
	w.Helper()
	w.until("all is sent", d, func() bool {
		n, err := d.UnsentCount(w.Context())
		must(w, err)
		return n == 0
	})
}

func (w *world) heads(d *device, n crdt.DocName) []string {
	w.Helper()
	all, err := d.Heads(w.Context())
	must(w, err)
	list := []string{}
	for _, h := range all[n] {
		list = append(list, h.String())
	}
	slices.Sort(list)
	return list
}

// contact returns a contact of a device as registers of the contacts document.
func (w *world) contact(d *device, id crdt.ContactID) replica.Contact {
	w.Helper()
	c, err := d.Contact(w.Context(), id)
	if err != nil {
		return replica.Contact{}
	}
	return c
}

// TestNpmReadsWhatADeviceWrote: the values of a device's book, log and profile, as npm's program sees them.
func TestNpmReadsWhatADeviceWrote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana Ruiz", crdt.FieldPhone + "+34600111222": "mobile"})
	must(t, err)
	must(t, d.SetProfile(ctx, crdt.ProfileName, "Maya"))
	e := crdt.Entry{Kind: crdt.Call, Contact: id, Note: "asked about the trip"}
	entry, err := d.Log(ctx, e)
	must(t, err)
	w.level(d)
	w.client("one", "")

	month := crdt.LogDoc(time.Now())
	for doc, key := range map[crdt.DocName]string{crdt.ContactsDoc: crdt.ContactKey(id, crdt.FieldName), crdt.ProfileDoc: crdt.ProfileName, month: entry.String()} {
		a := w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: w.doc(doc)})
		if a.State != "ready" {
			t.Fatalf("%s: %s %s", doc, a.State, a.Why)
		}
		if got, want := a.Heads, w.heads(d, doc); !slices.Equal(got, want) {
			t.Errorf("%s: heads %s, want %s", doc, got, want)
		}
		want := map[crdt.DocName]any{crdt.ContactsDoc: "Ana Ruiz", crdt.ProfileDoc: "Maya"}[doc]
		if doc == month {
			read, err := crdt.ParseEntry(fmt.Sprint(a.Values[key]))
			must(t, err)
			if read.Kind != e.Kind || read.Contact != id || read.Note != e.Note {
				t.Errorf("entry %+v", read)
			}
		} else if a.Values[key] != want {
			t.Errorf("%s: %v", doc, a.Values)
		}
	}
	// What is served of which documents.
	_, token := w.token()
	res, err := http.Get("http://" + w.addr + repo.DocumentsPath + "?token=" + token)
	must(t, err)
	defer res.Body.Close()
	var list struct{ Documents []struct{ Name, URL string } }
	must(t, json.NewDecoder(res.Body).Decode(&list))
	want := []struct{ Name, URL string }{}
	for _, n := range []crdt.DocName{crdt.ContactsDoc, month, crdt.ProfileDoc} {
		want = append(want, struct{ Name, URL string }{string(n), w.doc(n)})
	}
	if !slices.Equal(list.Documents, want) {
		t.Errorf("documents %+v, want %+v", list.Documents, want)
	}
}

// TestNpmWrites: a device of ours shows what npm's program wrote, ranks by it, and corporate hears of its entry once.
func TestNpmWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	must(t, d.SetProfile(ctx, crdt.ProfileZone, "UTC"))
	var ids []crdt.ContactID
	for i := range 6 {
		id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: fmt.Sprintf("Person %d", i), crdt.FieldPhone + fmt.Sprintf("+3460011122%d", i): "mobile"})
		must(t, err)
		ids = append(ids, id)
	}
	w.level(d)
	w.client("one", "")
	before, err := d.TopThree(ctx, ranking.Prospects, "en")
	must(t, err)
	if len(before) == 0 {
		t.Fatal("nobody to call")
	}

	first := before[0].Contact
	name := crdt.ContactKey(ids[5], crdt.FieldName)
	w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: w.doc(crdt.ContactsDoc), Put: map[string]any{
		name: "Renamed in a browser", crdt.ContactKey(ids[5], crdt.FieldTag+"vip"): true,
	}, Del: []string{crdt.ContactKey(ids[5], crdt.FieldPhone+"+34600111225")}, Text: map[string]string{crdt.ContactKey(ids[5], crdt.FieldNote): "a Text of Automerge's"}})
	w.until("the name shows", d, func() bool { return w.contact(d, ids[5]).Name == "Renamed in a browser" })

	// The month's log may be one that nobody has written yet.
	now := time.Now()
	e := crdt.Entry{Version: crdt.EntryVersion, Kind: crdt.Call, At: now.UnixMilli(), Contact: first, Outcome: "reached"}
	canonical, err := e.Encode()
	must(t, err)
	entry := crdt.NewEntryID()
	month := crdt.LogDoc(now)
	if a := w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: w.doc(month)}); a.State != "unavailable" {
		t.Fatalf("a log that nobody has written is %s", a.State)
	}
	w.npm.ask(npmRequest{Cmd: "create", Repo: "one", URL: w.doc(month), Put: map[string]any{entry.String(): canonical}})
	w.until("the entry shows", d, func() bool {
		list, err := d.Timeline(ctx, first, 10)
		must(t, err)
		return len(list) == 1 && list[0].ID == entry
	})
	after, err := d.TopThree(ctx, ranking.Prospects, "en")
	must(t, err)
	if slices.ContainsFunc(after, func(s replica.Suggestion) bool { return s.Contact == first }) {
		t.Errorf("who was called today is suggested again: %+v", after)
	}
	w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: w.doc(month), Put: map[string]any{crdt.NewEntryID().String(): canonical}})
	w.until("the second entry shows", d, func() bool {
		list, err := d.Timeline(ctx, first, 10)
		must(t, err)
		return len(list) == 2
	})
	rs, _, err := w.st.Feed(ctx, w.tenant, "", 100)
	must(t, err)
	n := 0
	for _, r := range rs {
		if r.Entry == entry {
			n++
		}
	}
	if n != 1 || len(rs) != 2 {
		t.Errorf("the feed has the entry %d times among %d", n, len(rs))
	}
}

// TestNpmLive: edits cross in both directions while both are connected; how long that takes is logged.
func TestNpmLive(t *testing.T) {
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)
	w.client("one", "")
	w.client("two", "")
	url := w.doc(crdt.ContactsDoc)
	for _, r := range []string{"one", "two"} {
		w.npm.ask(npmRequest{Cmd: "find", Repo: r, URL: url})
	}
	key := crdt.ContactKey(id, crdt.FieldNote)
	var out, in, across []time.Duration
	for i := range 20 {
		word := fmt.Sprintf("from the device %d", i)
		seen := make(chan npmAnswer, 1)
		go func() {
			seen <- w.npm.try(npmRequest{Cmd: "wait", Repo: "one", URL: url, Values: map[string]any{key: word}})
		}()
		time.Sleep(5 * time.Millisecond)
		start := time.Now()
		must(t, d.EditContact(ctx, id, replica.Fields{crdt.FieldNote: word}))
		a := <-seen
		if a.Error != "" {
			t.Fatal(a.Error)
		}
		out = append(out, time.UnixMilli(a.At).Sub(start))

		word = fmt.Sprintf("from npm %d", i)
		go func() {
			seen <- w.npm.try(npmRequest{Cmd: "wait", Repo: "two", URL: url, Values: map[string]any{key: word}})
		}()
		c := w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: url, Put: map[string]any{key: word}})
		w.until("npm's edit", d, func() bool { return w.contact(d, id).Note == word })
		in = append(in, time.Since(time.UnixMilli(c.At)))
		if a = <-seen; a.Error != "" {
			t.Fatal(a.Error)
		}
		across = append(across, time.UnixMilli(a.At).Sub(time.UnixMilli(c.At)))
	}
	for what, list := range map[string][]time.Duration{"device to npm": out, "npm to device": in, "npm to npm": across} {
		slices.Sort(list)
		t.Logf("%s: median %v, slowest %v", what, list[len(list)/2].Round(100*time.Microsecond), list[len(list)-1].Round(100*time.Microsecond))
		if list[len(list)/2] > 2*time.Second {
			t.Errorf("%s is not live", what)
		}
	}
}

// TestNpmOffline: both write while neither is connected; afterwards both have all of it.
func TestNpmOffline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)
	w.client("one", "kept")
	url := w.doc(crdt.ContactsDoc)
	w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: url})

	d.cut()
	w.npm.ask(npmRequest{Cmd: "cut", Repo: "one"})
	for i := range 10 {
		must(t, d.EditContact(ctx, id, replica.Fields{crdt.FieldTag + fmt.Sprintf("device%d", i): "yes"}))
		w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: url, Put: map[string]any{crdt.ContactKey(id, crdt.FieldTag+fmt.Sprintf("npm%d", i)): true}})
	}
	// Both put this one: one of the two wins everywhere.
	must(t, d.EditContact(ctx, id, replica.Fields{crdt.FieldCompany: "device's"}))
	w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: url, Put: map[string]any{crdt.ContactKey(id, crdt.FieldCompany): "npm's"}})

	d.join()
	w.npm.ask(npmRequest{Cmd: "join", Repo: "one"})
	w.until("npm's tags", d, func() bool { return len(w.contact(d, id).Tags) == 20 })
	w.level(d)
	a := w.npm.ask(npmRequest{Cmd: "wait", Repo: "one", URL: url, Heads: w.heads(d, crdt.ContactsDoc)})
	for i := range 10 {
		for _, tag := range []string{"device", "npm"} {
			if a.Values[crdt.ContactKey(id, crdt.FieldTag+fmt.Sprintf("%s%d", tag, i))] != true {
				t.Errorf("tag %s%d is lost: %v", tag, i, a.Values)
			}
		}
	}
	if got, want := a.Values[crdt.ContactKey(id, crdt.FieldCompany)], w.contact(d, id).Company; got != want {
		t.Errorf("npm shows company %v, the device %q", got, want)
	}
}

// TestNpmRandom: two programs of npm's and two devices write at random, with cuts in between; all are equal at the end.
func TestNpmRandom(t *testing.T) {
	t.Parallel()
	seed := cmp.Or(*seedFlag, rand.Uint64())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("replay: go test ./server/repo -run '^%s$' -seed %d", t.Name(), seed)
		}
	})
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(t)
	ctx := t.Context()
	devs := []*device{w.device(), w.device()}
	repos := []string{"one", "two"}
	url, month := w.doc(crdt.ContactsDoc), crdt.LogDoc(time.Now())
	id, err := devs[0].AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	_, err = devs[0].Log(ctx, crdt.Entry{Kind: crdt.Share})
	must(t, err)
	w.level(devs[0])
	for _, r := range repos {
		w.client(r, r)
		w.npm.ask(npmRequest{Cmd: "wait", Repo: r, URL: url, Count: ptr(1)})
		w.npm.ask(npmRequest{Cmd: "wait", Repo: r, URL: w.doc(month), Count: ptr(1)})
	}
	w.until("the other has the contact", devs[1], func() bool { return w.contact(devs[1], id).Name == "Ana" })
	online := map[string]bool{"one": true, "two": true, "0": true, "1": true}
	entries, tags := 1, map[string]bool{}
	for range 150 {
		x := rng.IntN(2)
		d, r := devs[x], repos[x]
		tagged := fmt.Sprintf("t%d", rng.IntN(40))
		switch rng.IntN(8) {
		case 0, 1:
			must(t, d.EditContact(ctx, id, replica.Fields{crdt.FieldTag + tagged: "yes", crdt.FieldNote: tagged}))
			tags[tagged] = true
		case 2:
			_, err := d.Log(ctx, crdt.Entry{Kind: crdt.Text, Contact: id})
			must(t, err)
			entries++
		case 3, 4:
			w.npm.ask(npmRequest{Cmd: "change", Repo: r, URL: url, Put: map[string]any{
				crdt.ContactKey(id, crdt.FieldTag+tagged): true, crdt.ContactKey(id, crdt.FieldNote): tagged,
			}})
			tags[tagged] = true
		case 5:
			canonical, err := (&crdt.Entry{Version: crdt.EntryVersion, Kind: crdt.Email, At: time.Now().UnixMilli(), Contact: id}).Encode()
			must(t, err)
			w.npm.ask(npmRequest{Cmd: "change", Repo: r, URL: w.doc(month), Put: map[string]any{crdt.NewEntryID().String(): canonical}})
			entries++
		case 6:
			if name := fmt.Sprint(x); online[name] {
				d.cut()
				online[name] = false
			} else {
				d.join()
				online[name] = true
			}
		case 7:
			w.npm.ask(npmRequest{Cmd: map[bool]string{true: "cut", false: "join"}[online[r]], Repo: r})
			online[r] = !online[r]
		}
	}
	for x, d := range devs {
		if !online[fmt.Sprint(x)] {
			d.join()
		}
		if !online[repos[x]] {
			w.npm.ask(npmRequest{Cmd: "join", Repo: repos[x]})
		}
	}
	for _, d := range devs {
		w.until("all entries", d, func() bool {
			list, err := d.Timeline(ctx, id, 1000)
			must(t, err)
			return len(list) == entries-1 && len(w.contact(d, id).Tags) == len(tags)
		})
		w.level(d)
	}
	for _, doc := range []crdt.DocName{crdt.ContactsDoc, month} {
		var got [4][]string
		var last npmAnswer
		for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
			for x := range 2 {
				last = w.npm.ask(npmRequest{Cmd: "find", Repo: repos[x], URL: w.doc(doc)})
				got[x], got[2+x] = last.Heads, w.heads(devs[x], doc)
			}
			if slices.Equal(got[0], got[1]) && slices.Equal(got[1], got[2]) && slices.Equal(got[2], got[3]) {
				break
			}
			if time.Since(start) > time.Minute {
				t.Fatalf("%s: heads differ after a minute: %.200v", doc, got)
			}
		}
		if doc == month && len(last.Values) != entries {
			t.Errorf("npm has %d entries, want %d", len(last.Values), entries)
		}
		if got, want := last.Values[crdt.ContactKey(id, crdt.FieldNote)], w.contact(devs[0], id).Note; doc == crdt.ContactsDoc && got != want {
			t.Errorf("npm shows note %v, a device %q", got, want)
		}
	}
}

func ptr[T any](v T) *T { return &v }
