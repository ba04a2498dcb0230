package desktop_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/server/store"
)

// TestWhatIsDueNowStandsOnTop has a system of the company's log what two contacts did: trio device sync prints the one that has
// just happened, once, and trio device top on another computer does not repeat it.
func TestWhatIsDueNowStandsOnTop(t *testing.T) {
	ctx := t.Context()
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("profile", homeAt(12))) // nothing is told at night
	s.ok(cmd("add", "Priya", "Raman", "+34612345678"))
	s.ok(cmd("sync"))
	first, second := s.dir, filepath.Join(t.TempDir(), "second")
	s.dir = second
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("profile", "language=es"))

	info, token, err := s.st.CreateDevice(ctx, s.member, "the company's page")
	if err != nil {
		t.Fatal(err)
	}
	page, err := replica.Open(ctx, replica.Config{Path: filepath.Join(t.TempDir(), "page.db"), Member: info.Member, Device: info.ID})
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close() //nolint:errcheck // the test is over
	level(t, s, page, info, token)
	all, err := page.Contacts(ctx, "priya", 0, 2)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	if _, err := page.Log(ctx, crdt.Entry{Kind: crdt.FormSubmitted, Contact: all[0].ID, Evidence: crdt.E3}); err != nil {
		t.Fatal(err)
	}
	level(t, s, page, info, token)

	s.dir = first
	const notice = "NOW Priya has just filled in your form: now is the best time to call (until "
	if out := s.ok(cmd("sync"), notice, "  Call Priya to say hello  (Priya Raman)\n  “Hi Priya,", "0 only on this device"); !strings.HasPrefix(out, notice) {
		t.Errorf("it does not stand on top:\n%s", out)
	}
	for _, command := range []string{"sync", "top"} {
		if out := s.ok(cmd(command)); strings.Contains(out, "NOW") {
			t.Errorf("%s says it once more:\n%s", command, out)
		}
	}
	s.dir = second
	if out := s.ok(cmd("sync")); strings.Contains(out, "AHORA") {
		t.Errorf("another computer repeats it:\n%s", out)
	}
	s.ok(cmd("top"), "PROSPECTOS\n1 Llama a Priya")
}

// level brings a replica and the server level.
func level(t *testing.T, s *site, r *replica.Replica, d store.Device, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	y := r.NewSyncer(replica.SyncerConfig{URL: "ws" + strings.TrimPrefix(s.url, "http") + "/v1/sync", Token: token, Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- y.Run(ctx) }()
	for !y.State().Level {
		select {
		case err := <-done:
			t.Fatalf("device %s does not come level: %v", d.ID, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	<-done
}
