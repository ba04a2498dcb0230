package playbook

import "trio/ranking"

// Default returns the playbook that a company starts with: a fresh copy at each call. It is what devices go by until the
// company publishes its own, and has the version of ranking's.
func Default() *Doc {
	d := &Doc{
		Name: "First playbook", Languages: []string{"en", "es"}, Ranking: ranking.DefaultPlaybook(), Goals: ranking.DefaultGoalRules(),
		Pieces: samplePieces(), Sharing: Sharing{Sharer: "ref", Share: "share"}, Newcomer: firstDays(), Boards: Boards{Places: UsualPlaces},
	}
	d.Version = d.Ranking.Version
	d, err := Parse(d.Encode())
	if err != nil {
		panic(err) // a test holds that it does not
	}
	return d
}
