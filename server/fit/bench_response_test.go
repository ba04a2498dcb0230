package fit

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"trio/ranking"
)

// table is an additive scorecard over the columns of a sheet: a number of milli-nats for each value, or bin of values.
type table struct {
	names []string
	at    []map[string]int // of words: column by value
	cuts  [][]float64      // of numbers
	first []int
	cols  int
}

// tableOf looks at the values of a sheet. Numbers are cut into at most 12 bins.
func tableOf(s *sheet, names []string) *table {
	t := &table{names: names, cols: 1}
	for _, name := range names {
		var numbers []float64
		words := map[string]int{}
		for _, row := range s.rows {
			v := s.col(row, name)
			if n, err := strconv.ParseFloat(v, 64); err == nil {
				numbers = append(numbers, n)
			}
			words[v] = 0
		}
		t.first = append(t.first, t.cols)
		var cuts []float64
		if len(numbers) == len(s.rows) {
			slices.Sort(numbers)
			for q := 1; q < 12; q++ {
				if v := numbers[len(numbers)*q/12]; (len(cuts) == 0 || v > cuts[len(cuts)-1]) && v > numbers[0] {
					cuts = append(cuts, v)
				}
			}
			if len(words) <= 12 {
				cuts = cuts[:0]
				cuts = append(cuts, slices.Compact(numbers)[1:]...)
			}
			t.at, t.cuts = append(t.at, nil), append(t.cuts, cuts)
			t.cols += len(cuts) + 1
			continue
		}
		keys := make([]string, 0, len(words))
		for w := range words {
			keys = append(keys, w)
		}
		slices.Sort(keys)
		for i, w := range keys {
			words[w] = i
		}
		t.at, t.cuts = append(t.at, words), append(t.cuts, nil)
		t.cols += len(keys) + 1 // one for words not seen
	}
	return t
}

func (t *table) columns(s *sheet, row []string, at []uint16) []uint16 {
	at = append(at, 0)
	for i, name := range t.names {
		v := s.col(row, name)
		if t.at[i] != nil {
			n, ok := t.at[i][v]
			if !ok {
				n = len(t.at[i])
			}
			at = append(at, uint16(t.first[i]+n))
			continue
		}
		n, _ := strconv.ParseFloat(v, 64)
		b, found := slices.BinarySearch(t.cuts[i], n)
		if found {
			b++
		}
		at = append(at, uint16(t.first[i]+b))
	}
	return at
}

// fitTable returns the score of each column in milli-nats. The number of attempts only makes a yes less likely.
func (t *table) fit(s *sheet, rows [][]string, weights, offsets []float64, y func([]string) float64) []int64 {
	d := design{cols: t.cols, per: 1 + len(t.names), w: weights, off: offsets}
	for _, row := range rows {
		d.at = t.columns(s, row, d.at)
		d.y = append(d.y, y(row))
	}
	lambda, prior := make([]float64, t.cols), make([]float64, t.cols)
	for i := range lambda {
		lambda[i] = 4
	}
	lambda[0] = 1e-3
	beta, told := ridge(&d, lambda, prior)
	if i := slices.Index(t.names, "campaign"); i >= 0 {
		falling(beta[t.first[i]:t.first[i]+len(t.cuts[i])+1], addTo(told[t.first[i]:t.first[i]+len(t.cuts[i])+1], 4))
	}
	out := make([]int64, t.cols)
	for i, b := range beta {
		out[i] = milli(b)
	}
	return out
}

func addTo(v []float64, n float64) []float64 {
	out := slices.Clone(v)
	for i := range out {
		out[i] += n
	}
	return out
}

func score(w []int64, at []uint16) (z int64) {
	for _, c := range at {
		z += w[c]
	}
	return z
}

var bankColumns = []string{
	"age", "job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "campaign", "pdays", "previous", "poutcome",
}

// benchBank measures the response to telephone calls: on other rows of the same time, and block after block of time, the
// rows of both folders together, as each call is predicted from those of earlier blocks alone, with the daily correction
// of Daily.
func benchBank(t *testing.T, r *report) {
	train, test, ok := readSplit(t, 0, "bank_marketing", "row_id")
	if !ok {
		r.note("bank_marketing", "not there: skipped")
		return
	}
	yes := func(s *sheet) func([]string) float64 {
		return func(row []string) float64 {
			if s.col(row, "y") == "yes" {
				return 1
			}
			return 0
		}
	}
	card := tableOf(&train, bankColumns)
	w := card.fit(&train, train.rows, nil, nil, yes(&train))
	var z []float64
	var y []bool
	for _, row := range test.rows {
		z = append(z, float64(score(w, card.columns(&test, row, nil))))
		y = append(y, test.col(row, "y") == "yes")
	}
	area := auc(z, y)
	order := make([]int, len(z))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(z[b] - z[a]) })
	top, all := 0.0, 0.0
	for i, k := range order {
		if y[k] {
			all++
			if i < len(order)/10 {
				top++
			}
		}
	}
	lift := top / float64(len(order)/10) / (all / float64(len(order)))
	r.add("bank, other rows of the same time: AUC", "%.3f", area, ">=", .755)
	r.add("bank, other rows of the same time: lift of the top tenth", "%.2f", lift, ">=", 4)

	// Both sides in the order of time: what became of earlier calls is known, whoever was called.
	type call struct {
		at    []uint16
		y     float64
		place int
		day   string
		// what was in force on its day
		offset float64
		row    []string
	}
	var calls []call
	for _, s := range []*sheet{&train, &test} {
		for _, row := range s.rows {
			place, err := strconv.Atoi(s.col(row, "row_id"))
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, call{card.columns(s, row, nil), yes(s)(row), place, s.col(row, "month") + s.col(row, "day_of_week"), 0, row})
		}
	}
	slices.SortStableFunc(calls, func(a, b call) int { return a.place - b.place })
	const blocks = 20
	block := func(i int) int { return i * blocks / len(calls) }
	offset, loss, off, measured := 0.0, 0.0, 0.0, 0.0
	for b := 2; b < blocks; b++ {
		from := 0
		for block(from) < b {
			from++
		}
		var rows [][]string
		var weights, offsets []float64
		for i := range from {
			offsets = append(offsets, calls[i].offset)
			rows, weights = append(rows, calls[i].row), append(weights, math.Exp2(-float64(b-1-block(i))/3))
		}
		w := card.fit(&train, rows, weights, offsets, yes(&train))
		gain, info := 0.0, 0.0
		var sumP, sumY, n, cost float64
		for i := from; i < len(calls) && block(i) == b; i++ {
			c := &calls[i]
			if i > from && c.day != calls[i-1].day {
				offset += correction(gain, info, 0)
				gain, info = 0, 0
			}
			z := float64(score(w, c.at))/1000 + offset
			p := sigmoid(z)
			c.offset = offset
			gain += c.y - p
			info += p * (1 - p)
			sumP, sumY, n, cost = sumP+p, sumY+c.y, n+1, cost+logLoss(z, c.y)
		}
		off += math.Abs(sumP-sumY) / n
		loss += cost / n
		measured++
	}
	r.add("bank, block by block: |mean p - rate|", "%.3f", off/measured, "<=", .015)
	r.add("bank, block by block: log-loss", "%.3f", loss/measured, "<=", .31)
}

// mails are the arms of the randomised test, as contents of a trigger.
var mails = []string{"No E-Mail", "Mens E-Mail", "Womens E-Mail"}

var mailColumns = []string{"recency", "history", "mens", "womens", "zip_code", "newbie", "channel"}

// mailPlaybook has one trigger by one channel with a content for each arm.
func mailPlaybook() *ranking.Playbook {
	pb := ranking.DefaultPlaybook()
	for t := range pb.Rules {
		if t != int(ranking.Nurture) {
			pb.Rules[t].Stages = 0
		}
	}
	rule := &pb.Rules[ranking.Nurture]
	rule.Weights = [ranking.NumFeatures][]ranking.Bin{}
	rule.Base, rule.Repeat = -1750, ranking.RepeatFree
	rule.Contents = make([]ranking.Content, len(mails))
	for ct := range rule.Contents {
		rule.Contents[ct].Channels = 1 << ranking.Email
	}
	return pb
}

// benchMails measures which message is sent: the policy is the shipped ranker with a fitted playbook. Its value is
// estimated doubly robustly: what regressions per arm expect, corrected where the policy's arm is the one that was drawn.
func benchMails(t *testing.T, r *report) {
	train, test, ok := readSplit(t, 0, "hillstrom", "row_id")
	if !ok {
		r.note("hillstrom", "not there: skipped")
		return
	}
	arm := func(s *sheet, row []string) int { return slices.Index(mails, s.col(row, "segment")) }
	outcome := func(s *sheet, name string) func([]string) float64 {
		return func(row []string) float64 {
			v, err := strconv.ParseFloat(s.col(row, name), 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	today := simDay0
	tuple := func(s *sheet, row []string, i int) (tu Tuple) {
		binary.BigEndian.PutUint64(tu.Member[:], uint64(i%997)+1)
		tu.Day, tu.Trigger, tu.Channel, tu.Content = today, ranking.Nurture, ranking.Email, uint8(arm(s, row))
		tu.Won = outcome(s, "visit")(row) > 0
		return tu
	}
	var tuples []Tuple
	for i, row := range train.rows {
		tuples = append(tuples, tuple(&train, row, i))
	}
	parent := mailPlaybook()
	pb := parent
	for range 4 {
		pb = Weights(parent, pb, tuples, today)
	}
	choose := func(pb *ranking.Playbook, rk *ranking.Ranker, seed uint64, day ranking.Day) int {
		f := []ranking.Facts{{Channels: 1 << ranking.Email, Created: ranking.DateOf(day - 60)}}
		var out [3]ranking.Suggestion
		if rk.Rank(pb, &ranking.Member{Seed: seed}, day, ranking.Prospects, f, &out) != 1 {
			t.Fatal("nothing is suggested")
		}
		return int(out[0].Content)
	}
	var rk ranking.Ranker
	card := tableOf(&train, mailColumns)
	for _, name := range []string{"visit", "conversion"} {
		expect := make([][]int64, len(mails))
		for a := range mails {
			var rows [][]string
			for _, row := range train.rows {
				if arm(&train, row) == a {
					rows = append(rows, row)
				}
			}
			expect[a] = card.fit(&train, rows, nil, nil, outcome(&train, name))
		}
		value := func(policy func(i int) int) (v, se float64) {
			var all []float64
			for i, row := range test.rows {
				a := policy(i)
				m := sigmoid(float64(score(expect[a], card.columns(&test, row, nil))) / 1000)
				if arm(&test, row) == a {
					m += 3 * (outcome(&test, name)(row) - m)
				}
				all = append(all, m)
			}
			for _, x := range all {
				v += x / float64(len(all))
			}
			for _, x := range all {
				se += (x - v) * (x - v)
			}
			return v, math.Sqrt(se) / float64(len(all))
		}
		best, bestSE, bestArm := 0.0, 0.0, 0
		for a := range mails {
			if v, se := value(func(int) int { return a }); v > best {
				best, bestSE, bestArm = v, se, a
			}
		}
		picked := make([]int, len(test.rows))
		for i := range picked {
			picked[i] = choose(pb, &rk, uint64(i)*7919+1, today)
		}
		v, se := value(func(i int) int { return picked[i] })
		t.Logf("hillstrom, %s, doubly robust: ours %.4f (se %.4f), always %q %.4f (se %.4f)", name, v, se, mails[bestArm], best, bestSE)
		target := .98
		if name == "conversion" {
			target = .89
		}
		r.add("hillstrom, "+name+", doubly robust, of the best arm's", "%.3f", v/best, ">=", target)
	}

	// Replay: rows in random order; an event counts when the arm that was drawn is the one that is chosen. The playbook is
	// fitted anew each evening, after 25 events.
	const runs, events, evening = 30, 1000, 25
	sum, chance := 0.0, 0.0
	for run := range runs {
		d := dice(run + 1)
		order := make([]int, len(train.rows))
		for i := range order {
			order[i] = i
		}
		shuffle(&d, order)
		pb := parent
		var seen []Tuple
		day := today
		// Before the first event, the company knows nothing of any message.
		pb = Weights(parent, pb, nil, day)
		for _, i := range order {
			row := train.rows[i]
			if choose(pb, &rk, d.next(), day) != arm(&train, row) {
				continue
			}
			tu := tuple(&train, row, i)
			tu.Day = day
			seen = append(seen, tu)
			sum += tu.y()
			if len(seen) == events {
				break
			}
			if len(seen)%evening == 0 {
				day++
				pb = Weights(parent, pb, seen, day)
			}
		}
	}
	for _, row := range train.rows {
		chance += outcome(&train, "visit")(row) / float64(len(train.rows))
	}
	r.add(fmt.Sprintf("hillstrom, replay of the fitted part, first %d events, visits, %d runs (chance %.3f)", events, runs, chance), "%.3f",
		sum/runs/events, ">=", .166)
}
