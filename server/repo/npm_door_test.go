package repo_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/server/repo"
	"trio/server/store"
	"trio/server/store/storetest"
)

// TestNpmStrangers: who has no good token, or asks for a document of somebody else, learns nothing and hears why.
func TestNpmStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	other, err := w.st.CreateMember(ctx, store.Member{Tenant: w.tenant, Name: "Noa"})
	must(t, err)
	od, _, err := w.st.CreateDevice(ctx, other, "phone")
	must(t, err)
	it := storetest.NewAuthor(od, 1, rand.New(rand.NewPCG(1, 1))).Tap(3)
	_, err = w.st.Append(ctx, other, []store.Item{it})
	must(t, err)
	d := w.device()
	_, err = d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)

	dev, token := w.token()
	w.npm.ask(npmRequest{Cmd: "repo", Repo: "member", Server: w.url(token)})
	for what, url := range map[string]string{
		"another member's": repo.URL(it.Doc.DocumentID(other)), "nobody's": repo.URL(crdt.DocumentID(dev.ID)), "an unwritten one": w.doc(crdt.ProfileDoc),
	} {
		if a := w.npm.ask(npmRequest{Cmd: "find", Repo: "member", URL: url}); a.State != "unavailable" {
			t.Errorf("%s document is %s", what, a.State)
		}
	}
	// What it makes under another member's document stays with it: nothing is stored and the connection goes on.
	stolen := repo.URL(crdt.ContactsDoc.DocumentID(other))
	w.npm.ask(npmRequest{Cmd: "create", Repo: "member", URL: stolen, Put: map[string]any{"k": "v"}})
	if a := w.npm.ask(npmRequest{Cmd: "find", Repo: "member", URL: w.doc(crdt.ContactsDoc)}); a.State != "ready" {
		t.Errorf("the member's own document is %s", a.State)
	}
	names, err := w.st.Documents(ctx, other)
	must(t, err)
	if !slices.Equal(names, []crdt.DocName{it.Doc}) {
		t.Errorf("the other member has %v", names)
	}

	for name, token := range map[string]string{"unknown": strings.Repeat("x", 43), "none": ""} {
		w.npm.ask(npmRequest{Cmd: "repo", Repo: name, Server: w.url(token)})
		if a := w.npm.ask(npmRequest{Cmd: "peers", Repo: name, Count: ptr(1), Timeout: 500}); len(a.Peers) != 0 {
			t.Errorf("with token %s it is let in", name)
		}
	}
	// A device that is revoked while it is connected is told at the next ping; one that comes again is not let in.
	must(t, w.st.RevokeDevice(ctx, dev.ID))
	w.npm.ask(npmRequest{Cmd: "cut", Repo: "member"})
	w.npm.ask(npmRequest{Cmd: "join", Repo: "member"})
	if a := w.npm.ask(npmRequest{Cmd: "peers", Repo: "member", Count: ptr(1), Timeout: 500}); len(a.Peers) != 0 {
		t.Error("a revoked device is let in")
	}
	if a := w.npm.ask(npmRequest{Cmd: "uncaught"}); len(a.Uncaught) > 0 {
		t.Errorf("a program without care would have ended: %q", a.Uncaught)
	}
	for _, secret := range []string{token, strings.Repeat("x", 43)} {
		if strings.Contains(w.logs.String(), secret) {
			t.Error("a token stands in the log")
		}
	}
}

// TestNpmIsToldWhatIsRefused: a change that may not be keeps its writer's other documents going, and the program is told.
func TestNpmIsToldWhatIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	_, err := d.Log(ctx, crdt.Entry{Kind: crdt.Share})
	must(t, err)
	_, err = d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)
	month := crdt.LogDoc(time.Now())
	w.client("one", "")
	w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: w.doc(month)})
	// No entry; then one that would be fine but builds on it.
	bad := w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: w.doc(month), Put: map[string]any{"not an entry": "at all"}})
	e, err := (&crdt.Entry{Version: crdt.EntryVersion, Kind: crdt.Share, At: time.Now().UnixMilli()}).Encode()
	must(t, err)
	good := w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: w.doc(month), Put: map[string]any{crdt.NewEntryID().String(): e}})
	told := map[string]string{}
	messages := 0
	for n := 1; len(told) < 2 && n < 3; n++ {
		heard := w.npm.ask(npmRequest{Cmd: "heard", Repo: "one", Count: &n}).Heard
		if messages = len(heard); messages < n {
			t.Fatalf("told %d times, of %d changes", messages, len(told))
		}
		h := heard[n-1]
		var r struct {
			Type, Conn string
			Changes    []struct {
				Hash, Text string
				Code       int
			}
		}
		must(t, json.Unmarshal(h.Message, &r))
		if r.Type != "trio-refused" || !strings.Contains(w.logs.String(), r.Conn) {
			t.Errorf("told %s", h.Message)
		}
		for _, c := range r.Changes {
			told[c.Hash] = c.Text
			if !strings.Contains(w.logs.String(), c.Hash) {
				t.Errorf("the log has nothing about %s", c.Hash)
			}
		}
	}
	if len(told) != 2 || !strings.Contains(told[bad.Heads[0]], "is not an id") || !strings.Contains(told[good.Heads[0]], "refused") {
		t.Errorf("told %v, refused %v and then %v", told, bad.Heads, good.Heads)
	}
	if n := len(w.heads(d, month)); n != 1 {
		t.Errorf("the device has %d heads", n)
	}
	// The other documents go on, and so does what a device writes to this one.
	w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: w.doc(crdt.ContactsDoc), Put: map[string]any{crdt.ContactKey(crdt.NewContactID(), crdt.FieldName): "Eva"}})
	id, err := d.Log(ctx, crdt.Entry{Kind: crdt.Share})
	must(t, err)
	w.npm.ask(npmRequest{Cmd: "wait", Repo: "one", URL: w.doc(month), Count: ptr(4)})
	if a := w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: w.doc(month)}); a.Values[id.String()] == nil {
		t.Errorf("the device's entry is not there: %v", a.Values)
	}
	w.until("Eva", d, func() bool {
		list, err := d.Contacts(ctx, "Eva", 0, 10)
		must(t, err)
		return len(list) == 1
	})
	// Both are silent about it now.
	time.Sleep(300 * time.Millisecond)
	if after := len(w.npm.ask(npmRequest{Cmd: "heard", Repo: "one", Count: ptr(0)}).Heard); after != messages {
		t.Errorf("told %d times more", after-messages)
	}
}

// TestNpmEphemeral: what programs of a member broadcast on a document reaches the others, once, and nobody else.
func TestNpmEphemeral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device()
	_, err := d.AddContact(t.Context(), replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)
	url := w.doc(crdt.ContactsDoc)
	for _, r := range []string{"one", "two", "three"} {
		w.client(r, "")
		if r != "three" {
			w.npm.ask(npmRequest{Cmd: "find", Repo: r, URL: url})
		}
	}
	for i := range 3 {
		w.npm.ask(npmRequest{Cmd: "broadcast", Repo: "one", URL: url, Message: map[string]any{"cursor": i}})
	}
	got := w.npm.ask(npmRequest{Cmd: "heard", Repo: "two", Count: ptr(3)}).Heard
	var words []string
	for _, h := range got {
		words = append(words, string(h.Message))
	}
	if want := []string{`{"cursor":0}`, `{"cursor":1}`, `{"cursor":2}`}; !slices.Equal(words, want) {
		t.Errorf("heard %v", words)
	}
	w.npm.ask(npmRequest{Cmd: "broadcast", Repo: "one", URL: url, Message: strings.Repeat("x", 100<<10)})
	w.npm.ask(npmRequest{Cmd: "broadcast", Repo: "one", URL: url, Message: "small"})
	if got = w.npm.ask(npmRequest{Cmd: "heard", Repo: "two", Count: ptr(4)}).Heard; len(got) != 4 || string(got[3].Message) != `"small"` {
		t.Errorf("heard %d messages after a large and a small one", len(got))
	}
	for _, r := range []string{"one", "three"} {
		if got := w.npm.ask(npmRequest{Cmd: "heard", Repo: r, Count: ptr(0)}).Heard; len(got) > 0 {
			t.Errorf("%s heard %v", r, got)
		}
	}
}

// TestNpmLargeDocument: a document of 20,000 entries by this door; what it takes is logged.
func TestNpmLargeDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	dev, _ := w.token()
	author := storetest.NewAuthor(dev, 1, rand.New(rand.NewPCG(1, 1)))
	var doc crdt.DocName
	n := 20_000
	if raceEnabled {
		n = 2_000 // the store's work takes too long then
	}
	for range n / 1000 {
		var items []store.Item
		for range 1000 {
			items = append(items, author.Tap(1))
		}
		doc = items[0].Doc
		ack, err := w.st.Append(ctx, w.member, items)
		must(t, err)
		if len(ack.Rejected) > 0 {
			t.Fatal(ack.Rejected[0])
		}
	}
	for _, what := range []string{"as it comes", "folded"} {
		w.client(what, "")
		a := w.npm.ask(npmRequest{Cmd: "wait", Repo: what, URL: w.doc(doc), Count: &n, Timeout: 120000})
		b := w.npm.ask(npmRequest{Cmd: "find", Repo: what, URL: w.doc(doc)})
		t.Logf("%s: %d entries in %.1f s and %.1f MB", what, n, a.MS/1000, float64(b.Bytes)/1e6)
		if len(b.Values) != n || b.Bytes > 12<<20 {
			t.Errorf("%d entries, %d bytes", len(b.Values), b.Bytes)
		}
		w.npm.ask(npmRequest{Cmd: "close", Repo: what})
		for {
			n, err := w.st.Compact(ctx, w.member, 1)
			must(t, err)
			if n == 0 {
				break
			}
		}
	}
}

// TestNpmReloads: a page that is loaded 300 times is 300 writers of its document.
func TestNpmReloads(t *testing.T) {
	t.Parallel()
	loads := 50 // of each page
	if testing.Short() {
		loads = 10
	}
	w := newWorld(t)
	d := w.device()
	ctx := t.Context()
	id, err := d.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	w.level(d)
	start := time.Now()
	// Six at a time, each with a token of its own: a device may connect 60 times at once.
	var pages sync.WaitGroup
	for i := range 6 {
		_, token := w.token()
		pages.Go(func() {
			key := crdt.ContactKey(id, crdt.FieldTag+fmt.Sprint(i))
			if a := w.npm.try(npmRequest{Cmd: "reload", Repo: fmt.Sprint(i), Server: w.url(token), URL: w.doc(crdt.ContactsDoc), Count: &loads, Key: key}); a.Error != "" {
				t.Error(a.Error)
			}
		})
	}
	pages.Wait()
	t.Logf("%d page loads in %v", 6*loads, time.Since(start).Round(time.Millisecond))
	if t.Failed() {
		t.FailNow()
	}
	w.until("what all have written", d, func() bool {
		hs, err := d.Heads(ctx)
		must(t, err)
		return len(hs[crdt.ContactsDoc]) > 0 && len(w.contact(d, id).Tags) == 6
	})
	must(t, d.EditContact(ctx, id, replica.Fields{crdt.FieldNote: "and the device's"}))
	w.client("last", "")
	w.npm.ask(npmRequest{Cmd: "wait", Repo: "last", URL: w.doc(crdt.ContactsDoc), Values: map[string]any{crdt.ContactKey(id, crdt.FieldNote): "and the device's"}})
}

// program builds the trio binary once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "trio-test")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "trio")
	if out, err := exec.Command("go", "build", "-o", path, "trio/server/cmd/trio").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build trio: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built.Load() {
		if path, err := program(); err == nil {
			os.RemoveAll(filepath.Dir(path))
		}
	}
	os.Exit(code)
}

var built atomic.Bool

// process starts the real server program and waits until it serves; kill ends it as a power cut would.
func process(t *testing.T, dir, addr string) (kill func()) {
	t.Helper()
	built.Store(true)
	path, err := program()
	must(t, err)
	cmd := exec.Command(path, "serve", "--data", dir, "--listen", addr)
	stderr, err := cmd.StderrPipe()
	must(t, err)
	must(t, cmd.Start())
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
	})
	t.Cleanup(kill)
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "msg=serving") {
			go func() {
				for lines.Scan() { // keep the pipe empty
				}
			}()
			return kill
		}
	}
	t.Fatal("the server ended before it served")
	return nil
}

// TestNpmBringsBack: the server is killed and comes back, then it is put back from a backup. What only npm's program holds
// comes back by it.
func TestNpmBringsBack(t *testing.T) {
	t.Parallel()
	w := &world{TB: t, npm: startNpm(t), dir: t.TempDir()}
	ctx := t.Context()
	var err error
	w.st, err = store.Open(ctx, store.Config{Path: filepath.Join(w.dir, "trio.db")})
	must(t, err)
	w.tenant, err = w.st.CreateTenant(ctx, "Acme")
	must(t, err)
	w.member, err = w.st.CreateMember(ctx, store.Member{Tenant: w.tenant, Name: "Maya"})
	must(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.addr = ln.Addr().String()
	must(t, ln.Close())
	first, later := w.device(), w.device()
	later.cut()
	w.client("one", "kept")
	must(t, w.st.Close())

	kill := process(t, w.dir, w.addr)
	id, err := first.AddContact(ctx, replica.Fields{crdt.FieldName: "Ana"})
	must(t, err)
	url := w.doc(crdt.ContactsDoc)
	w.npm.ask(npmRequest{Cmd: "wait", Repo: "one", URL: url, Count: ptr(1)})
	put := func(n int) {
		t.Helper()
		w.npm.ask(npmRequest{Cmd: "change", Repo: "one", URL: url, Put: map[string]any{crdt.ContactKey(id, crdt.FieldTag+fmt.Sprint(n)): true}})
	}
	tags := func(d *device, n int) {
		t.Helper()
		w.until(fmt.Sprintf("%d tags", n), d, func() bool { return len(w.contact(d, id).Tags) == n })
	}
	for n := range 5 {
		put(n)
	}
	tags(first, 5)
	kill()
	backup := t.TempDir()
	must(t, os.CopyFS(backup, os.DirFS(w.dir)))
	put(5) // while it is down
	kill = process(t, w.dir, w.addr)
	for n := 6; n < 10; n++ {
		put(n)
	}
	tags(first, 10)
	first.cut()
	kill()

	// The backup knows of five tags, and so would everybody but npm's program.
	kill = process(t, backup, w.addr)
	defer kill()
	later.join()
	tags(later, 10)
	put(10)
	tags(later, 11)
	a := w.npm.ask(npmRequest{Cmd: "find", Repo: "one", URL: url})
	if want := w.heads(later, crdt.ContactsDoc); !slices.Equal(a.Heads, want) {
		t.Errorf("npm has heads %v, the device %v", a.Heads, want)
	}
}
