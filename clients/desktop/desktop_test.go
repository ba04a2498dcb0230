package desktop_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trio/clients/desktop"
	"trio/crdt"
	"trio/server"
	"trio/server/store"
)

// site is a company's server with one member, on loopback.
type site struct {
	*testing.T
	st     *store.SQLite
	url    string
	tenant store.Tenant
	member crdt.MemberID
	dir    string // of the device that trio uses
}

func newSite(t *testing.T) *site {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewUnstartedServer(nil)
	srv := server.New(server.Config{Store: st, Log: slog.New(slog.DiscardHandler), PublicURL: "http://" + web.Listener.Addr().String()})
	web.Config.Handler = srv
	web.Start()
	t.Cleanup(func() {
		srv.Shutdown(context.Background()) //nolint:errcheck // the test is over
		web.Close()
		st.Close()
	})
	s := &site{T: t, st: st, url: web.URL, dir: filepath.Join(t.TempDir(), "device")}
	if s.tenant, err = st.CreateTenant(t.Context(), "Acme"); err != nil {
		t.Fatal(err)
	}
	s.member, _ = s.newMember("Maya Reyes")
	return s
}

// newMember makes a member, and a device of it with its token.
func (s *site) newMember(name string) (crdt.MemberID, string) {
	s.Helper()
	m, err := s.st.CreateMember(s.Context(), store.Member{Tenant: s.tenant, Name: name})
	if err != nil {
		s.Fatal(err)
	}
	return m, s.newDevice(m)
}

func (s *site) newDevice(m crdt.MemberID) string {
	s.Helper()
	_, token, err := s.st.CreateDevice(s.Context(), m, "a computer")
	if err != nil {
		s.Fatal(err)
	}
	return token
}

// trio runs a command on the device's folder.
func (s *site) trio(args ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = desktop.Main(s.Context(), append([]string{"--data", s.dir}, args...), &out, &errs)
	return status, out.String(), errs.String()
}

// ok runs a command that is to succeed and to print some texts.
func (s *site) ok(command []string, want ...string) string {
	s.Helper()
	status, out, errs := s.trio(command...)
	if status != 0 || errs != "" {
		s.Fatalf("%q: status %d, %s", command, status, errs)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			s.Errorf("%q prints %q, want %q", command, out, w)
		}
	}
	return out
}

// fails runs a command that is to fail with an error line of some texts, and with a hint when hint is true.
func (s *site) fails(command []string, want int, hint bool, texts ...string) {
	s.Helper()
	status, out, errs := s.trio(command...)
	if status != want || out != "" || !strings.HasPrefix(errs, "error: ") || strings.Contains(errs, "\nhint: ") != hint {
		s.Errorf("%q: status %d, %q, %q; want status %d, hint: %v", command, status, out, errs, want, hint)
	}
	for _, w := range texts {
		if !strings.Contains(errs, w) {
			s.Errorf("%q says %q, want %q", command, errs, w)
		}
	}
}

func cmd(args ...string) []string { return args }

func (s *site) file(name, content string) string {
	s.Helper()
	path := filepath.Join(s.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// TestSyncProvesWhatItHas: a device that comes, syncs and leaves within a second stands in the company's list with all it has.
func TestSyncProvesWhatItHas(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	for range 2 {
		s.ok(cmd("add", "Ana", "Prieto"))
		s.ok(cmd("sync"), " 0 only on this device")
		head, err := s.st.Head(t.Context(), s.member)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			list, err := s.st.Devices(t.Context(), s.member)
			if err != nil {
				t.Fatal(err)
			}
			if d := list[len(list)-1]; d.Receipt == head.Seq && head.Seq > 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the list says %d of %d", list[len(list)-1].Receipt, head.Seq)
			}
		}
	}
}

func TestDevice(t *testing.T) {
	s := newSite(t)
	s.fails(cmd("top"), 1, true, "is no device's data yet", "join LINK")
	s.fails(cmd("join", s.url), 2, true, "a device token")
	s.fails(cmd("join", "nowhere", "x"), 2, true, "is not a URL")
	s.fails(cmd("join", s.url, "trio_d_wrong"), 1, true, "does not know this device token")
	s.fails(cmd("dance"), 2, true, `"dance" is not known`)
	s.fails(cmd("top", "ten"), 2, true, "takes no argument")
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("a token that is not known made a folder")
	}

	token := s.newDevice(s.member)
	s.ok(cmd("join", s.url, token), "a device of Maya Reyes", s.member.String(), "0 only on this device")
	s.ok(cmd("profile"), "name      Maya Reyes\n", "zone      -\n")
	s.ok(cmd("profile", "name=Maya", "zone=Europe/Madrid"), "name      Maya\n", "zone      Europe/Madrid\n")
	s.fails(cmd("profile", "shoe=42"), 2, true, "want name=…")
	s.fails(cmd("profile", "zone=Atlantis"), 1, false, "Atlantis")
	s.fails(cmd("profile", "language=xx"), 2, true, `language "xx"`, "want one of en, es")
	s.fails(cmd("profile", "name=Iris", "language=Spanish"), 2, true, `language "Spanish"`)
	s.ok(cmd("profile"), "name      Maya\n", "language  -\n")

	s.ok(cmd("add", "Ana", "López", "+34612345678"), "Ana López is in your book\n")
	s.ok(cmd("add", "Ana", "Prieto"))
	s.ok(cmd("add", "Luis", "Vega", "+34612345679"))
	s.ok(cmd("list", "ana"), "Ana López", "Ana Prieto", "+34612345678")
	s.ok(cmd("top"), "PROSPECTS\n1 ", "  why: ", "MEMBERS\n  nothing needed today")
	s.ok(cmd("profile", "language=es-MX"))
	s.ok(cmd("top"), "PROSPECTOS\n1 ", "  por qué: ", "hoy no hace falta nada", "soy Maya")

	s.fails(cmd("log", "call", "ana"), 1, true, `"ana" finds several contacts: Ana López (+34612345678), Ana Prieto`)
	s.fails(cmd("log", "call", "zoe"), 1, true, `"zoe" finds nobody`)
	s.fails(cmd("log", "fax", "luis"), 2, true, "want call, text, email, meet, ask or promise")
	s.ok(cmd("log", "call", "678"), "anotado: llamada con Ana López")
	s.ok(cmd("add", "Ana"))
	if out := s.ok(cmd("log", "meet", "ana"), "anotado: encuentro con Ana"); strings.Contains(out, "Ana ") {
		t.Errorf("the whole name is said, and it is with another: %s", out)
	}
	s.ok(cmd("add", "Juliana", "Soto"), "Juliana Soto está en tu agenda\n")
	s.ok(cmd("add", "Julia", "Mena"))
	s.ok(cmd("log", "meet", "julia"), "anotado: encuentro con Julia Mena") // a whole word of the name is said
	s.fails(cmd("log", "meet", "juli"), 1, true, "finds several contacts")

	vcf := s.file("contacts.vcf", "BEGIN:VCARD\nVERSION:3.0\nUID:a\nFN:Kenji Mori\nTEL:612 345 670\nEND:VCARD\n")
	s.ok(cmd("import", vcf), "no calling code", "contacts: 1 new, 0 known already; orders: 0 new")
	s.ok(cmd("import", vcf, "+34"), "contacts: 0 new, 1 known already")
	orders := s.file("orders.csv", "order_id,customer_id,name,date,amount\n1,c1,Aiko Tanaka,2026-01-05,10.00\n2,c1,Aiko Tanaka,2026-02-05,12.50\n")
	s.ok(cmd("import", orders), "contacts: 1 new, 0 known already; orders: 2 new, 0 known already")
	s.ok(cmd("import", orders), "orders: 0 new, 2 known already")
	for name, content := range map[string]string{
		"empty.csv": "", "blank.csv": "\n\n", "heads.csv": "order_id,customer_id,date,amount\n", "people.csv": "Name,Phone\n", "none.vcf": "\n",
	} {
		s.fails(cmd("import", s.file(name, content)), 1, false, name+": ", "the file has no rows")
	}
	s.fails(cmd("import", s.file("x.bin", "\x00\x01\x02")), 1, true, "x.bin is neither")
	s.fails(cmd("import", vcf, "34x"), 1, false, "calling code")
	s.fails(cmd("import", filepath.Join(s.dir, "absent.csv")), 1, true, "absent.csv is not there", "check the name")

	if out := s.ok(cmd("status")); strings.Contains(out, " 0 only on this device") {
		t.Errorf("status before the sync: %s", out)
	}
	s.ok(cmd("sync"), " 0 only on this device")
	s.ok(cmd("status"), " 0 only on this device")

	// Another member's token, and one of another device, leave all as it was.
	_, stranger := s.newMember("Iris")
	for _, token := range []string{stranger, s.newDevice(s.member)} {
		before := s.access()
		s.fails(cmd("join", s.url, token), 1, true, "another member or device", "choose another folder")
		if s.access() != before {
			t.Error("a join that was refused changed access.json")
		}
		// The same without access.json: the database knows whose it is.
		keep := filepath.Join(s.dir, "access.json")
		if err := os.Remove(keep); err != nil {
			t.Fatal(err)
		}
		s.fails(cmd("join", s.url, token), 1, true, "another member or device")
		if _, err := os.Stat(keep); err == nil {
			t.Error("a join that was refused wrote access.json")
		}
		if err := os.WriteFile(keep, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.ok(cmd("list", "kenji"), "Kenji Mori")
	s.ok(cmd("sync"), " 0 only on this device")
	s.ok(cmd("join", s.url, token), "a device of Maya Reyes") // its own token is welcome again
	s.ok(cmd("profile"), "name      Maya\n")

	// A second computer has the book, and the name that was set.
	s.dir = filepath.Join(t.TempDir(), "second")
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	s.ok(cmd("profile"), "name      Maya\n", "language  es-MX\n")
	s.ok(cmd("list"), "Ana López", "Luis Vega", "Kenji Mori", "Aiko Tanaka")
}

func (s *site) access() string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "access.json"))
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

func TestDeviceRevoked(t *testing.T) {
	s := newSite(t)
	dev, token, err := s.st.CreateDevice(t.Context(), s.member, "a computer")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.st.RevokeDevice(t.Context(), dev.ID); err != nil {
		t.Fatal(err)
	}
	s.fails(cmd("join", s.url, token), 1, true)
	if _, err := os.Stat(s.dir); err == nil {
		t.Error("a device that was revoked made a folder")
	}
}

// TestDeviceRevokedLater: what was only on the device is with the company, the device is empty, and every command says so.
func TestDeviceRevokedLater(t *testing.T) {
	s := newSite(t)
	dev, token, err := s.st.CreateDevice(t.Context(), s.member, "a computer")
	if err != nil {
		t.Fatal(err)
	}
	s.ok(cmd("join", s.url, token))
	s.ok(cmd("add", "Ana", "López"))
	if err := s.st.RevokeDevice(t.Context(), dev.ID); err != nil {
		t.Fatal(err)
	}
	s.ok(cmd("list"), "Ana López")
	s.fails(cmd("sync"), 1, true, "access was taken back on 20", "it is empty", "with your company")
	s.fails(cmd("list"), 1, true, "access was taken back on 20", "it is empty")
	s.fails(cmd("add", "Ben"), 1, true, "access was taken back on 20")
	s.fails(cmd("sync"), 1, true, "access was taken back on 20")
	s.ok(cmd("status"), "access was taken back on 20", "what was only here is with your company")
	kept, err := s.st.ParkedOf(t.Context(), dev.ID, 0, 10)
	if err != nil || len(kept) != 1 {
		t.Errorf("%d changes are kept: %v", len(kept), err)
	}
	if info, err := s.st.DeviceByID(t.Context(), dev.ID); err != nil || info.Left.IsZero() {
		t.Errorf("the server knows of it: %+v, %v", info, err)
	}
	files, err := filepath.Glob(filepath.Join(s.dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "Ana") {
			t.Errorf("%s: names are still in it: %v", f, err)
		}
	}
}

// TestDeviceRevokedComesBack: with a new invitation the emptied folder is a device again, another one.
func TestDeviceRevokedComesBack(t *testing.T) {
	s := newSite(t)
	dev, token, err := s.st.CreateDevice(t.Context(), s.member, "a computer")
	if err != nil {
		t.Fatal(err)
	}
	s.ok(cmd("join", s.url, token))
	s.ok(cmd("add", "Ana", "López"))
	s.ok(cmd("top"), "Ana")
	s.ok(cmd("sync"))
	if err := s.st.RevokeDevice(t.Context(), dev.ID); err != nil {
		t.Fatal(err)
	}
	s.fails(cmd("sync"), 1, true, "it is empty", "with a new invitation from it: trio device --data "+s.dir+" join LINK")
	s.fails(cmd("join", s.url, "AAAA-AAAA-AAAA"), 1, true, "does not know this code")
	s.fails(cmd("list"), 1, true, "access was taken back") // what it was is kept until the server takes it
	_, link := s.invitation(s.member)
	s.ok(cmd("--name", "Maya's desk", "join", link), "a device of Maya Reyes")
	if s.device() == dev.ID {
		t.Error("it is the device that was revoked")
	}
	s.ok(cmd("list"), "Ana López")
	s.ok(cmd("devices"), "Maya's desk")
	s.fails(cmd("--name", "x", "top"), 2, true, "--name is for join")
	// And by a token.
	if err := s.st.RevokeDevice(t.Context(), s.device()); err != nil {
		t.Fatal(err)
	}
	s.fails(cmd("sync"), 1, true, "it is empty")
	s.ok(cmd("join", s.url, s.newDevice(s.member)), "a device of Maya Reyes")
	s.ok(cmd("list"), "Ana López")
}

func TestDeviceLongList(t *testing.T) {
	s := newSite(t)
	s.ok(cmd("join", s.url, s.newDevice(s.member)))
	var b strings.Builder
	b.WriteString("Name,Phone\n")
	for i := range 203 {
		fmt.Fprintf(&b, "Person Number%03d,+34612345%03d\n", i, i)
	}
	s.ok(cmd("import", s.file("people.csv", b.String())), "contacts: 203 new")
	out := s.ok(cmd("list"), "… and 3 more")
	if n := strings.Count(out, "\n"); n != 201 {
		t.Errorf("%d lines, want 201", n)
	}
}
