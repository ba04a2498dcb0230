package fit

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trio/ranking"
)

func env(n string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(n), 64); err == nil {
		return v
	}
	return d
}

func TestExp(t *testing.T) {
	if os.Getenv("EXP") == "" {
		t.Skip()
	}
	names := strings.Split(os.Getenv("EXP"), ",")
	seeds := uint64(env("SEEDS", 4))
	tot := map[string]float64{}
	early := map[string]float64{}
	acts := map[string]int{}
	for seed := uint64(1); seed <= seeds; seed++ {
		w := newWorld(seed)
		v1, past := firstPlaybook(w, 60, 60)
		parent := plainPlaybook()
		parent.Reorder = v1.Reorder
		members, days := int(env("MEM", 50)), int(env("DAYS", 100))
		base := 0.0
		be := 0.0
		for _, name := range append([]string{"oracle"}, names...) {
			w.people(members, 2)
			pb := Copy(v1)
			learn := func(today ranking.Day, tuples []Tuple, controls []Control) {
				if (today-simDay0)%7 != 6 {
					return
				}
				tuples = append(slices.Clone(past), tuples...)
				candidate := Night(parent, pb, &Log{Tuples: tuples, Controls: controls, Today: today + 1})
				next, err := Release(pb, candidate, tuples, today+1)
				if err == nil {
					pb = next
				} else if os.Getenv("V") != "" {
					fmt.Println(name, today-simDay0, err)
				}
			}
			var s tally
			switch name {
			case "oracle":
				s = w.run(days, oracle, &pb, nil)
			case "informed":
				s = w.run(days, informed, &pb, nil)
			case "rec":
				s = w.run(days, ranked(&pb), &pb, learn)
			case "recnoexp":
				pb.Explore = 0
				s = w.run(days, ranked(&pb), &pb, learn)
			case "norefresh":
				s = w.run(days, ranked(&pb), &pb, nil)
			case "static":
				pb.Shrink = ranking.Shrink{}
				s = w.run(days, ranked(&pb), &pb, nil)
			case "noown":
				p := ranked(&pb)
				s = w.run(days, func(w *world, m *member, today ranking.Day) []pick {
					pb.Shrink = ranking.Shrink{}
					return p(w, m, today)
				}, &pb, learn)
			case "truth", "truthown":
				tr := Copy(w.truth)
				tr.AnswerSure = v1.AnswerSure
				for i := range tr.Rules {
					tr.Rules[i].Natural = v1.Rules[i].Natural
				}
				if name == "truthown" {
					tr.Shrink = v1.Shrink
				} else {
					tr.Shrink = ranking.Shrink{}
				}
				pb = tr
				s = w.run(days, ranked(&pb), &pb, nil)
			}
			if os.Getenv("NATS") != "" && name == "rec" {
				fmt.Println(pb.Rules[ranking.RefillDue].Natural, pb.Rules[ranking.Lapsed].Natural)
				for _, tr := range []ranking.TriggerID{ranking.RefillDue, ranking.Lapsed} {
					var n, tru, est, raw, pw, tw, al [20]float64
					for _, m := range w.members {
						for k := range m.facts {
							seen := false
							pb.Steps(simDay0+ranking.Day(days), &m.facts[k], func(st *ranking.Step) bool {
								if st.Trigger == tr && !seen {
									seen = true
									b := min(st.Features[ranking.Age]/50, 12)
									n[b]++
									tru[b] += m.contacts[k].unasked(&m.facts[k], simDay0+ranking.Day(days))
									est[b] += sigmoid(float64(st.Unasked) / 1000)
									raw[b] += sigmoid(float64(st.Unasked-look(pb.Rules[tr].Natural, st.Features[ranking.Age])) / 1000)
									if m.contacts[k].alive {
										al[b]++
									}
									pw[b] += sigmoid(float64(st.Z) / 1000)
									var s2 ranking.Step
									w.truth.Steps(simDay0+ranking.Day(days), &m.facts[k], func(q *ranking.Step) bool {
										s2 = *q
										return !(q.Trigger == st.Trigger && q.Channel == st.Channel && q.Content == st.Content)
									})
									p, _ := m.chance(k, &s2, simDay0+ranking.Day(days), true)
									tw[b] += p
								}
								return true
							})
						}
					}
					for b := range n {
						if n[b] > 0 {
							fmt.Printf("%v %d: n %.0f alive %.2f true nat %.3f est %.3f raw %.3f  p true %.3f est %.3f\n", tr, b*50, n[b], al[b]/n[b], tru[b]/n[b], est[b]/n[b], raw[b]/n[b], tw[b]/n[b], pw[b]/n[b])
						}
					}
				}
			}
			if name == "oracle" {
				base, be = s.value, s.early
			}
			tot[name] += s.value / base / float64(seeds)
			early[name] += s.early / be / float64(seeds)
			acts[name] += s.acts / int(seeds)
			if os.Getenv("V") != "" {
				fmt.Printf("%d %s shrink %v ver %d\n", seed, name, pb.Shrink, pb.Version)
			}
		}
	}
	for _, n := range append([]string{"oracle"}, names...) {
		fmt.Printf("%-12s %.2f  early %.2f acts %d\n", n, 100*tot[n], 100*early[n], acts[n])
	}
}
