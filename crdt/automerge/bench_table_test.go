package automerge_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// make bench-engine runs TestEngineTable with -engines: each engine on each sample, turn about, and in the end the medians
// in one table, with the ratio of ours to each of the others.
var engineTable = flag.Bool("engines", false, "compare the engines and print the table")

// holdTask is what a child process is to measure: the memory of documents that it loads and keeps.
const holdTask = "TRIO_ENGINE_HOLD"

// documents that the child keeps at once; what a first document costs besides, a pool's buffers say, is divided by it.
const held = 8

// measurement is what an engine needs for one operation. Memory is in bytes of one document.
type measurement struct {
	Time time.Duration // of one turn
	Held int64         // resident memory that a document keeps
	Peak int64         // and what loading the first one takes at its highest
	Size int           // of the saved file
}

func TestEngineTable(t *testing.T) {
	if !*engineTable {
		t.Skip("compares for minutes; make bench-engine sets -engines")
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "sample\toperation\t")
	for i := range engines {
		fmt.Fprintf(w, "%s\t", engines[i].name)
		if i > 0 {
			fmt.Fprintf(w, "ours/%s\t", engines[i].name)
		}
	}
	fmt.Fprintln(w)
	row := func(sample, operation string, show func(measurement) (string, float64), all []measurement) {
		fmt.Fprintf(w, "%s\t%s\t", sample, operation)
		_, ours := show(all[0])
		for i := range all {
			text, n := show(all[i])
			fmt.Fprintf(w, "%s\t", text)
			switch {
			case i == 0:
			case n == 0:
				fmt.Fprint(w, "-\t")
			default:
				fmt.Fprintf(w, "%.2f\t", ours/n)
			}
		}
		fmt.Fprintln(w)
	}
	spent := func(m measurement) (string, float64) {
		if m.Time == 0 {
			return "-", 0
		}
		return m.Time.Round(100 * time.Nanosecond).String(), float64(m.Time)
	}
	bytes := func(of func(measurement) int64) func(measurement) (string, float64) {
		return func(m measurement) (string, float64) {
			if of(m) == 0 {
				return "-", 0
			}
			return fmt.Sprintf("%d KB", of(m)/1000), float64(of(m))
		}
	}
	for _, s := range append(samples(t), bigSample(t)) {
		for _, operation := range operations {
			all := measureTimes(t, operation, &s)
			row(s.name, operation, spent, all)
			if operation == "save" {
				row(s.name, "file", bytes(func(m measurement) int64 { return int64(m.Size) }), all)
			}
		}
		all := measureMemory(t, &s)
		row(s.name, "memory held", bytes(func(m measurement) int64 { return m.Held }), all)
		row(s.name, "memory peak, load", bytes(func(m measurement) int64 { return m.Peak }), all)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nA ratio is ours divided by the other's: below 1, ours takes less. Times are medians of turns that alternate; memory is")
	fmt.Printf("resident memory of a process of its own that loads the saved file and keeps %d documents, per document.\n", held)
	for name, need := range map[string]string{"automerge-go": "a C compiler", "npm": "Node.js and its packages (make npm)"} {
		if !slices.ContainsFunc(engines, func(e engine) bool { return e.name == name }) {
			fmt.Printf("Without %s, which needs %s.\n", name, need)
		}
	}
}

// bigSample is a log that grew for years.
func bigSample(tb testing.TB) sample { return newSample(tb, "log20000", logDoc(tb, 20000)) }

// measureTimes gives the engines turns one after the other, so that what else the machine does falls on all of them.
func measureTimes(t *testing.T, operation string, s *sample) []measurement {
	const budget = 3 * time.Second
	all := make([]measurement, len(engines))
	turns := make([][]time.Duration, len(engines))
	work := make([]work, len(engines))
	for i, e := range engines {
		var err error
		if e.measure != nil {
			if all[i], err = e.measure(operation, s); err != nil {
				t.Errorf("%s, %s of %s: %v", e.name, operation, s.name, err)
			}
			continue
		}
		if work[i], err = e.prepare(operation, s); err != nil {
			t.Fatalf("%s, %s of %s: %v", e.name, operation, s.name, err)
		}
	}
	for start := time.Now(); len(turns[0]) < 5 || time.Since(start) < budget && len(turns[0]) < 300; {
		for i, e := range engines {
			if work[i].turn == nil {
				continue
			}
			runtime.GC()
			begin := time.Now()
			size, err := work[i].turn()
			turns[i] = append(turns[i], time.Since(begin))
			if err != nil {
				t.Fatalf("%s, %s of %s: %v", e.name, operation, s.name, err)
			}
			all[i].Size = size
		}
	}
	for i := range all {
		if n := len(turns[i]); n > 0 {
			slices.Sort(turns[i])
			all[i].Time = turns[i][n/2]
		}
	}
	return all
}

func measureMemory(t *testing.T, s *sample) []measurement {
	all := make([]measurement, len(engines))
	file := filepath.Join(t.TempDir(), "saved")
	if err := os.WriteFile(file, s.saved, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, e := range engines {
		if e.measure != nil {
			var err error
			if all[i], err = e.measure("memory", s); err != nil {
				t.Errorf("%s, memory of %s: %v", e.name, s.name, err)
			}
			continue
		}
		if runtime.GOOS != "linux" {
			continue // resident memory is read from /proc
		}
		cmd := exec.Command(os.Args[0], "-test.run=^TestHold$")
		cmd.Env = append(os.Environ(), holdTask+"="+e.name+":"+file)
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s, memory of %s: %v\n%s", e.name, s.name, err, out)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		if err := json.Unmarshal([]byte(line), &all[i]); err != nil {
			t.Fatalf("%s, memory of %s: %v\n%s", e.name, s.name, err, out)
		}
	}
	return all
}

// TestHold is the child of measureMemory; by itself it has nothing to do.
func TestHold(t *testing.T) {
	name, file, ok := strings.Cut(os.Getenv(holdTask), ":")
	if !ok {
		t.Skip("only a child process of TestEngineTable")
	}
	saved, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(engines, func(e engine) bool { return e.name == name })
	if i < 0 {
		t.Fatalf("no engine %q", name)
	}
	// What code and pools take, whatever the document, is not counted.
	if small, err := logDoc(t, 10).Save(); err != nil {
		t.Fatal(err)
	} else if _, err := engines[i].hold(small); err != nil {
		t.Fatal(err)
	}
	settle := func() int64 {
		runtime.GC()
		debug.FreeOSMemory()
		return procStatus(t, "VmRSS:")
	}
	before := settle()
	// Writing 5 sets the high-water mark back to what is resident now.
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
	var docs []any
	var m measurement
	for n := range held {
		doc, err := engines[i].hold(saved)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
		if n == 0 {
			m.Peak = procStatus(t, "VmHWM:") - before
		}
	}
	m.Held = (settle() - before) / held
	runtime.KeepAlive(docs)
	runtime.KeepAlive(saved)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(out))
}

// procStatus returns a number of /proc/self/status in bytes.
func procStatus(t *testing.T, field string) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			var kb int64
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatalf("no %s in /proc/self/status", field)
	return 0
}
