package ranking

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// business is a public set of orders with the static reorder parameters it is judged with: R, A, B and Alpha by
// likelihood on the orders up to the first cut-off; M the median gap there and k the one with the least mean
// |ln(predicted/actual)| there. Nothing after the first cut-off was looked at.
type business struct {
	name    string
	cutOffs int
	prior   Reorder
}

var businesses = []business{
	{"grocery", 5, Reorder{MedianGap: 19, Prior: 125, R: 79_095, Alpha: 10_737, A: 23_895, B: 46_904}},
	{"online_retail_2", 5, Reorder{MedianGap: 28, Prior: 573, R: 50_240, Alpha: 18_209, A: 10_636, B: 571_802}},
	{"cdnow", 4, Reorder{MedianGap: 29, Prior: 1229, R: 39_538, Alpha: 13_857, A: 47_743, B: 88_107}},
}

// readOrders returns each customer's order days, sorted, in the order of the file's customers.
func readOrders(t *testing.T, file string) (all [][]Day, last Day) {
	f, err := os.Open(file)
	if err != nil {
		t.Skipf("no such data: %v", err)
	}
	defer f.Close()
	at := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Scan() // header
	for lines.Scan() {
		cells := strings.SplitN(lines.Text(), ",", 3)
		day, err := ParseDay(cells[1])
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		i, there := at[cells[0]]
		if !there {
			i = len(all)
			at[cells[0]] = i
			all = append(all, nil)
		}
		all[i] = append(all[i], day)
		last = max(last, day)
	}
	for i := range all {
		slices.Sort(all[i])
	}
	return all, last
}

// TestRealOrders measures the reorder backbone on the public sets in the folder that TRIO_DATA names, and prints:
//
//   - P@3: of the three customers of a portfolio that a rule puts first, the share that order within 30 days; portfolios
//     are 100 customers drawn at random, 20 random partitions a cut-off, the cut-offs 60 days apart, the last 45 days
//     before the end. "Recency" lists those without an order for 45 days or more, in no order among themselves.
//   - AUC over all customers of a cut-off, mean over cut-offs.
//   - The due day: mean |ln(predicted/actual gap)| over all gaps that begin in the later 40 % of the calendar.
func TestRealOrders(t *testing.T) {
	dir := os.Getenv("TRIO_DATA")
	if dir == "" {
		t.Skip("TRIO_DATA names no folder with public data sets (<name>/dev.csv)")
	}
	const horizon = 30
	for _, biz := range businesses {
		t.Run(biz.name, func(t *testing.T) {
			customers, end := readOrders(t, filepath.Join(dir, biz.name, "dev.csv"))
			prior := biz.prior
			prior.Horizon = horizon

			rules := []string{"random", "recency", "backbone"}
			hits, shown := [3]float64{}, [3]float64{}
			auc, base := [3]float64{}, 0.0
			dice := rng(1)
			for cut := range biz.cutOffs {
				today := end - 45 - Day(60*cut)
				var scores [3][]int64
				var buys []bool
				for _, days := range customers {
					var f Facts
					orders := false
					for _, d := range days {
						if d <= today {
							f.Apply(Event{Kind: EventOrder, Day: d})
						} else if d <= today+horizon {
							orders = true
						}
					}
					c, ok := prior.Cycle(today, &f)
					if !ok {
						continue
					}
					buys = append(buys, orders)
					overdue := int64(0)
					if c.Elapsed >= 45 {
						overdue = 1
					}
					scores[0] = append(scores[0], 0)
					scores[1] = append(scores[1], overdue)
					scores[2] = append(scores[2], c.Buy)
				}
				order := make([]int, len(buys))
				for i, b := range buys {
					order[i] = i
					if b {
						base += 1 / float64(len(buys)) / float64(biz.cutOffs)
					}
				}
				for range 20 {
					shuffle(&dice, order)
					for from := 0; from+100 <= len(order); from += 100 {
						portfolio := slices.Clone(order[from : from+100])
						for r := range rules {
							slices.SortStableFunc(portfolio, func(a, b int) int { return int(scores[r][b] - scores[r][a]) })
							for _, i := range portfolio[:3] {
								shown[r]++
								if buys[i] {
									hits[r]++
								}
							}
							copy(portfolio, order[from:from+100])
						}
					}
				}
				for r := range rules {
					auc[r] += areaUnderCurve(scores[r], buys) / float64(biz.cutOffs)
				}
			}
			t.Logf("%d customers, %d cut-offs, base rate %.1f %%", len(customers), biz.cutOffs, 100*base)
			for r, name := range rules {
				t.Logf("  %-9s P@3 %.3f  AUC %.3f", name, hits[r]/shown[r], auc[r])
			}
			if got, random := hits[2]/shown[2], hits[0]/shown[0]; got < 3*random {
				t.Errorf("backbone P@3 %.3f is less than three times that of chance, %.3f", got, random)
			}

			fixed, company, own := dueErrors(&prior, customers, end)
			t.Logf("  due day, mean |ln(pred/actual)|: fixed 45 days %.3f, company median %.3f, own shrunk %.3f", fixed, company, own)
			if own >= company || own >= fixed {
				t.Errorf("the own cycle predicts the due day no better than the company's")
			}
		})
	}
}

// areaUnderCurve is the chance that a buyer scores above a non-buyer, ties counting half.
func areaUnderCurve(scores []int64, buys []bool) float64 {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return int(scores[a] - scores[b]) })
	ranks, pos := 0.0, 0.0
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && scores[order[j]] == scores[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			if buys[order[k]] {
				ranks += float64(i+j+1) / 2
				pos++
			}
		}
		i = j
	}
	return (ranks - pos*(pos+1)/2) / (pos * (float64(len(scores)) - pos))
}

// dueErrors predicts each gap that begins in the later 40 % of the calendar from the orders before it.
func dueErrors(prior *Reorder, customers [][]Day, end Day) (fixed, company, own float64) {
	first := end
	for _, days := range customers {
		first = min(first, days[0])
	}
	from := end - (end-first)*2/5
	n := 0.0
	for _, days := range customers {
		var f Facts
		for _, d := range days {
			if c, ok := prior.Cycle(f.LastOrder, &f); ok && d > f.LastOrder && f.LastOrder >= from {
				actual := math.Log(float64(d - f.LastOrder))
				fixed += math.Abs(math.Log(45) - actual)
				company += math.Abs(math.Log(float64(prior.MedianGap)) - actual)
				own += math.Abs(math.Log(float64(c.Gap)) - actual)
				n++
			}
			f.Apply(Event{Kind: EventOrder, Day: d})
		}
	}
	return fixed / n, company / n, own / n
}
