package fit

import (
	"reflect"
	"testing"

	"trio/ranking"
)

// TestCarryAddsWhatWasLearntToWhatPeopleWrite: nothing changed, all that was learnt; nothing learnt, all that was written; both, both.
func TestCarryAddsWhatWasLearntToWhatPeopleWrite(t *testing.T) {
	d := dice(21)
	before := ranking.DefaultPlaybook()
	tuples := acts(&d, before, 6000, 40, simDay0, func(tu *Tuple) float64 {
		if tu.Channel == ranking.Text {
			return .9
		}
		return 0
	})
	w := newWorld(3)
	w.people(30, 1)
	var controls []Control
	for i := range 2000 {
		controls = append(controls, Control{
			Member: MemberID{byte(i % 50)}, Day: simDay0 - ranking.Day(d.below(50)), Trigger: ranking.RefillDue, Age: int64(75 + d.below(120)), Unasked: -1500, Won: d.unit() < .3,
		})
	}
	fitted := Night(before, before, &Log{Tuples: tuples, Controls: controls, Orders: w.histories(), Today: simDay0})
	if len(Moves(before, fitted)) < 50 || fitted.Rules[ranking.RefillDue].Natural == nil || fitted.Reorder.Card[ranking.Ratio] == nil {
		t.Fatalf("too little was learnt: %+v", Moves(before, fitted))
	}
	was, learnt := Copy(before), Copy(fitted)
	if pb := Carry(before, fitted, before); !reflect.DeepEqual(pb, fitted) {
		t.Errorf("people changed nothing, and what was learnt is another: %+v", Moves(fitted, pb))
	}

	written := Copy(before)
	lead := &written.Rules[ranking.NewLead]
	lead.Base += 100
	lead.Value, written.Rest, written.Silent, written.Version = 7777, 9, 40, 8
	lead.Weights[ranking.Age][0].Score += 30
	lead.Contents = append(lead.Contents, ranking.Content{Channels: 1 << ranking.Text})
	if pb := Carry(before, before, written); !reflect.DeepEqual(pb, written) {
		t.Errorf("nothing was learnt, and what was written is another: %+v", Moves(written, pb))
	}
	pb := Carry(before, fitted, written)
	got, want := &pb.Rules[ranking.NewLead], &fitted.Rules[ranking.NewLead]
	if got.Base != want.Base+100 || got.ByWay != want.ByWay || got.Weights[ranking.Age][0].Score != want.Weights[ranking.Age][0].Score+30 ||
		got.Weights[ranking.Age][1] != want.Weights[ranking.Age][1] || got.Contents[1].Arm != want.Contents[1].Arm || len(got.Contents) != len(want.Contents)+1 {
		t.Errorf("%+v", got)
	}
	if last := got.Contents[len(want.Contents)]; last.Arm != [ranking.NumChannels]int64{} || last.Doubt != 0 {
		t.Errorf("a content that is new has %+v", last)
	}
	if got.Value != 7777 || pb.Rest != 9 || pb.Silent != 40 || pb.Version != 8 || !reflect.DeepEqual(pb.Reorder, fitted.Reorder) || pb.Shrink != fitted.Shrink || pb.Shared != fitted.Shared {
		t.Error("what people wrote beside the numbers, or what was learnt of orders, is another")
	}
	if !reflect.DeepEqual(before, was) || !reflect.DeepEqual(fitted, learnt) {
		t.Error("a playbook was changed in place")
	}
}

// TestCarryKeepsTheBoundsAndWhatOnlyOneHas: contents and bins that are in one only, rules that are gone, and numbers at their ends.
func TestCarryKeepsTheBoundsAndWhatOnlyOneHas(t *testing.T) {
	before := ranking.DefaultPlaybook()
	fitted := Copy(before)
	lead := &fitted.Rules[ranking.NewLead]
	lead.Base, lead.ByWay[ranking.Call] = mostNats, -200
	lead.Weights[ranking.Age][0].Score += 300
	lead.Contents[1].Doubt = 500
	lead.Contents[2].Arm[ranking.Text] = 400
	fitted.Rules[ranking.Nurture].Offset = 90
	fitted.Reorder.MedianGap, fitted.Reorder.Weight = 1, 0
	fitted.Shrink.Member += 1000

	written := Copy(before)
	now := &written.Rules[ranking.NewLead]
	now.Base, now.ByWay[ranking.Call], now.ByWay[ranking.Text] = before.Rules[ranking.NewLead].Base+500, 0, 0
	now.Contents = now.Contents[:2]
	now.Weights[ranking.Age] = []ranking.Bin{{Below: 2, Score: 1}, {Below: 5, Score: 2}, {Below: never, Score: 3}}
	written.Rules[ranking.Nurture] = ranking.Rule{}
	written.Reorder.MedianGap, written.Shrink.Member = 2, mostInfo
	pb := Carry(before, fitted, written)
	got := &pb.Rules[ranking.NewLead]
	if got.Base != mostNats || got.ByWay[ranking.Call] != -200 || got.ByWay[ranking.Text] != 0 || got.Contents[1].Doubt != before.Rules[ranking.NewLead].Contents[1].Doubt+500 || len(got.Contents) != 2 {
		t.Errorf("%+v", got)
	}
	if want := []ranking.Bin{{Below: 2, Score: 301}, {Below: 5, Score: 2}, {Below: never, Score: 3}}; !reflect.DeepEqual(got.Weights[ranking.Age], want) {
		t.Errorf("bins %v", got.Weights[ranking.Age])
	}
	if !reflect.DeepEqual(pb.Rules[ranking.Nurture], ranking.Rule{}) {
		t.Errorf("a rule that is off has %+v", pb.Rules[ranking.Nurture])
	}
	if pb.Reorder.MedianGap != 1 || pb.Reorder.Weight != 0 || pb.Shrink.Member != mostInfo {
		t.Errorf("%+v %+v", pb.Reorder, pb.Shrink)
	}
}

// TestCarryOfWorth: what was learnt of what a success is worth goes with what people did not touch; their own word wins, and so does
// a margin that is taken out.
func TestCarryOfWorth(t *testing.T) {
	before := ranking.DefaultPlaybook()
	before.Margin = 40
	fitted := Copy(before)
	fitted.Rules[ranking.RefillDue].Value, fitted.Rules[ranking.NewLead].Value = 2000, 9000
	written := Copy(before)
	written.Rules[ranking.NewLead].Value, written.Rest = 6100, 5
	pb := Carry(before, fitted, written)
	if refill, lead := pb.Rules[ranking.RefillDue].Value, pb.Rules[ranking.NewLead].Value; refill != 2000 || lead != 6100 || pb.Rest != 5 || pb.Margin != 40 {
		t.Errorf("a refill %d, a lead %d", refill, lead)
	}
	written.Margin = 0
	if pb := Carry(before, fitted, written); len(Moves(written, pb)) > 0 {
		t.Errorf("without a margin: %+v", Moves(written, pb))
	}
}
