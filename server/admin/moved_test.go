package admin

import (
	"strings"
	"testing"

	"trio/ranking"
	"trio/ranking/playbook"
)

// What the log and stored sums know by its place is not published in another one without force.
func TestMovedMomentsAndMetricsAreNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*playbook.Doc)
		path string
	}{
		"nothing":         {func(*playbook.Doc) {}, ""},
		"a number":        {func(d *playbook.Doc) { d.Ranking.Rules[ranking.Own1].Rest++ }, ""},
		"a label of ours": {func(d *playbook.Doc) { d.Ranking.Rules[ranking.RefillDue].Label[0].Text = "Time for more" }, ""},
		"another moment":  {func(d *playbook.Doc) { d.Ranking.Rules[ranking.Own1].Label[0].Text = "An order on its way" }, "triggers.own1.label.en"},
		"metrics in another order": {func(d *playbook.Doc) {
			m := d.Goals.Metrics
			m[0], m[4] = m[4], m[0]
		}, "goals.metrics."},
	} {
		old, now := playbook.Default(), playbook.Default()
		now.Version++
		c.edit(now)
		w := moved(old, now)
		if c.path == "" && len(w) > 0 || c.path != "" && (len(w) == 0 || !strings.Contains(w.err().Error(), c.path)) {
			t.Errorf("%s: want %q to be noticed, got %v", name, c.path, w)
		}
	}
}
