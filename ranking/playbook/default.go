package playbook

import "trio/ranking"

// Default returns the playbook that a company starts with: a fresh copy at each call. It is what devices go by until the
// company publishes its own, and has the version of ranking's. A test holds that it is what Parse makes of its document: a
// device need not read one at its first start.
func Default() *Doc {
	d := &Doc{
		Name: "First playbook", Languages: []string{"en", "es"}, Ranking: ranking.DefaultPlaybook(), Goals: ranking.DefaultGoalRules(),
		Pieces: samplePieces(), Sharing: Sharing{Sharer: "ref", Share: "share"}, Newcomer: firstDays(), Boards: Boards{Places: UsualPlaces},
	}
	d.Version = d.Ranking.Version
	d.settle()
	return d
}
