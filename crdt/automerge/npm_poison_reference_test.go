//go:build cgo

package automerge_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	reference "github.com/automerge/automerge-go"
)

// poisonTask tells a child process that it is to run experiments.
const poisonTask = "TRIO_POISON"

type referenceTask struct {
	Base  [][]byte
	Chunk []byte
	Early bool
}

func init() {
	// Experiments run in children, since automerge-go may take its process down; then the next child goes on.
	referencePoison = func(t *testing.T) func(base [][]byte, chunk []byte, early bool) string {
		var in io.WriteCloser
		var out *bufio.Scanner
		start := func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestPoisonChild$")
			cmd.Env = append(os.Environ(), poisonTask+"=1")
			var err error
			if in, err = cmd.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			out = bufio.NewScanner(stdout)
			t.Cleanup(func() {
				_ = in.Close()
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
		}
		start()
		return func(base [][]byte, chunk []byte, early bool) string {
			b, err := json.Marshal(referenceTask{base, chunk, early})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := in.Write(append(b, '\n')); err != nil {
				t.Fatal(err)
			}
			last := ""
			for out.Scan() {
				switch what, rest, _ := strings.Cut(out.Text(), " "); what {
				case "step:":
					last = rest
				case "result:":
					return rest
				}
			}
			start()
			return "crash in " + last
		}
	}
}

func TestPoisonChild(t *testing.T) {
	if os.Getenv(poisonTask) == "" {
		t.Skip("only a child process of TestPoison")
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var task referenceTask
		if err := in.Decode(&task); err != nil {
			return
		}
		base, late := task.Base, [][]byte(nil)
		if task.Early {
			base, late = base[:1], base[1:]
		}
		fmt.Println("result:", react(slices.Concat(base...), task.Chunk, slices.Concat(late...)))
	}
}

func react(base, chunk, late []byte) string {
	step := func(name string) { fmt.Println("step:", name) }
	step("base")
	d, err := reference.Load(base)
	if err != nil {
		return err.Error()
	}
	if err := d.SetActorID("c3"); err != nil {
		return err.Error()
	}
	before := fmt.Sprint(d.Heads())
	out := ""
	step("apply")
	if err := d.LoadIncremental(chunk); err != nil {
		out = "refused"
	}
	step("heads")
	same := before == fmt.Sprint(d.Heads())
	switch {
	case out == "" && same:
		out = "ignored"
	case out != "" && !same:
		out += ", yet it is a head"
	}
	step("late")
	if len(late) > 0 {
		if err := d.LoadIncremental(late); err != nil {
			return out + ", late\t" + err.Error()
		}
	}
	also := func(s string) string { return strings.TrimPrefix(out+", "+s, ", ") }
	saved := func(name string) string {
		step(name)
		b := d.Save()
		step("load of " + name)
		l, err := reference.Load(b)
		if err != nil {
			return "load of " + name + "\t" + err.Error()
		}
		if fmt.Sprint(l.Heads()) != fmt.Sprint(d.Heads()) {
			return "load of " + name + " has other heads"
		}
		step("read of " + name)
		x, y := readReference(d), readReference(l)
		if x != y {
			return "load of " + name + " reads otherwise"
		}
		return ""
	}
	if s := saved("save"); s != "" {
		return also(s)
	}
	for _, key := range poisonKeys {
		step("edit of " + key)
		if err := d.Path(key).Set(7); err != nil {
			return also("edit of " + key + "\t" + err.Error())
		}
		if _, err := d.Commit("x"); err != nil {
			return also("commit\t" + err.Error())
		}
	}
	if s := saved("second save"); s != "" {
		return also(s)
	}
	step("changes")
	changes, err := d.Changes()
	if err != nil {
		return also("changes\t" + err.Error())
	}
	other := reference.New()
	step("changes applied")
	for _, c := range changes {
		if err := other.LoadIncremental(c.Save()); err != nil {
			return also("changes applied\t" + err.Error())
		}
	}
	if fmt.Sprint(other.Heads()) != fmt.Sprint(d.Heads()) {
		return also("changes applied have other heads")
	}
	return out
}

// readReference shows all of a document.
func readReference(d *reference.Doc) string {
	values, err := d.RootMap().Values()
	if err != nil {
		return err.Error()
	}
	var keys []string
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	s := ""
	for _, k := range keys {
		s += fmt.Sprintf("%q: %s\n", k, readValue(values[k]))
	}
	return s
}

func readValue(v *reference.Value) string {
	switch v.Kind() {
	case reference.KindList:
		all, err := v.List().Values()
		s := fmt.Sprint("list ", err)
		for _, e := range all {
			s += " " + readValue(e)
		}
		return s
	case reference.KindMap:
		all, err := v.Map().Values()
		var list []string
		for k, e := range all {
			list = append(list, fmt.Sprintf("%q: %s", k, readValue(e)))
		}
		slices.Sort(list)
		return fmt.Sprint("map ", err, list)
	case reference.KindText:
		s, err := v.Text().Get()
		return fmt.Sprint("text ", s, err)
	case reference.KindCounter:
		n, err := v.Counter().Get()
		return fmt.Sprint("counter ", n, err)
	}
	return fmt.Sprint(v.Kind(), v.Interface())
}
