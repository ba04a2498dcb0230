package fit

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"trio/ranking"
)

// acts makes tuples of a trigger whose log-odds are the playbook's and what more says, in nats.
func acts(d *dice, pb *ranking.Playbook, n, members int, today ranking.Day, more func(*Tuple) float64) (out []Tuple) {
	for i := range n {
		t := Tuple{
			Day: today - ranking.Day(d.below(60)) - 9, Trigger: ranking.NewLead, Channel: ranking.Channel(d.below(3)), Content: uint8(d.below(3)),
			Extra: 1500, // success is not rare: each act tells much
		}
		t.Member[0], t.Member[1] = byte(i%members), byte(i%members>>8)
		t.Contact[0], t.Contact[1] = byte(i), byte(i>>8)
		t.Features[ranking.Age] = int32(d.below(40))
		t.Features[ranking.TriesMade] = int32(d.below(4))
		z := t.z(pb)
		t.P0 = uint16(sigmoid(z) * ranking.One)
		t.P1 = t.P0
		t.Won = d.unit() < sigmoid(z+more(&t))
		out = append(out, t)
	}
	return out
}

func TestWeightsFollowWhatActsTellAndStayWhereFewDo(t *testing.T) {
	d := dice(1)
	const today = simDay0
	pb := plainPlaybook()
	tuples := acts(&d, pb, 20_000, 200, today, func(tu *Tuple) float64 {
		if tu.Channel == ranking.Email {
			return .6
		}
		if tu.Content == 2 {
			return .4
		}
		return 0
	})
	got := pb
	for range 3 {
		got = Weights(pb, got, tuples, today)
	}
	arm := func(p *ranking.Playbook, ch ranking.Channel, ct int) int64 {
		r := &p.Rules[ranking.NewLead]
		return r.ByWay[ch] + r.Contents[ct].Arm[ch]
	}
	moved := func(ch ranking.Channel, ct int) int64 { return arm(got, ch, ct) - arm(pb, ch, ct) }
	if v := moved(ranking.Email, 0) - moved(ranking.Call, 0); v < 350 || v > 850 {
		t.Errorf("e-mails did better by 600 milli-nats, fitted %d", v)
	}
	if v := moved(ranking.Call, 2) - moved(ranking.Call, 0); v < 200 || v > 600 {
		t.Errorf("the third content did better by 400 milli-nats, fitted %d", v)
	}
	for tr := range ranking.NumTriggers {
		if tr != ranking.NewLead && got.Rules[tr].Base != pb.Rules[tr].Base {
			t.Errorf("%v moved without an act", tr)
		}
	}
	if v := got.Rules[ranking.NewLead].ByWay[ranking.InPerson]; v != pb.Rules[ranking.NewLead].ByWay[ranking.InPerson] {
		t.Errorf("in person moved to %d without an act", v)
	}
	if v := got.Rules[ranking.NewLead].Contents[0].Doubt; v > 100 {
		t.Errorf("after 20,000 acts a content is in doubt by %d milli-nats", v)
	}
	if v := got.Rules[ranking.Nurture].Contents[0].Doubt; v < 200 {
		t.Errorf("a content that nobody was sent is in doubt by %d milli-nats only", v)
	}
	for _, f := range []ranking.Feature{ranking.Age, ranking.TriesMade} {
		bins := got.Rules[ranking.NewLead].Weights[f]
		if !slices.IsSortedFunc(bins, func(a, b ranking.Bin) int { return int(b.Score - a.Score) }) {
			t.Errorf("feature %d rises: %v", f, bins)
		}
	}

	// Any order gives the same, to the last number.
	mixed := slices.Clone(tuples)
	shuffle(&d, mixed)
	again := Weights(pb, pb, mixed, today)
	want := Weights(pb, pb, tuples, today)
	for tr := range want.Rules {
		if want.Rules[tr].Base != again.Rules[tr].Base || !reflect.DeepEqual(want.Rules[tr].Contents, again.Rules[tr].Contents) {
			t.Errorf("%v differs in another order", ranking.TriggerID(tr))
		}
	}

	// Nothing moves by more than half a nat a night, and few members move nothing.
	for tr := range want.Rules {
		if v := leap(&pb.Rules[tr], &want.Rules[tr]); v != "" {
			t.Errorf("%s leapt", v)
		}
	}
	few := Weights(pb, pb, acts(&d, pb, 5000, 10, today, func(*Tuple) float64 { return 2 }), today)
	if few.Rules[ranking.NewLead].Base != pb.Rules[ranking.NewLead].Base || few.Rules[ranking.NewLead].ByWay != pb.Rules[ranking.NewLead].ByWay {
		t.Error("ten members moved a playbook")
	}
}

func TestOneMemberIsNoCompany(t *testing.T) {
	d := dice(2)
	pb := plainPlaybook()
	tuples := acts(&d, pb, 4000, 40, simDay0, func(*Tuple) float64 { return 0 })
	for i := range 4000 { // one more, who does nothing else
		tu := tuples[i]
		tu.Member = MemberID{255, 255}
		tuples = append(tuples, tu)
	}
	w := weigh(tuples, simDay0)
	one, all := 0.0, 0.0
	for i, v := range w {
		all += v
		if tuples[i].Member == (MemberID{255, 255}) {
			one += v
		}
	}
	if one/all > .0501 {
		t.Errorf("half of the acts are one member's and have %.0f %% of the weight", 100*one/all)
	}
}

func TestNobodyWeighsMoreThanATwentieth(t *testing.T) {
	for _, x := range []struct {
		sums []float64
		most float64
	}{
		{nil, 0},
		{[]float64{7}, 14},
		{[]float64{1000, 2, 3}, 6},
		{append(same(30, 10), 10_000), 300. / 19},          // a twentieth of 300 and itself
		{append(same(30, 10), 9999, 10_000), 300. / 18},    // two
		{append(same(18, 10), 500, 10_000), 10},            // all alike: twenty of them
		{append(same(100, 10), 20, 30), (1000 + 50) / 20.}, // nobody is cut
	} {
		if got := Level(x.sums); math.Abs(got-x.most) > 1e-9 {
			t.Errorf("of %v nobody may weigh more than %g, want %g", x.sums, got, x.most)
		}
	}
}

func same(n int, v float64) (all []float64) {
	for range n {
		all = append(all, v)
	}
	return all
}

// TestANightKeepsWhatPeopleWrote: whatever the playbook released last says, words, rules and values are the parent's; no channel stands
// above zero; and what moved is told.
func TestANightKeepsWhatPeopleWrote(t *testing.T) {
	d := dice(9)
	parent := ranking.DefaultPlaybook()
	rule := &parent.Rules[ranking.NewLead]
	rule.Value, parent.MinEV = 4321, 77
	tuples := acts(&d, parent, 6000, 40, simDay0, func(tu *Tuple) float64 {
		if tu.Channel == ranking.Text {
			return .9
		}
		return 0
	})
	old := Copy(parent)
	old.Rules[ranking.NewLead].Value, old.MinEV, old.Version = 1, 2, 9
	pb := Night(parent, old, &Log{Tuples: tuples, Today: simDay0})
	got := &pb.Rules[ranking.NewLead]
	if got.Value != 4321 || pb.MinEV != 77 || pb.Version != 9 || pb.Silent != SilentEvery {
		t.Errorf("value %d, gate %d, version %d, silent %d", got.Value, pb.MinEV, pb.Version, pb.Silent)
	}
	for ch, v := range got.ByWay {
		if v > 0 {
			t.Errorf("%v stands at %d", ranking.Channel(ch), v)
		}
	}
	if up, was := got.ByWay[ranking.Text]+got.Contents[1].Arm[ranking.Text], rule.ByWay[ranking.Text]; up-was < 300 {
		t.Errorf("texts work better and went from %d to %d", was, up)
	}
	moves := Moves(old, pb)
	if len(moves) == 0 || moves[0].Far < 1 || len(Moves(pb, pb)) != 0 {
		t.Errorf("%+v", moves)
	}
}

func TestTheOffsetFollowsTheDaysAndDoesNotSwing(t *testing.T) {
	pb := plainPlaybook()
	d := dice(3)
	const today = simDay0
	// Since thirty days odds are higher by .8.
	tuples := sortTuples(acts(&d, pb, 12_000, 100, today, func(tu *Tuple) float64 {
		if tu.Day >= today-38 {
			return .8
		}
		return 0
	}))
	days := drift(pb, tuples, fair(tuples, today), today)
	if v := days.on(ranking.NewLead, today-45); math.Abs(v) > .35 {
		t.Errorf("before the change the offset was %.2f", v)
	}
	if v := days.on(ranking.NewLead, today); v < .5 || v > 1.1 {
		t.Errorf("a month after odds rose by .8 the offset is %.2f", v)
	}
	for day := today - 25; day < today; day++ {
		if v := days.on(ranking.NewLead, day); v > 1.3 {
			t.Errorf("%v: the offset overshoots to %.2f", day, v)
		}
	}
}

func TestShrinkSeesHowMuchPeopleDiffer(t *testing.T) {
	pb := plainPlaybook()
	d := dice(4)
	skill := make([]float64, 200)
	for i := range skill {
		skill[i] = .7 * d.normal()
	}
	who := func(tu *Tuple) float64 { return skill[int(tu.Member[0])+int(tu.Member[1])<<8] }
	differ := Shrink(pb, acts(&d, pb, 40_000, 200, simDay0, who)).Shrink.Member
	same := Shrink(pb, acts(&d, pb, 40_000, 200, simDay0, func(*Tuple) float64 { return 0 })).Shrink.Member
	if tau := float64(ranking.One) / float64(differ); tau < .3 || tau > .75 {
		t.Errorf("variance between members %.2f, want .49", tau)
	}
	if same < 10*differ {
		t.Errorf("members who do not differ are believed: %d against %d", same, differ)
	}
	// What all gain is the company's.
	shared := Shrink(pb, acts(&d, pb, 20_000, 200, simDay0, func(*Tuple) float64 { return .5 })).Shared
	if v := shared.Ways[ranking.Call]; v < 350 || v > 700 {
		t.Errorf("all gained half a nat, shared %d milli-nats", v)
	}
}

func TestSilentWeeksTeachWhoOrdersUnasked(t *testing.T) {
	pb := plainPlaybook()
	d := dice(5)
	var controls []Control
	for i := range 4000 {
		c := Control{Member: MemberID{byte(i % 50)}, Day: simDay0 - ranking.Day(d.below(50)), Trigger: ranking.RefillDue, Age: int64(75 + d.below(120)), Unasked: -1500}
		c.Won = d.unit() < sigmoid(-1.1)
		controls = append(controls, c)
	}
	got := Natural(pb, controls, simDay0)
	for _, b := range got.Rules[ranking.RefillDue].Natural[:4] {
		if b.Score < 250 || b.Score > 500 {
			t.Errorf("below %d: %d milli-nats, want 400", b.Below, b.Score)
		}
	}
	if got.Rules[ranking.Lapsed].Natural != nil || Natural(pb, controls[:40], simDay0).Rules[ranking.RefillDue].Natural != nil {
		t.Error("a table out of nothing")
	}
}

func TestReleaseRefusesWhatDoesWorseOrLeaps(t *testing.T) {
	pb := plainPlaybook()
	d := dice(6)
	const today = simDay0
	tuples := acts(&d, pb, 5000, 100, today+6, func(*Tuple) float64 { return 0 })
	next, err := Release(pb, Weights(pb, pb, tuples, today), tuples, today)
	if err != nil || next.Version != pb.Version+1 {
		t.Fatalf("%v", err)
	}
	worse := Copy(pb)
	worse.Rules[ranking.NewLead].Base += 400
	if _, err := Release(pb, worse, tuples, today); !errors.Is(err, ErrWorse) {
		t.Errorf("a worse playbook is released: %v", err)
	}
	far := Copy(pb)
	far.Rules[ranking.Nurture].Base += 501
	if _, err := Release(pb, far, tuples, today); !errors.Is(err, ErrWorse) {
		t.Errorf("a playbook that leaps is released: %v", err)
	}
	if pb.Rules[ranking.NewLead].Base != plainPlaybook().Rules[ranking.NewLead].Base {
		t.Error("a playbook was changed in place")
	}
}

// TestAModelOfOrdersThatDoesWorseIsNotReleased: it alone stays behind; one that says the same in other numbers, however far they
// moved, goes out.
func TestAModelOfOrdersThatDoesWorseIsNotReleased(t *testing.T) {
	w := newWorld(3)
	w.people(60, 1)
	orders := w.histories()
	old := ranking.DefaultPlaybook()
	fitted := Copy(old)
	fitted.Reorder = Reorder(old.Reorder, orders, simDay0-1)
	fitted.Rules[ranking.NewLead].Base += 40
	pb, g := GateOrders(old, fitted, orders, simDay0)
	if g.Kept || pb != fitted || g.Customers < 100 || g.Is >= g.Was {
		t.Fatalf("what was fitted to the orders is kept back: %+v", g)
	}
	t.Logf("as it comes %.4f, fitted %.4f, of %d", g.Was, g.Is, g.Customers)
	far := Copy(fitted)
	far.Reorder.Intercept -= 5000
	for i := range far.Reorder.Card[ranking.Repeats] {
		far.Reorder.Card[ranking.Repeats][i].Score += 5000
	}
	if _, g := GateOrders(fitted, far, orders, simDay0); g.Kept || g.Was != g.Is {
		t.Errorf("a model that says the same is kept back: %+v", g)
	}
	worse := Copy(fitted)
	worse.Reorder.Intercept -= 5028
	pb, g = GateOrders(fitted, worse, orders, simDay0)
	if !g.Kept || pb.Reorder.Intercept != fitted.Reorder.Intercept || pb.Rules[ranking.NewLead].Base != fitted.Rules[ranking.NewLead].Base {
		t.Errorf("a worse model is released: %+v", g)
	}
	if pb, g := GateOrders(old, fitted, nil, simDay0); g.Customers != 0 || pb != fitted {
		t.Errorf("without orders there is nothing to hold it by: %+v", g)
	}
}

func TestReorderFindsTheNumbersThatMadeTheOrders(t *testing.T) {
	w := newWorld(3)
	w.people(60, 1)
	orders := w.histories()
	parent := ranking.DefaultPlaybook().Reorder
	r := Reorder(parent, orders, simDay0-1)
	if r.MedianGap < 25 || r.MedianGap > 40 {
		t.Errorf("usual gap of %d days, the world's is 35 and the shorter ones are seen more often", r.MedianGap)
	}
	if r.Card[ranking.Ratio] == nil || r.DueFrom != parent.DueFrom {
		t.Error("no scorecard, or a rule was changed")
	}
	slices.Reverse(orders)
	again := Reorder(parent, byDays(orders), simDay0-1)
	if want := Reorder(parent, byDays(w.histories()), simDay0-1); again.R != want.R || !slices.Equal(again.Card[ranking.Ratio], want.Card[ranking.Ratio]) {
		t.Error("another order of customers gives other numbers")
	}
	if few := Reorder(parent, orders[:20], simDay0-1); few.MedianGap != parent.MedianGap || few.Card[ranking.Ratio] != nil {
		t.Error("twenty customers moved a company's numbers")
	}
	for _, o := range [][]Orders{nil, {{1}}, {{-1 << 31, 1<<31 - 1}}} {
		Reorder(parent, o, simDay0)
	}
}

func TestObserveSeesActsOnTheFactsOfTheirMorning(t *testing.T) {
	pb := plainPlaybook()
	pb.Silent = 1 // every week is without asking
	c := Contact{Facts: ranking.Facts{Contact: ranking.ContactID{1}, Channels: 15, Stage: ranking.Customer, Created: ranking.DateOf(simDay0)}}
	day := func(n int) ranking.Day { return simDay0 + ranking.Day(n) }
	c.Events = []ranking.Event{
		{Kind: ranking.EventForm, Day: day(2)},
		{Kind: ranking.EventTouch, Day: day(3), Channel: ranking.Text, Outcome: ranking.Answered, Prompted: true, Trigger: ranking.NewLead, P0: 9000, P1: 9500},
		{Kind: ranking.EventOrder, Day: day(5)},
		{Kind: ranking.EventOrder, Day: day(58)},
	}
	tuples, controls := Observe(pb, &c, day(0), day(75), nil, nil)
	if len(tuples) != 1 {
		t.Fatalf("%d acts, want the one that followed the form: %+v", len(tuples), tuples)
	}
	tu := tuples[0]
	if tu.Features[ranking.Age] != 1 || !tu.Won || tu.P0 != 9000 || tu.P1 != 9500 || tu.Channel != ranking.Text {
		t.Errorf("%+v", tu)
	}
	if early, _ := Observe(pb, &c, day(0), day(6), nil, nil); len(early) != 0 {
		t.Error("an act whose window is open is learnt from")
	}
	if len(controls) == 0 {
		t.Fatal("no week without asking was seen")
	}
	for _, k := range controls {
		won := k.Day <= day(58) && day(58)-k.Day <= 7
		if !k.Day.Monday() || k.Won != won {
			t.Errorf("%+v", k)
		}
	}
}

func TestSpendAndTheChainOfStages(t *testing.T) {
	d := dice(7)
	var buyers []Buyer
	for range 3000 {
		own := 4500 * math.Exp(.3*d.normal())
		n := 1 + d.below(8)
		sum := 0.0
		for range n {
			sum += own * math.Exp(.4*d.normal()-.08)
		}
		buyers = append(buyers, Buyer{n, sum / float64(n)})
	}
	mean, weight := Spend(buyers)
	if mean < 4300 || mean > 5200 || weight < .5 || weight > 6 {
		t.Errorf("mean %.0f, weight %.1f", mean, weight)
	}
	if mean, weight := Spend(nil); mean != 0 || weight != 0 {
		t.Error("nobody's spend")
	}
	s := Stages{Stood: [3]float64{1000, 1000, 200}, Year: [3]float64{0, 20_000, 100_000}}
	s.Moved[0][1], s.Moved[1][2] = 100, 50
	worth, known := s.Worth()
	if known != [3]bool{true, true, true} || worth != [3]float64{2500, 25_000, 100_000} {
		t.Errorf("worth %v, known %v", worth, known)
	}
	s.Stood[2] = 5
	if worth, known := s.Worth(); known != [3]bool{true, true, false} || worth[1] != 20_000 {
		t.Errorf("five promoters: worth %v, known %v", worth, known)
	}
	s.Stood[1] = 5
	if worth, known := s.Worth(); known != [3]bool{} || worth != [3]float64{} {
		t.Errorf("five customers make a chain: worth %v, known %v", worth, known)
	}
}

// courses are those of n members alike: of 100 leads 20 become customers, who order at once and each month, and two of them
// promoters, who order a little more.
func courses(n int) (all []Course) {
	for i := range n {
		all = append(all, Course{
			Member: MemberID{byte(i), byte(i >> 8), 1},
			Came:   [3]int64{100, 20, 5}, Bought: [3]int64{0, 20, 0}, Days: [3]int64{80 * 365, 20 * 365, 5 * 365}, Orders: [3]int64{0, 20 * 12, 5 * 15},
			Moved: [3][3]int64{{0, 20, 0}, {0, 0, 2}, {}}, Took: 40, Arrived: 10,
		})
	}
	return all
}

func customers(n int, cents float64) (all []Buyer) {
	d := dice(5)
	for range n {
		all = append(all, Buyer{2 + d.below(8), cents * math.Exp(.3*d.normal()-.045)})
	}
	return all
}

// TestWorthByOrders: orders of 40.00 with a margin of 50 %.
func TestWorthByOrders(t *testing.T) {
	e := Earn(50, customers(600, 4000), courses(30))
	near := func(what string, is, want float64) {
		t.Helper()
		if is < want*.93 || is > want*1.07 {
			t.Errorf("%s is %.3f, want %.3f", what, is, want)
		}
	}
	near("an order", e.Order, 4000)
	near("its margin", e.Margin, 2000)
	near("a customer's year", e.Year[ranking.Customer], 13*2000)
	near("becoming a customer within a year", e.Chance[ranking.Prospect][ranking.Customer], 1-math.Exp(-20.0/80))
	near("a prospect", e.Stage[ranking.Prospect], e.Chance[0][1]*e.Stage[1])
	near("arriving after a step", e.Reach, .25)
	if e.Known != [3]bool{true, true, true} {
		t.Fatalf("%+v", e)
	}

	parent := ranking.DefaultPlaybook()
	next := func(pb *ranking.Playbook) *ranking.Playbook {
		c := Copy(pb)
		Values(c, parent, pb, e)
		return c
	}
	if pb := next(parent); len(Moves(parent, pb)) > 0 {
		t.Errorf("without a margin something is learnt: %+v", Moves(parent, pb))
	}
	parent.Margin = 50
	pb := parent
	for night := range 12 {
		was := pb
		pb = next(pb)
		for trig := range ranking.NumTriggers {
			a, b, w := was.Rules[trig].Value, pb.Rules[trig].Value, parent.Rules[trig].Value
			if d := max(a-b, b-a); 5*d > a+3 || 3*b < w || b > 3*w {
				t.Errorf("night %d, %v: from %d to %d, people wrote %d", night, trig, a, b, w)
			}
		}
	}
	want := map[ranking.TriggerID]float64{
		ranking.RefillDue: e.Margin, ranking.FirstOrder: e.Margin, ranking.NewLead: .25 * (e.Stage[1] - e.Stage[0]),
		ranking.AskPromote: 15_000, ranking.CheckIn: 3000, ranking.Own1: 3000,
	}
	for trig, v := range want {
		if is := float64(pb.Rules[trig].Value); is < v-1 || is > v+1 {
			t.Errorf("%v is worth %.0f, want %.0f", trig, is, v)
		}
	}
	// What is not known any more goes back to what people wrote, by as much a night.
	e = Earn(50, customers(600, 4000), courses(10))
	if back := next(pb); back.Rules[ranking.NewLead].Value != 6000 || back.Rules[ranking.RefillDue].Value != pb.Rules[ranking.RefillDue].Value {
		t.Errorf("a step %d, an order %d", back.Rules[ranking.NewLead].Value, back.Rules[ranking.RefillDue].Value)
	}
}

// TestOneMemberMovesNoWorthFar: one whose people all buy each day, and one whose orders cost millions or nearly nothing, move what is
// learnt by a sixth at most.
func TestOneMemberMovesNoWorthFar(t *testing.T) {
	clean := Earn(50, customers(600, 4000), courses(30))
	liar := Course{
		Member: MemberID{9}, Came: [3]int64{1e6, 1e6, 1e6}, Bought: [3]int64{1e6, 1e6, 1e6}, Days: [3]int64{1e8, 1e8, 1e8}, Orders: [3]int64{1e8, 1e8, 1e8},
		Moved: [3][3]int64{{0, 1e6, 1e6}, {0, 0, 1e6}, {}}, Took: 1e6, Arrived: 1e6,
	}
	for _, cents := range []float64{1e12, .01} {
		buyers := customers(600, 4000)
		for range 30 { // a twentieth
			buyers = append(buyers, Buyer{1, cents})
		}
		e := Earn(50, buyers, append(courses(30), liar))
		for what, pair := range map[string][2]float64{
			"order": {clean.Order, e.Order}, "chance": {clean.Chance[0][1], e.Chance[0][1]}, "reach": {clean.Reach, e.Reach},
			"customer's orders": {clean.Year[1] / clean.Margin, e.Year[1] / e.Margin}, "promoter's orders": {clean.Year[2] / clean.Margin, e.Year[2] / e.Margin},
		} {
			if r := pair[1] / pair[0]; !(r > .84 && r < 1.2) {
				t.Errorf("orders of %g cents: %s from %.4f to %.4f", cents, what, pair[0], pair[1])
			}
		}
	}
	if e := Earn(50, customers(600, 4000), courses(19)); e.Known != [3]bool{} || e.Reach != 0 {
		t.Errorf("19 members tell %+v", e)
	}
	if e := Earn(50, nil, courses(30)); e.Margin != 0 {
		t.Errorf("nobody's orders tell %+v", e)
	}
}

// TestFollow: who came when, stood how long, ordered and moved.
func TestFollow(t *testing.T) {
	const until = ranking.Day(20_000)
	person := func(created ranking.Day, imported bool, events ...ranking.Event) *Contact {
		return &Contact{Facts: ranking.Facts{Created: ranking.DateOf(created), Imported: imported}, Events: events}
	}
	order := func(day ranking.Day) ranking.Event {
		return ranking.Event{Kind: ranking.EventOrder, Day: day, Cents: 100}
	}
	stage := func(day ranking.Day, s ranking.Stage) ranking.Event {
		return ranking.Event{Kind: ranking.EventStage, Day: day, Stage: s}
	}
	step := func(day ranking.Day) ranking.Event {
		return ranking.Event{Kind: ranking.EventTouch, Day: day, Outcome: ranking.Moved, Prompted: true, Trigger: ranking.NewLead, P0: 1, P1: 1}
	}
	follow := func(ps ...*Contact) (c Course) {
		for _, p := range ps {
			c.Follow(p, until)
		}
		return c
	}
	for what, x := range map[string]struct{ is, want Course }{
		"a lead who stays": {follow(person(until-99, false)), Course{Came: [3]int64{1}, Days: [3]int64{100}}},
		"for years":        {follow(person(until-800, false)), Course{Came: [3]int64{1}, Days: [3]int64{365}}},
		"too long ago":     {follow(person(until-2000, false)), Course{}},
		"to come":          {follow(person(until+5, false)), Course{}},
		"one who orders twice, and again a year later, and becomes a promoter after that": {
			follow(person(until-900, false, step(until-890), order(until-880), order(until-850), order(until-500), stage(until-490, ranking.Promoter), order(until-400))),
			Course{
				Came: [3]int64{1, 1, 1}, Bought: [3]int64{0, 1, 0}, Days: [3]int64{20, 365, 365}, Orders: [3]int64{0, 1, 1},
				Moved: [3][3]int64{{0, 1, 0}}, Took: 1, Arrived: 1,
			},
		},
		"a customer from the first day":     {follow(person(until-10, false, order(until-200))), Course{Came: [3]int64{0, 1}, Bought: [3]int64{0, 1}, Days: [3]int64{0, 201}}},
		"an address book":                   {follow(person(until-10, true)), Course{}},
		"an address book, and then a buyer": {follow(person(until-100, true, order(until-9))), Course{Came: [3]int64{0, 1}, Bought: [3]int64{0, 1}, Days: [3]int64{0, 10}}},
		"a step that may still be followed": {follow(person(until-50, false, step(until-40))), Course{Came: [3]int64{1}, Days: [3]int64{51}}},
		"a step without a sequel":           {follow(person(until-200, false, step(until-199), step(until-150))), Course{Came: [3]int64{1}, Days: [3]int64{201}, Took: 1}},
	} {
		if x.is != x.want {
			t.Errorf("%s: %+v, want %+v", what, x.is, x.want)
		}
	}
}

// TestASmallCompanyDoesBetterWithTheRankerThanWithout is the simulator, small: who knows the truth first, then the fitted
// ranker, then chance.
func TestASmallCompanyDoesBetterWithTheRankerThanWithout(t *testing.T) {
	members, days := 15, 50
	if testing.Short() {
		members, days = 8, 30
	}
	sums := simulate(1, members, days, 40, 30)
	at := map[string]float64{}
	for i, name := range policies {
		at[name] = sums[i].value
	}
	t.Logf("seed 1, %d members, %d days: %v", members, days, at)
	if !(at["oracle"] > at["informed"] && at["informed"] > at["recommended"] && at["recommended"] > 1.5*at["random"] && at["recommended"] > at["own data only"]) {
		t.Errorf("out of order: %v", at)
	}
}
