package server_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"trio/crdt"
	"trio/ranking/playbook"
	"trio/server"
	"trio/server/store"
)

// TestSharedLink follows links as friends of a member do, and as people who make codes up.
func TestSharedLink(t *testing.T) {
	ctx := t.Context()
	st, err := store.Open(ctx, store.Config{Path: filepath.Join(t.TempDir(), "trio.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck
	tenant, err := st.CreateTenant(ctx, "Field")
	if err != nil {
		t.Fatal(err)
	}
	maya, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "Maya"})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	web := httptest.NewServer(server.New(server.Config{Store: st, Log: slog.New(slog.NewTextHandler(&log, nil))}))
	defer web.Close()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	follow := func(path, lang string) (res *http.Response, body string) {
		t.Helper()
		req, _ := http.NewRequest(http.MethodGet, web.URL+path, nil)
		req.Header.Set("Accept-Language", lang)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res, string(b)
	}
	leads := func(l crdt.Link, want string) {
		t.Helper()
		res, _ := follow("/s/"+l.Code(), "en")
		if res.StatusCode != http.StatusFound || res.Header.Get("Location") != want || res.Header.Get("Cache-Control") != "no-store" || len(res.Cookies()) > 0 {
			t.Errorf("%s: %s to %q, want %q; %v", l.Code(), res.Status, res.Header.Get("Location"), want, res.Header)
		}
	}
	says := func(path, lang string, status int, want string) {
		t.Helper()
		res, body := follow(path, lang)
		if res.StatusCode != status || !strings.Contains(body, want) || res.Header.Get("Location") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s in %s: %s %q, want %d with %q", path, lang, res.Status, body, status, want)
		}
	}
	share := crdt.SourceEntryID(maya, "call:x")
	l := crdt.NewLink(maya, share, "why-it-works")

	// Before the company has published anything its devices go by the first playbook, and so do their links.
	leads(l, "https://www.example.com/articles/why-it-works?ref="+maya.String()+"&share="+strings.ReplaceAll(share.String()[:11], "-", ""))
	publish := func(edit func(*playbook.Doc)) {
		t.Helper()
		d := playbook.Default()
		heads, err := st.PlaybookHeads(ctx, []store.Tenant{tenant})
		if err != nil {
			t.Fatal(err)
		}
		d.Version = max(heads[tenant].Taken, d.Version) + 1
		edit(d)
		if _, err := st.PublishPlaybook(ctx, store.Playbook{Tenant: tenant, Version: d.Version, Hash: d.Hash(), By: "Ann", Doc: d.Encode()}, heads[tenant].Version); err != nil {
			t.Fatal(err)
		}
	}
	publish(func(d *playbook.Doc) {
		d.Sharing = playbook.Sharing{Sharer: "who", Piece: "what"}
		for i := range d.Pieces {
			if d.Pieces[i].Name == "why-it-works" {
				d.Pieces[i].URL = "https://shop.example/why?a=1#top"
			}
		}
	})
	leads(l, "https://shop.example/why?a=1&who="+maya.String()+"&what=why-it-works#top")

	// Codes that lead nowhere get a page that says so, in the reader's language.
	code := l.Code()
	says("/s/"+code[:39], "en", http.StatusNotFound, "This link is damaged")
	says("/s/"+code[:39], "es-MX,es;q=0.9", http.StatusNotFound, "Este enlace está dañado")
	says("/s/", "xx", http.StatusNotFound, "This link is damaged")
	says("/s/"+strings.Repeat("A", 5000), "en", http.StatusNotFound, "damaged")
	says("/s/%0d%0aX-Evil:%201", "en", http.StatusNotFound, "damaged")
	says("/s/https://evil.example/", "en", http.StatusNotFound, "damaged")
	says("/s/"+crdt.NewLink(crdt.MemberID{9}, share, "why-it-works").Code(), "en", http.StatusNotFound, "leads nowhere any more")
	says("/s/"+crdt.NewLink(maya, share, "https://evil.example/").Code(), "en", http.StatusNotFound, "not offered any more")
	says("/s/"+crdt.NewLink(maya, share, "lesson-first-conversation").Code(), "en", http.StatusNotFound, "not offered any more")
	publish(func(d *playbook.Doc) {
		for i := range d.Pieces {
			d.Pieces[i].Share = false
		}
	})
	says("/s/"+code, "es", http.StatusNotFound, "ya no se ofrece")
	if res, err := client.Head(web.URL + "/s/" + code); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("who looks first: %v %v", res, err)
	}
	if res, err := http.Post(web.URL+"/s/"+code, "text/plain", nil); err != nil || res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("a post: %v %v", res, err)
	}
	if strings.Contains(log.String(), code) || strings.Contains(log.String(), maya.String()) {
		t.Errorf("the log tells whose link was followed:\n%s", log.String())
	}
}
