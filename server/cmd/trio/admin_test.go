package main

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"trio/crdt"
	"trio/qr"
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
