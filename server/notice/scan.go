package notice

import (
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/store"
)

// maxNews is how old something may be that systems brought and that is still looked at: no playbook has a notice of older things
// that matters. A long one is found by the look that a newer one brings about.
const maxNews = 48 * time.Hour

// scan says whether a piece of a member's order changes the profile, and whether it has an entry that a system brought and that is
// of since or later. What cannot be read is passed over: whoever looks closely will say so.
func scan(page *store.Page, since time.Time) (profile, brought bool) {
	take := func(doc crdt.DocName, c *automerge.Change) {
		if doc == crdt.ProfileDoc {
			profile = true
			return
		}
		if !doc.IsLog() || brought {
			return
		}
		for i := range c.Ops {
			op := &c.Ops[i]
			if op.Action != automerge.Put || op.Value.Kind != automerge.KindString || !op.Obj.IsRoot() || op.IsList {
				continue
			}
			e, err := crdt.ParseEntry(op.Value.Str)
			if err == nil && e.Evidence >= crdt.E3 && e.Contact != (crdt.ContactID{}) && !e.Time().Before(since) {
				brought = true
				return
			}
		}
	}
	if page.Segment != nil {
		items, err := page.Segment.Open()
		if err != nil {
			return false, false
		}
		for i := range items {
			take(items[i].Doc, items[i].Change)
		}
	}
	for _, x := range page.Changes {
		if x.Doc != crdt.ProfileDoc && (!x.Doc.IsLog() || brought) {
			continue
		}
		if c, err := automerge.ParseChange(x.Raw); err == nil {
			take(x.Doc, c)
		}
	}
	return profile, brought
}
