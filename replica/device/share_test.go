package device_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/replica/device"
	"trio/replica/importer"
)

// What a person passes on and takes along, as screens ask for it.
func TestShareCardsAndFiles(t *testing.T) {
	ctx := t.Context()
	now := time.Date(2026, 5, 14, 10, 0, 0, 0, time.UTC)
	member := crdt.MemberID{1}
	open := func(id byte) *device.Device {
		t.Helper()
		r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "r.db"), Member: member, Device: crdt.DeviceID{id}, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close() })
		return &device.Device{R: r}
	}
	d := open(2)
	ask := func(key, method, args string, into any) string {
		t.Helper()
		out, err := d.Call(ctx, key, method, args)
		if err != nil {
			t.Fatalf("%s %s: %v", method, args, err)
		}
		if into != nil {
			if err := json.Unmarshal([]byte(out), into); err != nil {
				t.Fatalf("%s: %v in %s", method, err, out)
			}
		}
		return out
	}
	refused := func(method, args, want string) {
		t.Helper()
		if out, err := d.Call(ctx, "bad", method, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: %s, %v; want %q", method, args, out, err, want)
		}
	}
	var ana struct{ ID string }
	ask("ana", "add", `{"fields":{"name":"Ana Torres","phone/+34600000001":"mobile"}}`, &ana)

	// A link and the share that it is of.
	var pieces []struct {
		Name, Kind, Title, Summary string
		Shared                     int
	}
	ask("", "pieces", `{"lang":"es"}`, &pieces)
	if len(pieces) == 0 || pieces[0].Title != "Qué lleva y por qué" || pieces[0].Kind != "article" || pieces[0].Shared != 0 {
		t.Fatalf("%+v", pieces)
	}
	var link struct{ Code string }
	var share struct{ ID string }
	ask("s1", "link", `{"piece":"why-it-works"}`, &link)
	ask("s1", "share", `{"piece":"why-it-works","contact":"`+ana.ID+`"}`, &share)
	if again := ask("s1", "share", `{"piece":"why-it-works","contact":"`+ana.ID+`"}`, nil); !strings.Contains(again, share.ID) {
		t.Errorf("shared again under the same key: %s", again)
	}
	l, err := crdt.ReadLink(link.Code)
	id, _ := crdt.ParseEntryID(share.ID)
	if err != nil || l.Member != member || string(l.Share[:]) != string(id[:5]) || l.Piece != crdt.TagOf("why-it-works") {
		t.Errorf("the link is of %+v, %v; the share is %s", l, err, share.ID)
	}
	if got := ask("", "readLink", `{"text":"`+link.Code+`","lang":"en"}`, nil); !strings.Contains(got, `"own":true`) || !strings.Contains(got, "What is in it, and why") {
		t.Errorf("read again: %s", got)
	}
	if got := ask("", "timeline", `{"id":"`+ana.ID+`"}`, nil); !strings.Contains(got, `"kind":"share"`) || !strings.Contains(got, `"content":"why-it-works"`) || !strings.Contains(got, `"evidence":1`) {
		t.Errorf("with whom it was shared: %s", got)
	}
	done := func(want int) {
		t.Helper()
		var h struct {
			Rings []struct {
				Metric string
				Done   int
			}
		}
		ask("", "habit", "", &h)
		ask("", "pieces", "", &pieces)
		for _, r := range h.Rings {
			if r.Metric == "share" && r.Done != want || pieces[0].Shared != want {
				t.Errorf("%d shares count, and %d are of the piece; want %d", r.Done, pieces[0].Shared, want)
			}
		}
	}
	ask("g", "commit", `{"dimension":"share","count":2}`, nil)
	done(1)
	ask("undo", "takeBack", `{"id":"`+share.ID+`"}`, nil)
	done(0)
	ask("s2", "share", `{"piece":"why-it-works"}`, nil)
	refused("share", `{"piece":"none"}`, "not offered")
	refused("link", `{"piece":"lesson-first-conversation"}`, "not offered")
	refused("readLink", `{"text":"x"}`, "damaged")

	// Cards.
	if got := ask("", "card", "", nil); got != "{}" {
		t.Errorf("a card of nobody: %s", got)
	}
	for key, value := range map[string]string{"name": "Maya Reyes", "phone": "+34 600 123\\n456", "email": "maya@example.com"} {
		ask("card "+key, "setProfile", `{"key":"`+key+`","value":"`+value+`"}`, nil)
	}
	var card struct{ VCard string }
	ask("", "card", "", &card)
	if p, _, err := importer.ReadCard(card.VCard, importer.Options{}); err != nil || p.Name != "Maya Reyes" || len(p.Phones) != 1 || p.Phones[0].Number != "+34600123456" {
		t.Errorf("own card %q: %+v, %v", card.VCard, p, err)
	}
	var read struct {
		Name     string
		Fields   map[string]string
		Problems []string
	}
	ask("", "readCard", `{"text":"MECARD:N:Owen,Sean;TEL:600000009;;"}`, &read)
	if read.Name != "Sean Owen" || len(read.Problems) != 1 {
		t.Errorf("a number without a calling code: %+v", read)
	}
	ask("", "readCard", `{"text":"MECARD:N:Owen,Sean;TEL:600000009;;","code":"+34"}`, &read)
	if _, ok := read.Fields["phone/+34600000009"]; !ok {
		t.Errorf("with one: %+v", read)
	}
	refused("readCard", `{"text":"https://evil.example"}`, "no card")

	// Steps with a day.
	ask("p", "log", `{"entry":{"kind":"promise","contact":"`+ana.ID+`","due":"2026-05-20"}}`, nil)
	ask("b", "add", `{"fields":{"name":"Ben","snooze":"2026-05-18"}}`, nil)
	ask("c", "add", `{"fields":{"name":"Old","snooze":"2026-05-01"}}`, nil)
	var steps []struct {
		Name, Date, Phone string
		Promised          bool
	}
	ask("", "steps", "", &steps)
	if len(steps) != 2 || steps[0].Name != "Ben" || steps[1].Name != "Ana Torres" || !steps[1].Promised || steps[1].Date != "2026-05-20" || steps[1].Phone == "" {
		t.Errorf("steps: %+v", steps)
	}

	// Files.
	for what, wants := range map[string][]string{
		"people.vcf": {"FN:Ana Torres", "UID:" + ana.ID}, "people.csv": {"Ana Torres,prospect,+34600000001", ",2026-05-18\r\n"},
		"log.csv": {now.Local().Format("2006-01-02,15:04") + ",share,,,,,why-it-works", "promise," + ana.ID + ",Ana Torres"}, "book.json": {`"display":"Ben"`, `"kind":"promise"`},
	} {
		f, err := d.Export(ctx, what)
		if err != nil || !strings.Contains(f.Name, "2026-05-14") || what == "book.json" && !json.Valid(f.Data) {
			t.Fatalf("%s: %+v, %v", what, f.Name, err)
		}
		for _, want := range wants {
			if !strings.Contains(string(f.Data), want) {
				t.Errorf("%s lacks %q:\n%s", what, want, f.Data)
			}
		}
		if strings.Contains(string(f.Data), share.ID) {
			t.Errorf("%s has what was taken back", what)
		}
	}
	if _, err := d.Export(ctx, "x"); err == nil {
		t.Error("a file that there is not")
	}
	f, err := d.Export(ctx, "unsent")
	if err != nil || f.Changes == 0 || !strings.HasSuffix(f.Name, ".trio") {
		t.Fatalf("%+v, %v", f.Name, err)
	}
	other := open(3)
	got, err := other.Import(ctx, f.Name, "", f.Data)
	if err != nil || !strings.Contains(got, `"waiting":0,"aside":0`) {
		t.Errorf("brought: %s, %v", got, err)
	}
	if a, b := ask("", "people", "", nil), ""; true {
		b, err = other.Call(ctx, "", "people", "")
		if err != nil || a != b {
			t.Errorf("the other device has %s, %v; this one %s", b, err, a)
		}
	}
}
