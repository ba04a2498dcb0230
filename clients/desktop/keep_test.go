package desktop_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What one computer has and nobody else goes to another by a file, without a server.
func TestExportAndBring(t *testing.T) {
	s := newSite(t)
	s.ok([]string{"join", s.url, s.newDevice(s.member)})
	one, two := s.dir, filepath.Join(t.TempDir(), "two")
	s.dir = two
	s.ok([]string{"join", s.url, s.newDevice(s.member)})
	s.dir = one
	file := filepath.Join(t.TempDir(), "day.trio")
	s.ok([]string{"export", file}, "nothing is only on this device")
	s.ok([]string{"add", "Ana Torres", "+34600000001"})
	s.ok([]string{"export", file}, "changes in "+file, "trio device bring day.trio")
	if status, _, errs := s.trio("export", file); status != 1 || !strings.Contains(errs, "is there already") {
		t.Errorf("a second export over the first: %d %s", status, errs)
	}
	for what, holds := range map[string]string{"people.vcf": "FN:Ana Torres", "people.csv": "Ana Torres,prospect,+34600000001,", "log.csv": "Id,Date", "book.json": `"display":"Ana Torres"`, "all": "TrioBook"} {
		path := filepath.Join(t.TempDir(), what)
		s.ok([]string{"export", path, what})
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), holds) {
			t.Errorf("%s: %.300s, %v", what, b, err)
		}
	}
	if status, _, errs := s.trio("export", file+"x", "pictures"); status != 1 || !strings.Contains(errs, `no file "pictures"`) {
		t.Errorf("a sort that there is not: %d %s", status, errs)
	}
	s.dir = two
	s.ok([]string{"bring", file}, "1 changes came in, 0 were here already")
	s.ok([]string{"bring", file}, "0 changes came in, 1 were here already")
	s.ok([]string{"list", "ana"}, "Ana Torres")
	for path, want := range map[string]string{filepath.Join(one, "access.json"): "import", filepath.Join(one, "nothing"): "no such file"} {
		if status, _, errs := s.trio("bring", path); status != 1 || !strings.Contains(errs, want) {
			t.Errorf("bring %s: %d %s", path, status, errs)
		}
	}
	s.dir = filepath.Join(t.TempDir(), "ben")
	_, ben := s.newMember("Ben Ode")
	s.ok([]string{"join", s.url, ben})
	if status, _, errs := s.trio("bring", file); status != 1 || !strings.Contains(errs, "Maya Reyes's book, and this device has Ben Ode's book") {
		t.Errorf("another member's file: %d %s", status, errs)
	}
}
