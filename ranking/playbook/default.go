package playbook

import "trio/ranking"

// Default returns the playbook that a company starts with: a fresh copy at each call.
func Default() *Doc {
	d := &Doc{
		Version: 1, Name: "First playbook", Languages: []string{"en", "es"},
		Ranking: ranking.DefaultPlaybook(), Goals: ranking.DefaultGoalRules(), Pieces: samplePieces(), Newcomer: firstDays(),
	}
	d, err := Parse(d.Encode())
	if err != nil {
		panic(err) // a test holds that it does not
	}
	return d
}
