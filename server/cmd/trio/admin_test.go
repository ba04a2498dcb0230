package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"trio/clients/qr"
	"trio/crdt"
	"trio/ranking"
	"trio/ranking/playbook"
	"trio/server/admin"
	"trio/server/store"
	"trio/server/store/storetest"
)

func TestAdmin(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// keep NAME [PATTERN]: the variable is what the last command printed, or the first group of the pattern in it
			"keep": func(ts *testscript.TestScript, _ bool, args []string) {
				text := strings.TrimSpace(ts.ReadFile("stdout"))
				if len(args) > 1 {
					m := regexp.MustCompile(args[1]).FindStringSubmatch(text)
					if m == nil {
						ts.Fatalf("%s is not in %s", args[1], text)
					}
					text = m[1]
				}
				ts.Setenv(args[0], text)
			},
			// park DEVICE: the revoked device brings what it had not sent
			"park": func(ts *testscript.TestScript, _ bool, args []string) {
				var d crdt.DeviceID
				ts.Check(d.UnmarshalText([]byte(args[0])))
				st, err := openStore(t.Context(), ts.MkAbs("data"), nil, true)
				ts.Check(err)
				defer st.Close()
				info, err := st.DeviceByID(t.Context(), d)
				ts.Check(err)
				a := storetest.NewAuthor(info.Device, 1, rand.New(rand.NewPCG(1, 2)))
				ts.Check(st.Park(t.Context(), d, []store.Item{a.Tap(2), a.Edit(3)}))
			},
			// readqr: the last command printed the QR code of the link that it printed, as the tests of qr have it read
			"readqr": func(ts *testscript.TestScript, _ bool, _ []string) {
				text := ts.ReadFile("stdout")
				c, err := qr.New(regexp.MustCompile(`link +(\S+)`).FindStringSubmatch(text)[1])
				ts.Check(err)
				if !strings.HasSuffix(text, "\n\n"+c.Text(false)) {
					ts.Fatalf("no QR code of the link: %s", text)
				}
			},
		},
	})
}

// TestAdminAPI runs what OPERATIONS.md shows of the API, line by line, against a real server; every route is in it.
func TestAdminAPI(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl here")
	}
	doc, err := os.ReadFile("../../../OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(doc), "```sh\n")
	block, _, _ = strings.Cut(block, "```")

	c := newCompany(t)
	st, err := openStore(t.Context(), c.data, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	svc, err := admin.New(admin.Config{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	op, ctx := admin.Operator(), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := svc.CreateKey(ctx, op, c.device.Tenant, "all", store.Scopes)
	must(err)
	spare, err := svc.CreateKey(ctx, op, c.device.Tenant, "spare", []store.Scope{store.ScopeFeed})
	must(err)
	back, err := svc.Invite(ctx, op, c.member, 0)
	must(err)
	good, err := svc.Invite(ctx, op, c.member, 0)
	must(err)
	lost, err := svc.CreateDevice(ctx, op, c.member, "tablet")
	must(err)
	gone, err := svc.CreateDevice(ctx, op, c.member, "old phone")
	must(err)
	for _, rt := range svc.Routes(slog.New(slog.DiscardHandler)) {
		call := "TRIO" + regexp.MustCompile(`\\\{id\\\}`).ReplaceAllString(regexp.QuoteMeta(rt.Path), `\$$[A-Z_]+`) + `(["? ]|$)`
		if rt.Method != http.MethodGet {
			call = "-X " + rt.Method + ` .*` + call
		}
		if !regexp.MustCompile(`(?m)^(api|own|curl -fsS) [^\n]*` + call).MatchString(block) {
			t.Errorf("%s %s is not in OPERATIONS.md", rt.Method, rt.Path)
		}
	}
	must(st.Close())

	doc = playbook.Default().Encode()
	p := serving(t, c)
	script := "set -e\n"
	for line := range strings.Lines(block) {
		if strings.Contains(line, "() {") {
			script += line
			continue
		}
		script += "echo " + strconv.Quote("+ "+strings.ReplaceAll(strings.TrimSpace(line), "$", "")) + "\n" + line + "echo\n"
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = append(os.Environ(),
		"TRIO=http://"+p.addr, "KEY="+key.Secret, fmt.Sprintf("COMPANY=%d", c.device.Tenant), fmt.Sprintf("ID_OF_KEY=%d", spare.ID), "MEMBER="+c.member.String(),
		fmt.Sprintf("INVITE=%d", back.ID), "DEVICE="+gone.ID.String(), "CODE="+good.Code, "TOKEN="+c.token, "LOST="+lost.ID.String(),
		"PLAYBOOK="+write(t, string(doc)),
	)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		`"name":"Verdant Trail"`, `"name":"Sol e Mar"`, `"bytes":200000000`, `"key":"trio_k_`, `"team":"South"`, `"depth":0`, `"qr":"\u003csvg `, `"state":"revoked"`,
		`"taken":0`, `"token":"trio_d_`, "<html", `"name":"laptop"`, "/join#", fmt.Sprintf(`"version":%d,"hash":"`, ranking.DefaultPlaybook().Version+1), `"name": "First playbook"`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s is not in the answers: %s", want, out)
		}
	}
}

// command runs trio to its end and returns what it prints.
func command(t *testing.T, args ...string) string {
	t.Helper()
	var stderr strings.Builder
	cmd := program(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// TestAdminBeside: the operator works on the folder of a running server; people join by the link that is printed, pair a
// second computer from the first, and both suggest the same.
func TestAdminBeside(t *testing.T) {
	c := newCompany(t)
	p := serving(t, c)
	at := "http://" + p.addr
	dir := t.TempDir()
	settings := filepath.Join(dir, "trio.toml")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "data = %q\npublic-url = %q\n", c.data, at), 0o600); err != nil {
		t.Fatal(err)
	}
	operator := func(args ...string) string {
		return command(t, append([]string{"admin", "--config", settings}, args...)...)
	}
	find := func(pattern, text string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s is not in %s", pattern, text)
		}
		return m[1]
	}
	out := operator("member", fmt.Sprint(c.device.Tenant), "Rosa", "--invite")
	member, link := find(`member +(\S+)`, out), find(`link +(\S+)`, out)
	if !strings.HasPrefix(link, at+"/join#") {
		t.Errorf("link %s", link)
	}
	first, second := filepath.Join(dir, "first"), filepath.Join(dir, "second")
	command(t, "device", "--data", first, "join", link)
	command(t, "device", "--data", first, "add", "Ana", "López", "+34612345678")
	command(t, "device", "--data", first, "sync")
	command(t, "device", "--data", second, "join", find(`join "(\S+)"`, command(t, "device", "--data", first, "pair")))
	if a, b := command(t, "device", "--data", first, "top"), command(t, "device", "--data", second, "top"); a != b || !strings.Contains(a, "Ana") {
		t.Errorf("the first suggests\n%s\nthe second\n%s", a, b)
	}
	if out := operator("devices", member); strings.Count(out, " active ") != 2 || !strings.Contains(out, " company\n") {
		t.Error(out)
	}
}
