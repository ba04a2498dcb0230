package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rooms says what each room may import of ours, by the longest prefix of its path. The command wires all of them.
var rooms = map[string][]string{
	"trio/crdt/automerge":   {},
	"trio/crdt":             {"trio/crdt/automerge", "trio/crdt/leanjson", "trio/crdt/zone"},
	"trio/crdt/leanjson":    {},
	"trio/crdt/zone":        {},
	"trio/crdt/wire":        {"trio/crdt", "trio/crdt/automerge"},
	"trio/crdt/crdttest":    {"trio/crdt"},
	"trio/crdt/npmtest":     {},
	"trio/ranking":          {},
	"trio/ranking/playbook": {"trio/ranking"},
	"trio/crdt/book":        {"trio/crdt", "trio/ranking"},
	"trio/replica":          {"trio/crdt", "trio/ranking", "trio/replica"},
	"trio/clients/qr":       {},
	"trio/clients/phone":    {},
	"trio/server":           {"trio/crdt", "trio/ranking", "trio/server"},
	"trio/server/admin":     {"trio/crdt", "trio/ranking", "trio/server/fit", "trio/server/intake", "trio/server/ops", "trio/server/store"},
	"trio/server/store":     {"trio/crdt", "trio/server/store"},
	"trio/server/intake":    {"trio/crdt", "trio/server/store"},
	"trio/server/live":      {"trio/crdt/wire"},
	"trio/server/ops":       {"trio/crdt", "trio/server/store"},
	"trio/server/witness":   {"trio/crdt/automerge"},
	"trio/server/fit":       {"trio/ranking"},
	"trio/server/ledger":    {"trio/crdt", "trio/server/store"},
	"trio/server/learn":     {"trio/crdt", "trio/ranking", "trio/server/fit", "trio/server/ledger", "trio/server/store"},
	"trio/server/board":     {"trio/crdt", "trio/ranking", "trio/server/ledger", "trio/server/store"},
	"trio/server/notice":    {"trio/crdt", "trio/ranking", "trio/server/learn", "trio/server/ledger", "trio/server/notice", "trio/server/ops", "trio/server/store"},
	"trio/clients":          {"trio/crdt", "trio/ranking", "trio/replica", "trio/clients"},
	"trio/server/cmd/trio":  {"trio"},
	"trio/replica/importer": {"trio/crdt"},
}

// strangers says which packages of others a room must not need, and why.
var strangers = []struct{ room, pkg, why string }{
	{"trio", "github.com/automerge/automerge-go", "no byte from a network may reach it: it is the reference of tests, and a witness in a process of its own"},
	{"trio", "trio/server/witness", "nothing that serves may need it: only the command trio verify --reference does"},
	{"trio/crdt", "github.com/gorilla/", "documents know no sockets"},
	{"trio/crdt", "modernc.org/", "documents know no database"},
	{"trio/crdt", "net", "documents know no network"},
	{"trio/crdt/book", "database/sql", "what is read, and where it is kept, is not its business: devices and the server read alike"},
	{"trio/crdt/book", "modernc.org/", "what is read, and where it is kept, is not its business: devices and the server read alike"},
	{"trio/ranking", "time", "ranking reads no clock"},
	{"trio/ranking", "math", "ranking computes in integers, the same on every machine"},
	{"trio/ranking", "os", "ranking touches nothing"},
	{"trio/replica", "github.com/gorilla/mux", "devices serve nothing"},
	{"trio/replica", "github.com/prometheus/", "nobody scrapes a device"},
	{"trio/clients", "github.com/prometheus/", "nobody scrapes a device"},
	{"trio/server/hub", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/store", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/admin", "github.com/gorilla/websocket", "it changes what is stored; who is connected hears of it from the store"},
	{"trio/server/admin", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/repo", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/intake", "github.com/gorilla/", "what a change has to be does not depend on how it came"},
	{"trio/server/notice", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/notice/webpush", "trio/", "what a push service is sent does not depend on what it says"},
	{"trio/server/notice/webpush", "net/http", "it sends nothing"},
	{"trio/server/feed", "github.com/prometheus/", "what it does is counted around it, in ops"},
	{"trio/server/learn", "github.com/prometheus/", "what it does is counted around it"},
	{"trio/server/board", "net", "it says how people stand; who may ask, and how it travels, is its callers'"},
	{"trio/server/board", "github.com/prometheus/", "what it does is counted around it"},
	{"trio/server/fit", "time", "fitting reads no clock"},
	{"trio/server/fit", "os", "fitting touches nothing"},
}

// but says which package may have a stranger all the same.
var but = map[string]string{
	"github.com/automerge/automerge-go": "trio/server/witness",
	"trio/server/witness":               "trio/server/cmd/trio",
}

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

// TestImportsPointDown fails when a room imports what stands above it or beside it.
func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Standard", "trio/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		seen++
		best := ""
		for room := range rooms {
			if within(p.ImportPath, room) && len(room) > len(best) {
				best = room
			}
		}
		if best == "" {
			t.Errorf("%s is in no room", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			ours, ok := within(imp, "trio"), false
			for _, may := range rooms[best] {
				ok = ok || within(imp, may) && !within(imp, "trio/server/cmd")
			}
			if ours && !ok && p.ImportPath != imp {
				t.Errorf("%s imports %s, which is not below it", p.ImportPath, imp)
			}
			for _, s := range strangers {
				if within(p.ImportPath, s.room) && but[s.pkg] != p.ImportPath && (imp == s.pkg || strings.HasSuffix(s.pkg, "/") && strings.HasPrefix(imp, s.pkg)) {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, s.why)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d packages were looked at", seen)
	}
}

func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

// TestWhatIsRaced: of the rooms that make race passes by (VALUES in the Makefile), only tests named …AtOnce, which it runs,
// have more than one goroutine.
func TestWhatIsRaced(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^VALUES = (.+)$`).FindSubmatch(makefile)
	if m == nil {
		t.Fatal("the Makefile has no line VALUES = …")
	}
	cmd := exec.Command("go", append([]string{"list", "-f", "{{.Dir}}"}, strings.Fields(string(m[1]))...)...)
	cmd.Dir = root
	dirs, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	once := 0
	for dir := range strings.Lines(string(dirs)) {
		files, err := filepath.Glob(filepath.Join(strings.TrimSpace(dir), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, name := range files {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range f.Decls {
				ast.Inspect(d, func(n ast.Node) bool {
					begins := false
					switch n := n.(type) {
					case *ast.GoStmt:
						begins = true
					case *ast.SelectorExpr:
						begins = n.Sel.Name == "Go" || n.Sel.Name == "Parallel"
					}
					if !begins {
						return true
					}
					if fn, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(fn.Name.Name, "Test") && strings.HasSuffix(fn.Name.Name, "AtOnce") {
						once++
					} else {
						t.Errorf("%s: a goroutine that make race does not look at: take the room out of VALUES in the Makefile, or name the test …AtOnce", fset.Position(n.Pos()))
					}
					return true
				})
			}
		}
	}
	if once == 0 {
		t.Error("no test named …AtOnce has a goroutine: VALUES names the wrong rooms")
	}
}
