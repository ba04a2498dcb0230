package ops

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"

	"golang.org/x/text/language"
)

// Pages are one page for people in several languages, by their place in Languages. Policy is what a browser may do with it, Cache
// its Cache-Control.
type Pages struct {
	Policy, Cache string
	Languages     language.Matcher
	Bodies        [][]byte
}

// Write answers with the page in the caller's language; one that cannot be read is the first.
func (p *Pages) Write(w http.ResponseWriter, r *http.Request, status int) {
	tags, _, _ := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, i, _ := p.Languages.Match(tags...)
	h := w.Header()
	h.Set("Content-Security-Policy", p.Policy)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", p.Cache)
	h.Set("Vary", "Accept-Language")
	w.WriteHeader(status)
	w.Write(p.Bodies[i]) //nolint:errcheck // the reader left
}

// OwnPolicy lets a page have its own style and script, by their hashes, and nothing else; script may be "".
func OwnPolicy(style, script string) string {
	hash := func(s string) string {
		h := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'"
	}
	policy := "default-src 'none'; style-src " + hash(style)
	if script != "" {
		policy += "; script-src " + hash(script)
	}
	return policy + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
