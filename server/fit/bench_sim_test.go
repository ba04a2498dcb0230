package fit

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"

	"trio/ranking"
)

// histories are the customers' orders of a world before its first day.
func (w *world) histories() (all []Orders) {
	for _, m := range w.members {
		all = append(all, m.past...)
	}
	return all
}

// firstPlaybook fits version 1 to 60 days of random acts of 60 members, who are not those that the policies are tried on.
func firstPlaybook(w *world, members, days int) (v1 *ranking.Playbook, past []Tuple) {
	w.people(members, 1)
	pb := plainPlaybook()
	pb.Reorder = Reorder(pb.Reorder, w.histories(), simDay0-1)
	pb.Silent = SilentEvery
	w.truth.Silent = pb.Silent
	w.truth.Reorder = pb.Reorder // what is due is a rule, the same for all; when they order is not
	var log Log
	w.run(days+8, func(w *world, m *member, today ranking.Day) []pick {
		if today >= simDay0+ranking.Day(days) {
			return nil
		}
		return atRandom(w, m, today)
	}, &pb, func(today ranking.Day, tuples []Tuple, controls []Control) {
		log = Log{Tuples: tuples, Controls: controls, Today: today}
	})
	parent := pb
	for range 4 { // nights: a weight moves half a nat at most
		pb = Night(parent, pb, &log)
	}
	for i := range log.Tuples { // these acts were before the first day
		log.Tuples[i].Day -= ranking.Day(days + 8)
	}
	return pb, log.Tuples
}

// learn lets the days pass; each week the playbook is fitted anew, to what people wrote, the gate of pb included.
func (w *world) learn(days int, choose policy, pb **ranking.Playbook, past []Tuple) tally {
	parent := plainPlaybook()
	parent.Reorder, parent.MinEV = (*pb).Reorder, (*pb).MinEV
	return w.run(days, choose, pb, func(today ranking.Day, tuples []Tuple, controls []Control) {
		if (today-simDay0)%7 != 6 {
			return
		}
		tuples = append(slices.Clone(past), tuples...)
		candidate := Night(parent, *pb, &Log{Tuples: tuples, Controls: controls, Today: today + 1})
		if next, err := Release(*pb, candidate, tuples, today+1); err == nil {
			*pb = next
		}
	})
}

// gateSeeds are the worlds that a gate is chosen in; it is measured in those of the simulator, which are others.
var gateSeeds = []uint64{101, 102, 103, 104}

// benchGate prints the curve of the gate: the share of the acts that it removes against the share of the value that is lost.
func benchGate(t *testing.T, r *report) {
	gates := []int64{-1 << 40, 0, 40, 80, 120, 160, 200, 250, 300, 400, 500}
	all := make([][]tally, len(gateSeeds))
	inParallel(len(all), func(i int) {
		w := newWorld(gateSeeds[i])
		v1, past := firstPlaybook(w, 60, 60)
		for _, gate := range gates {
			w.people(simMembers, 2)
			pb := Copy(v1)
			pb.MinEV = gate
			all[i] = append(all[i], w.learn(simDays, ranked(&pb), &pb, past))
		}
	})
	for g, gate := range gates {
		removed, lost := 0.0, 0.0
		for _, s := range all {
			removed += (1 - float64(s[g].acts)/float64(s[0].acts)) / float64(len(all))
			lost += (1 - s[g].value/s[0].value) / float64(len(all))
		}
		r.note(fmt.Sprintf("gate of %d cents, seeds %d-%d", gate, gateSeeds[0], gateSeeds[len(gateSeeds)-1]), fmt.Sprintf("%.1f %% of the acts removed, %.1f %% of the value lost", 100*removed, 100*lost))
	}
}

// inParallel calls do for 0 to n-1, as many at a time as there are processors.
func inParallel(n int, do func(i int)) {
	var wg sync.WaitGroup
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			do(i)
			<-free
		})
	}
	wg.Wait()
}

// outcome of a seed: by policy.
var policies = []string{
	"oracle", "informed", "recommended", "no own learning", "static playbook", "own data only", "random", "naive", "recommended, gate off",
}

func simulate(seed uint64, members, days, v1Members, v1Days int) (sums []tally) {
	w := newWorld(seed)
	v1, past := firstPlaybook(w, v1Members, v1Days)
	for _, name := range policies {
		w.people(members, 2)
		pb := Copy(v1)
		run := func(p policy, learn bool) tally {
			if !learn {
				return w.run(days, p, &pb, nil)
			}
			return w.learn(days, p, &pb, past)
		}
		var sum tally
		switch name {
		case "oracle":
			sum = run(oracle, false)
		case "informed":
			sum = run(informed, false)
		case "recommended":
			sum = run(ranked(&pb), true)
		case "no own learning":
			sum = run(func(w *world, m *member, today ranking.Day) []pick {
				pb.Shrink = ranking.Shrink{}
				return ranked(&pb)(w, m, today)
			}, true)
		case "static playbook":
			pb.Shrink = ranking.Shrink{}
			sum = run(ranked(&pb), false)
		case "own data only":
			flat := plainPlaybook()
			flat.Reorder = v1.Reorder
			for t := range flat.Rules {
				rule := &flat.Rules[t]
				rule.Base, rule.ByWay = -2000, [ranking.NumChannels]int64{}
				if t == int(ranking.RefillDue) || t == int(ranking.Lapsed) {
					rule.Base = 1000
				}
				rule.Weights = [ranking.NumFeatures][]ranking.Bin{}
				for ct := range rule.Contents {
					rule.Contents[ct].Doubt = 0
				}
			}
			const loose = ranking.One
			flat.Shrink = ranking.Shrink{Member: loose, Way: loose, Words: loose, Contact: 3 * loose, ContactWay: 3 * loose}
			pb = flat
			sum = run(ranked(&pb), false)
		case "random":
			sum = run(atRandom, false)
		case "naive":
			sum = run(naive, false)
		case "recommended, gate off":
			pb.MinEV = -1 << 40
			sum = run(ranked(&pb), true)
		}
		sums = append(sums, sum)
	}
	return sums
}

const simSeeds = 8

func benchSimulator(t *testing.T, r *report) {
	all := make([][]tally, simSeeds)
	inParallel(len(all), func(i int) { all[i] = simulate(uint64(i+1), simMembers, simDays, 60, 60) })
	at := map[string]int{}
	for p, name := range policies {
		at[name] = p
	}
	share := func(a, b string, pick func(tally) float64) (mean, se float64) {
		var v []float64
		for _, s := range all {
			v = append(v, pick(s[at[a]])/pick(s[at[b]]))
		}
		for _, x := range v {
			mean += x / float64(len(v))
		}
		for _, x := range v {
			se += (x - mean) * (x - mean)
		}
		return mean, math.Sqrt(se / float64(len(v)) / float64(len(v)-1))
	}
	value := func(s tally) float64 { return s.value }
	early := func(s tally) float64 { return s.early }
	acts := func(s tally) float64 { return float64(s.acts) }
	for _, name := range policies {
		v, se := share(name, "oracle", value)
		e, _ := share(name, "oracle", early)
		n := 0.0
		for _, s := range all {
			n += acts(s[at[name]]) / simSeeds
		}
		t.Logf("simulator, seeds 1-%d: %-22s %5.1f %% of oracle (se %.1f), days 1-50 %5.1f %%, %.0f acts", simSeeds, name, 100*v, 100*se, 100*e, n)
		r.note("simulator: "+name, fmt.Sprintf("%.1f %% of oracle (se %.1f), days 1-50 %.1f %%, %.0f acts", 100*v, 100*se, 100*e, n))
	}
	line := func(what, a, b string, pick func(tally) float64, op string, target float64) {
		v, _ := share(a, b, pick)
		r.add("simulator: "+what, "%.3f", v, op, target)
	}
	line("recommended / oracle", "recommended", "oracle", value, ">=", .74)
	line("recommended / informed", "recommended", "informed", value, ">=", .91)
	line("recommended / random", "recommended", "random", value, ">=", 2.4)
	line("recommended / static playbook", "recommended", "static playbook", value, ">=", 1.03)
	line("recommended / own data only, days 1-50", "recommended", "own data only", early, ">=", 1.2)
	kept, _ := share("recommended", "recommended, gate off", acts)
	left, _ := share("recommended", "recommended, gate off", value)
	r.add("gate: acts removed", "%.3f", 1-kept, ">=", .15)
	r.add("gate: value lost", "%.3f", 1-left, "<=", .025)
}
