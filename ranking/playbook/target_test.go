package playbook

import "testing"

func TestTarget(t *testing.T) {
	d := &Doc{Sharing: Sharing{Sharer: "ref", Share: "s", Piece: "utm_content"}}
	for url, want := range map[string]string{
		"https://a.example":             "https://a.example?ref=M&s=0a&utm_content=tea",
		"https://a.example/x?":          "https://a.example/x?ref=M&s=0a&utm_content=tea",
		"https://a.example/x?a=1":       "https://a.example/x?a=1&ref=M&s=0a&utm_content=tea",
		"https://a.example/x?a=1&":      "https://a.example/x?a=1&ref=M&s=0a&utm_content=tea",
		"https://a.example/x#part?not":  "https://a.example/x?ref=M&s=0a&utm_content=tea#part?not",
		"https://a.example/x?a=1#there": "https://a.example/x?a=1&ref=M&s=0a&utm_content=tea#there",
	} {
		if got := d.Target(&Piece{Name: "tea", URL: url}, "M", "0a"); got != want {
			t.Errorf("%s leads to %s, want %s", url, got, want)
		}
	}
	d.Sharing = Sharing{}
	if got := d.Target(&Piece{Name: "tea", URL: "https://a.example/x#y"}, "M", "0a"); got != "https://a.example/x#y" {
		t.Errorf("a company that wants nothing told: %s", got)
	}
}
