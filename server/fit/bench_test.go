package fit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trio/ranking"
)

var (
	trainDir = flag.String("train", "", "folder with public data sets, <name>/*.csv, that the benchmark fits on")
	testDir  = flag.String("test", "", "folder of the same layout that it measures on; empty: 30 % of the ids of the first, by hash, which are then not fitted on")
	salt     = flag.String("salt", "trio-bench-v1", "what the ids are hashed with where -test names no folder")
	// A million take five minutes on a busy machine.
	memberDays = flag.Int("memberdays", 100_000, "member-days that are looked through for broken rules")

	only = flag.String("only", "", "measure only the parts whose names contain this")
)

// sheet is a file of rows with a header, of which the id decides on which side of a split they are.
type sheet struct {
	head map[string]int
	rows [][]string
}

func (s *sheet) col(row []string, name string) string { return row[s.head[name]] }

// folds are the parts of the benchmark's own split that orders are measured on, one after the other, each fitted on the
// rest: one part alone leaves too much to chance.
const folds = 3

// heldOut is the rule of the benchmark's own split.
func heldOut(fold int, name, id string) bool {
	h := sha256.Sum256([]byte(*salt + ":" + name + ":" + id))
	return int(binary.BigEndian.Uint64(h[:8])%100)/30 == fold
}

// readSheet reads all files of a set; ok is false when there is none.
func readSheet(t testing.TB, dir, name string) (s sheet, ok bool) {
	files, err := filepath.Glob(filepath.Join(dir, name, "*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(f)
		r.ReuseRecord = false
		head, err := r.Read()
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if s.head == nil {
			s.head = map[string]int{}
			for i, h := range head {
				s.head[h] = i
			}
		} else if len(head) != len(s.head) {
			t.Fatalf("%s has other columns than the file before it", file)
		}
		for {
			row, err := r.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s.rows = append(s.rows, row)
		}
		f.Close()
	}
	return s, len(s.rows) > 0
}

// readSplit returns the two sides of a set: that of -train, and that of -test or of the split by hash.
func readSplit(t testing.TB, fold int, name, id string) (train, test sheet, ok bool) {
	all, ok := readSheet(t, *trainDir, name)
	if !ok {
		return
	}
	if *testDir != "" {
		test, ok = readSheet(t, *testDir, name)
		return all, test, ok
	}
	train, test = sheet{head: all.head}, sheet{head: all.head}
	for _, row := range all.rows {
		if heldOut(fold, name, all.col(row, id)) {
			test.rows = append(test.rows, row)
		} else {
			train.rows = append(train.rows, row)
		}
	}
	return train, test, true
}

// orders groups a sheet by customer, in the order of ids.
func (s *sheet) orders(t testing.TB) (all []Orders) {
	at := map[string]int{}
	var ids []string
	for _, row := range s.rows {
		day, err := ranking.ParseDay(s.col(row, "date"))
		if err != nil {
			t.Fatalf("date %q: %v", s.col(row, "date"), err)
		}
		id := s.col(row, "customer_id")
		i, ok := at[id]
		if !ok {
			i = len(all)
			at[id] = i
			all, ids = append(all, nil), append(ids, id)
		}
		all[i] = append(all[i], day)
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
		slices.Sort(all[i])
		all[i] = slices.Compact(all[i])
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(ids[a], ids[b]) })
	sorted := make([]Orders, len(all))
	for i, j := range order {
		sorted[i] = all[j]
	}
	return sorted
}

// dice is SplitMix64, so that a run can be done again.
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9e3779b97f4a7c15
	x := uint64(*d)
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }
func (d *dice) unit() float64   { return float64(d.next()>>11) / (1 << 53) }
func (d *dice) normal() float64 {
	return math.Sqrt(-2*math.Log(1-d.unit())) * math.Cos(2*math.Pi*d.unit())
}

func shuffle[T any](d *dice, s []T) {
	for i := len(s) - 1; i > 0; i-- {
		j := d.below(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}

// auc is the chance that one who did scores above one who did not, ties counting half.
func auc(z []float64, y []bool) float64 {
	order := make([]int, len(z))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if z[a] < z[b] {
			return -1
		} else if z[a] > z[b] {
			return 1
		}
		return 0
	})
	ranks, pos := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && z[order[j]] == z[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			if y[order[k]] {
				ranks += float64(i+j+1) / 2
				pos++
			}
		}
		i = j
	}
	return (ranks - pos*(pos+1)/2) / (pos * (float64(len(z)) - pos))
}

// report is the table of results, each against its target.
type report struct{ lines []string }

func (r *report) add(what, format string, got float64, op string, target float64) {
	met := "met"
	if op == ">=" && got < target || op == "<=" && got > target || op == "<" && got >= target || math.IsNaN(got) {
		met = "MISSED"
	}
	r.lines = append(r.lines, fmt.Sprintf("| %s | "+format+" | %s "+format+" | %s |", what, got, op, target, met))
}

func (r *report) note(what, value string) {
	r.lines = append(r.lines, fmt.Sprintf("| %s | %s | | |", what, value))
}

// TestRankingTable fits on the folder of -train and prints the table of what the ranker is measured by, each line with
// its target. Seeds are fixed: the same folders give the same numbers, but for times.
func TestRankingTable(t *testing.T) {
	if *trainDir == "" {
		t.Skip("-train names no folder with public data sets (<name>/*.csv)")
	}
	if _, err := os.Stat(*trainDir); err != nil {
		t.Skipf("no such data: %v", err)
	}
	var r report
	for _, part := range []struct {
		name string
		run  func(*testing.T, *report)
	}{
		{"orders", benchOrders},
		{"bank", benchBank},
		{"mails", benchMails},
		{"simulator", benchSimulator},
		{"machine", benchMachine},
		{"gate", benchGate}, // takes as long as the simulator: only when it is asked for
	} {
		if strings.Contains(part.name, *only) && (part.name != "gate" || *only != "") {
			start := time.Now()
			part.run(t, &r)
			t.Logf("%s: %.1f s", part.name, time.Since(start).Seconds())
		}
	}
	where := *testDir
	if where == "" {
		where = "its ids with sha256(\"" + *salt + ":<name>:<id>\") % 100 < 30, which are not fitted on; orders also on 30 to 59 and 60 to 89, each fitted on the rest"
	}
	fmt.Printf("\nfitted on %s, measured on %s\n\n| measure | now | target | |\n|---|---|---|---|\n%s\n", *trainDir, where, strings.Join(r.lines, "\n"))
}

// BenchmarkManyActs fits a playbook to as many acts as a night takes at most: 1,000,000 of 10,000 members.
func BenchmarkManyActs(b *testing.B) {
	d := dice(1)
	pb := ranking.DefaultPlaybook()
	tuples := sortTuples(acts(&d, pb, 1_000_000, 10_000, simDay0, func(*Tuple) float64 { return .2 }))
	for b.Loop() {
		Night(pb, pb, &Log{Tuples: tuples, Today: simDay0})
	}
}
