package admin

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"

	"golang.org/x/text/language"

	"trio/server/ops"
)

// JoinPagePath is where the link of an invitation leads: the code stands behind its #, so the server never sees it.
const JoinPagePath = "/join"

//go:embed join.html
var joinHTML string

// The page's own style and script stand in it; the policy names them by their hashes, and lets nothing else be loaded or
// run, nothing be sent, and nobody frame it.
//
//go:embed join.css
var joinCSS string

//go:embed join.js
var joinJS string

// words of the page in one language.
type pageWords struct {
	Lang, Title, Lead, Open, Code, Copy, Copied, How, Get, Run, Other, Once, None, NoScript string
}

var joinWords = []pageWords{
	{
		Lang: "en", Title: "You are invited to Trio",
		Lead: "Open your book on one more device. It comes there by itself, and stays level with your others.",
		Open: "Open the app here", Code: "Your code", Copy: "Copy", Copied: "Copied",
		How: "On a computer", Get: "Get the program trio from your company and open a terminal.", Run: "Run this there:",
		Other:    "On another machine, open this link there, or type the command.",
		Once:     "The code works once, and only for a while. Whoever has it can read your book: pass it on to nobody.",
		None:     "There is no code in this link. Open it just as you got it, with all that stands behind the #, or ask for a new one.",
		NoScript: "This page needs JavaScript to show your code: it is what stands behind the # of the link.",
	},
	{
		Lang: "es", Title: "Te invitan a Trio",
		Lead: "Abre tu agenda en un dispositivo más. Llega allí por sí sola y se mantiene al día con los demás.",
		Open: "Abrir la app aquí", Code: "Tu código", Copy: "Copiar", Copied: "Copiado",
		How: "En un PC o Mac", Get: "Pide a tu empresa el programa trio y abre una terminal.", Run: "Ejecuta allí:",
		Other:    "En otra máquina, abre allí este enlace o escribe la orden.",
		Once:     "El código sirve una sola vez y por poco tiempo. Quien lo tenga puede leer tu agenda: no lo pases a nadie.",
		None:     "En este enlace no hay ningún código. Ábrelo tal como lo recibiste, con todo lo que va detrás de #, o pide otro.",
		NoScript: "Esta página necesita JavaScript para mostrar tu código: es lo que va detrás de # en el enlace.",
	},
}

// joinPage returns what shows whoever opens the link of an invitation the code, and how to go on: in the app of phones,
// where there is one, or on a computer.
func joinPage(app bool) http.HandlerFunc {
	p := ops.Pages{Policy: joinPolicy, Cache: "no-cache"}
	p.Bodies, p.Languages = makeJoinPages(app)
	return func(w http.ResponseWriter, r *http.Request) { p.Write(w, r, http.StatusOK) }
}

func makeJoinPages(app bool) (pages [][]byte, m language.Matcher) {
	t := template.Must(template.New("join").Parse(joinHTML))
	var tags []language.Tag
	for _, w := range joinWords {
		var b bytes.Buffer
		err := t.Execute(&b, struct {
			pageWords
			App bool
			CSS template.CSS
			JS  template.JS
		}{w, app, template.CSS(joinCSS), template.JS(joinJS)}) //nolint:gosec // they are ours
		if err != nil {
			panic(err) // a test makes them
		}
		pages, tags = append(pages, b.Bytes()), append(tags, language.MustParse(w.Lang))
	}
	return pages, language.NewMatcher(tags)
}

// joinPolicy is what a browser may do with the page.
var joinPolicy = ops.OwnPolicy(joinCSS, joinJS)
