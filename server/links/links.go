package links

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/hex"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"sync"

	"github.com/gorilla/mux"
	"golang.org/x/text/language"

	"trio/crdt"
	"trio/ranking/playbook"
	"trio/server/ops"
	"trio/server/store"
)

// Path is where links lead, with the code as "code". Whatever stands behind /s/ is answered with a page for people.
const Path = "/s/{code:(?s:.*)}"

// Route is how the guard knows it: anybody may come, at the rate of strangers.
var Route = ops.Route{Name: "share-link"}

// Store is what the room needs of one.
type Store interface {
	MemberByID(ctx context.Context, m crdt.MemberID) (store.Member, error)
	PlaybookHeads(ctx context.Context, ts []store.Tenant) (map[store.Tenant]store.PlaybookHead, error)
	PlaybookOf(ctx context.Context, t store.Tenant, version uint32) (store.Playbook, error)
}

// maxShelf bounds the companies whose playbook is kept as it was read, some 100 KB each.
const maxShelf = 64

// Handler follows links. log hears of what only an operator can mend.
func Handler(st Store, log *slog.Logger) http.Handler {
	return &handler{store: st, log: log, shelf: map[store.Tenant]*read{}}
}

type handler struct {
	store Store
	log   *slog.Logger

	mu    sync.Mutex // one playbook is read at a time; guards what follows
	shelf map[store.Tenant]*read
}

// read is a playbook as it was read; nil where this build cannot.
type read struct {
	version uint32
	doc     *playbook.Doc
	pieces  map[crdt.PieceTag]*playbook.Piece // that may be shared
}

// builtIn is the playbook of companies that have published none, as devices go by it.
var builtIn = sync.OnceValue(func() *read { return shelved(0, playbook.Default()) })

func shelved(version uint32, d *playbook.Doc) *read {
	r := &read{version, d, map[crdt.PieceTag]*playbook.Piece{}}
	for i := range d.Pieces {
		tag := crdt.TagOf(d.Pieces[i].Name)
		if _, taken := r.pieces[tag]; d.Pieces[i].Share && !taken { // as devices take the first of two alike
			r.pieces[tag] = &d.Pieces[i]
		}
	}
	return r
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l, err := crdt.ReadLink(mux.Vars(r)["code"])
	if err != nil {
		answer(w, r, http.StatusNotFound, damaged)
		return
	}
	member, err := h.store.MemberByID(r.Context(), l.Member)
	if errors.Is(err, store.ErrNotFound) {
		answer(w, r, http.StatusNotFound, unknown)
		return
	}
	var book *read
	if err == nil {
		book, err = h.playbook(r.Context(), member.Tenant)
	}
	if err != nil {
		h.log.Error("a shared link could not be followed", "request", ops.RequestID(r.Context()), "err", err)
		answer(w, r, http.StatusServiceUnavailable, later)
		return
	}
	p := book.pieces[l.Piece]
	if p == nil {
		answer(w, r, http.StatusNotFound, gone)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store") // the playbook may lead elsewhere tomorrow
	header.Set("X-Robots-Tag", "noindex")
	header.Set("Location", book.doc.Target(p, l.Member.String(), hex.EncodeToString(l.Share[:])))
	w.WriteHeader(http.StatusFound)
}

// playbook returns the newest one of a company. Each version is read once.
func (h *handler) playbook(ctx context.Context, t store.Tenant) (*read, error) {
	heads, err := h.store.PlaybookHeads(ctx, []store.Tenant{t})
	if err != nil {
		return nil, err
	}
	version := heads[t].Version
	if version == 0 {
		return builtIn(), nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if b := h.shelf[t]; b != nil && b.version >= version {
		return b, nil
	}
	stored, err := h.store.PlaybookOf(ctx, t, version)
	if err != nil {
		return nil, err
	}
	d, err := playbook.Parse(stored.Doc)
	if err != nil {
		return nil, err
	}
	if len(h.shelf) >= maxShelf {
		for other := range h.shelf { // any one
			delete(h.shelf, other)
			break
		}
	}
	b := shelved(version, d)
	h.shelf[t] = b
	return b, nil
}

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// what a page says.
const (
	damaged = iota // the code is none
	unknown        // nobody's
	gone           // of a piece that may not be shared any more
	later          // we are to blame
)

var spoken = []struct {
	lang  string
	words [4][2]string
}{
	{"en", [4][2]string{
		damaged: {"This link is damaged", "Something of it is missing or was changed on the way. Ask whoever sent it to you to share it once more."},
		unknown: {"This link leads nowhere any more", "Whoever shared it is not here any more. Nothing of yours was noted."},
		gone:    {"This is not offered any more", "What was shared with you has been taken back by the company. Whoever sent you the link may have something newer."},
		later:   {"This does not work at the moment", "The link is good. Please open it again in a few minutes."},
	}},
	{"es", [4][2]string{
		damaged: {"Este enlace está dañado", "Le falta algo o se cambió por el camino. Pide a quien te lo envió que lo comparta otra vez."},
		unknown: {"Este enlace ya no lleva a ninguna parte", "Quien lo compartió ya no está aquí. No se ha anotado nada tuyo."},
		gone:    {"Esto ya no se ofrece", "La empresa ha retirado lo que se compartió contigo. Quizá quien te envió el enlace tenga algo más nuevo."},
		later:   {"Ahora mismo no funciona", "El enlace es bueno. Ábrelo otra vez dentro de unos minutos."},
	}},
}

// pages are what answer writes, by what they say.
var pages = makePages()

func makePages() (all [4]ops.Pages) {
	t := template.Must(template.New("page").Parse(pageHTML))
	var tags []language.Tag
	for _, s := range spoken {
		for i, w := range s.words {
			var b bytes.Buffer
			err := t.Execute(&b, struct {
				Lang, Title, Lead string
				CSS               template.CSS
			}{s.lang, w[0], w[1], template.CSS(pageCSS)}) //nolint:gosec // it is ours
			if err != nil {
				panic(err) // a test makes them
			}
			all[i].Bodies = append(all[i].Bodies, b.Bytes())
		}
		tags = append(tags, language.MustParse(s.lang))
	}
	for i := range all {
		all[i].Policy, all[i].Cache, all[i].Languages = ops.OwnPolicy(pageCSS, ""), "no-store", language.NewMatcher(tags)
	}
	return all
}

func answer(w http.ResponseWriter, r *http.Request, status, what int) {
	pages[what].Write(w, r, status)
}
