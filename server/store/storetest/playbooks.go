package storetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"trio/crdt/wire"
	"trio/server/store"
)

// book is a document to be published; the store does not read it.
func book(t store.Tenant, version uint32, text string) store.Playbook {
	doc := fmt.Appendf(nil, `{"version":%d,"words":%q}`, version, text)
	return store.Playbook{Tenant: t, Version: version, Hash: sha256.Sum256(doc), By: "a test", Doc: doc}
}

func (p *place) publish(b store.Playbook, after uint32) store.Playbook {
	p.t.Helper()
	done, err := p.PublishPlaybook(p.t.Context(), b, after)
	p.check(err)
	return done
}

func (p *place) playbookHead(t store.Tenant) store.PlaybookHead {
	p.t.Helper()
	heads, err := p.PlaybookHeads(p.t.Context(), []store.Tenant{t, -1})
	p.check(err)
	if _, ok := heads[-1]; ok || len(heads) != 1 {
		p.t.Fatalf("heads %v", heads)
	}
	return heads[t]
}

// playbooks are published once a version, in one order, and stay as they were.
func (h Harness) playbooks(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	a, b := p.tenant(), p.tenant()
	if head := p.playbookHead(a); head != (store.PlaybookHead{}) {
		t.Errorf("head of nothing: %+v", head)
	}
	_, err := p.PlaybookOf(ctx, a, 0)
	want(t, "the newest of none", err, store.ErrNotFound)
	if list, err := p.PlaybookHistory(ctx, a, 0, 10); err != nil || len(list) != 0 {
		t.Errorf("history of nothing: %v %v", list, err)
	}
	_, err = p.PlaybookHistory(ctx, -1, 0, 10)
	want(t, "history of no company", err, store.ErrNotFound)
	_, err = p.PublishPlaybook(ctx, book(-1, 1, "x"), 0)
	want(t, "publishing for no company", err, store.ErrNotFound)
	for what, bad := range map[string]store.Playbook{
		"without bytes": {Tenant: a, Version: 1, By: "x", Hash: sha256.Sum256(nil)},
		"another hash":  {Tenant: a, Version: 1, By: "x", Doc: []byte("{}")},
		"nobody":        {Tenant: a, Version: 1, Doc: []byte("{}"), Hash: sha256.Sum256([]byte("{}"))},
		"too large":     {Tenant: a, Version: 1, By: "x", Doc: make([]byte, wire.MaxPlaybook+1), Hash: sha256.Sum256(make([]byte, wire.MaxPlaybook+1))},
		"a leap":        book(a, store.MaxPlaybookAhead+1, "x"),
	} {
		_, err := p.PublishPlaybook(ctx, bad, 0)
		invalid(t, what, err)
	}

	first := p.publish(book(a, 2, "one"), 0) // a version may be left out
	if first.Published.IsZero() || first.Size != len(first.Doc) {
		t.Errorf("published %+v", first)
	}
	for what, x := range map[string]struct {
		b     store.Playbook
		after uint32
		want  error
	}{
		"the same again":              {book(a, 2, "one"), 0, store.ErrOvertaken},
		"others of its version":       {book(a, 2, "two"), 2, store.ErrTaken},
		"an older version":            {book(a, 1, "two"), 2, store.ErrTaken},
		"by who has not seen it":      {book(a, 3, "two"), 0, store.ErrOvertaken},
		"by who has seen a later one": {book(a, 3, "two"), 3, store.ErrOvertaken},
	} {
		_, err := p.PublishPlaybook(ctx, x.b, x.after)
		want(t, what, err, x.want)
	}
	fitted := book(a, 3, string(bytes.Repeat([]byte("a refill, "), 5000)))
	fitted.Fitted = 2
	second := p.publish(fitted, 2)
	p.publish(book(b, 1, "another company's"), 0)

	check := func(when string) {
		t.Helper()
		for v, b := range map[uint32]store.Playbook{2: first, 3: second, 0: second} {
			got, err := p.PlaybookOf(ctx, a, v)
			if err != nil || !bytes.Equal(got.Doc, b.Doc) || got.Hash != b.Hash || got.Fitted != b.Fitted || got.By != b.By ||
				!got.Published.Equal(b.Published) || got.Tenant != a || got.Size != len(b.Doc) || got.Version != b.Version {
				t.Errorf("%s version %d is %+v, %v", when, v, got, err)
			}
		}
		for _, x := range []struct {
			before uint32
			limit  int
			want   string
		}{{0, 0, "3 2 "}, {0, 1, "3 "}, {3, 5, "2 "}, {2, 5, ""}} {
			list, err := p.PlaybookHistory(ctx, a, x.before, x.limit)
			got := ""
			for _, b := range list {
				got += fmt.Sprint(b.Version, " ")
				if b.Doc != nil || b.Size == 0 || b.Hash == [32]byte{} {
					t.Errorf("%s history has %+v", when, b)
				}
			}
			if err != nil || got != x.want {
				t.Errorf("%s history before %d, at most %d: %q, want %q, %v", when, x.before, x.limit, got, x.want, err)
			}
		}
		if head := p.playbookHead(b); head.Version != 1 || head.Taken != 1 {
			t.Errorf("%s head of the other company: %+v", when, head)
		}
	}
	check("published,")
	if head := p.playbookHead(a); head.Version != 3 || head.Taken != 3 || head.Hash != second.Hash {
		t.Errorf("head %+v", head)
	}
	_, err = p.PlaybookOf(ctx, a, 1)
	want(t, "a version that was left out", err, store.ErrNotFound)
	_, err = p.PlaybookOf(ctx, b, 3)
	want(t, "another company's version", err, store.ErrNotFound)

	// Versions that devices hold are not given to others, and none spoils all numbers.
	want(t, "taking a version of no company", p.TakePlaybook(ctx, -1, 4), store.ErrNotFound)
	p.check(p.TakePlaybook(ctx, a, 2))
	p.check(p.TakePlaybook(ctx, a, 9))
	p.check(p.TakePlaybook(ctx, a, 7))
	if head := p.playbookHead(a); head.Version != 3 || head.Taken != 9 {
		t.Errorf("head %+v, want 9 to be taken", head)
	}
	_, err = p.PublishPlaybook(ctx, book(a, 4, "x"), 3)
	want(t, "a version that devices hold", err, store.ErrTaken)
	p.check(p.TakePlaybook(ctx, a, 1<<32-1))
	if head := p.playbookHead(a); head.Taken != 9+store.MaxPlaybookAhead {
		t.Errorf("head %+v after a device told of the last version there can be", head)
	}
	p.reopen()
	check("opened again,")
	if head := p.playbookHead(a); head.Taken != 9+store.MaxPlaybookAhead || head.Version != 3 {
		t.Errorf("opened again: %+v", head)
	}
	for range 100 {
		p.check(p.TakePlaybook(ctx, b, 1<<32-1))
	}
	if head := p.playbookHead(b); head.Taken != 1+64*store.MaxPlaybookAhead {
		t.Errorf("head %+v after a device told of it again and again", head)
	}
	p.publish(book(a, 10+store.MaxPlaybookAhead, "x"), 3)

	// After a backup was put back, versions are left out that may be out there.
	p.check(p.NewEpoch(ctx))
	if head := p.playbookHead(b); head.Version != 1 || head.Taken != 1+65*store.MaxPlaybookAhead {
		t.Errorf("head of a restored store: %+v", head)
	}
}

// publishers publish at the same time, by all nodes: of each version there is one, and everybody hears of it.
func (h Harness) publishers(t *testing.T) {
	p := h.place(t)
	ctx := t.Context()
	nodes := p.nodes()
	defer func() {
		for _, n := range nodes[1:] {
			p.check(n.Close())
		}
	}()
	company := p.tenant()
	told := make(chan struct{}, 1)
	var mu sync.Mutex
	heard := make([]bool, len(nodes))
	for i, n := range nodes {
		p.check(n.Watch(ctx, func(x store.Hint) {
			mu.Lock()
			heard[i] = heard[i] || x.All || x.Playbook == company
			mu.Unlock()
			select {
			case told <- struct{}{}:
			default:
			}
		}))
	}
	const publishers, rounds = 4, 8
	won := map[uint32]string{}
	var wg sync.WaitGroup
	for i := range publishers {
		n := nodes[i%len(nodes)]
		wg.Go(func() {
			for round := 0; round < rounds; {
				heads, err := n.PlaybookHeads(ctx, []store.Tenant{company})
				if err != nil {
					t.Error(err)
					return
				}
				at := heads[company]
				text := fmt.Sprintf("%d of publisher %d", round, i)
				_, err = n.PublishPlaybook(ctx, book(company, at.Version+1, text), at.Version)
				switch {
				case err == nil:
					mu.Lock()
					if by, twice := won[at.Version+1]; twice {
						t.Errorf("version %d was published as %q and %q", at.Version+1, by, text)
					}
					won[at.Version+1] = text
					mu.Unlock()
					round++
				case !errors.Is(err, store.ErrOvertaken) && !errors.Is(err, store.ErrBusy):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for v := uint32(1); v <= publishers*rounds; v++ {
		got, err := nodes[int(v)%len(nodes)].PlaybookOf(ctx, company, v)
		if err != nil || !bytes.Equal(got.Doc, book(company, v, won[v]).Doc) {
			t.Errorf("version %d is %s, %v, want %q", v, got.Doc, err, won[v])
		}
	}
	late := time.After(hintWithin)
	for all := false; !all; {
		mu.Lock()
		all = true
		for _, ok := range heard {
			all = all && ok
		}
		mu.Unlock()
		select {
		case <-told:
		case <-late:
			t.Fatalf("who was told within %v: %v", hintWithin, heard)
		case <-time.After(time.Millisecond):
		}
	}
}
