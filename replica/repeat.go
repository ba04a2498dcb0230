package replica

import (
	"context"
	"maps"
	"strings"

	"trio/crdt"
	"trio/ranking"
)

// A screen whose device was replaced under it (the leading tab was closed) does not know whether its last command was
// done, and gives it again. Under the same key that is no second write: what the command makes has its id of the key, and
// of one that makes nothing the key is kept.

// maxCommands bounds the keys that are kept. What a screen gives again is what it gave last, so that the newest tell; one
// that comes after so many others is taken for a new one.
const maxCommands = 1000

type commandKeyType struct{}

// Once returns a context with which a command of one transaction (EditContact, TakeBack, Commit, SetRest, MoveHome,
// SetProfile) is done once under a key: given again it does nothing and gives no error, whatever was written since. One that
// failed was not done.
func Once(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, commandKeyType{}, key)
}

func commandKey(ctx context.Context) string {
	key, _ := ctx.Value(commandKeyType{}).(string)
	return key
}

// doneUnder says whether a command was done under a key; if not, this transaction does it, and keeps the key.
func (t *tx) doneUnder(key string) (bool, error) {
	if key == "" {
		return false, nil
	}
	var n int
	if _, err := t.one([]any{&n}, `SELECT count(*) FROM commands WHERE key=?`, key); err != nil || n > 0 {
		return n > 0, err
	}
	if err := t.exec(`INSERT INTO commands(key) VALUES(?)`, key); err != nil {
		return false, err
	}
	return false, t.exec(`DELETE FROM commands WHERE id <= (SELECT max(id) FROM commands) - ?`, maxCommands)
}

// AddContactOnce is AddContact for a command that may be given again under the same key.
func (r *Replica) AddContactOnce(ctx context.Context, key string, f Fields) (crdt.ContactID, error) {
	id := crdt.SourceContactID(r.member, "call:"+key)
	if err := f.named(); err != nil {
		return id, err
	}
	return id, r.update(ctx, func(t *tx) error {
		has, err := t.fieldsOf(id)
		if err != nil || len(has) > 0 {
			return err
		}
		return t.addContact(id, f)
	})
}

// Capture keeps what was typed of a person so far: f is all of it, under the same key each time. Numbers, addresses and tags
// that f no longer has (half a number, a tag that was typed wrongly) go again.
func (r *Replica) Capture(ctx context.Context, key string, f Fields) (crdt.ContactID, error) {
	id := crdt.SourceContactID(r.member, "call:"+key)
	if err := f.named(); err != nil {
		return id, err
	}
	return id, r.update(ctx, func(t *tx) error {
		has, err := t.fieldsOf(id)
		if err != nil {
			return err
		}
		if len(has) == 0 {
			return t.addContact(id, f)
		}
		if err := t.needContact(id, false); err != nil {
			return err
		}
		all := maps.Clone(f)
		for field := range has {
			if _, ok := f[field]; ok || strings.HasSuffix(field, "/") {
				continue
			}
			if strings.HasPrefix(field, crdt.FieldPhone) || strings.HasPrefix(field, crdt.FieldEmail) {
				all[field] = "-"
			} else if strings.HasPrefix(field, crdt.FieldTag) {
				all[field] = ""
			}
		}
		return t.putContact(id, all)
	})
}

// LogOnce is Log for a command that may be given again under the same key.
func (r *Replica) LogOnce(ctx context.Context, key string, e crdt.Entry) (crdt.EntryID, error) {
	return r.once(ctx, key, func(t *tx, id crdt.EntryID) error { return t.log(id, e) })
}

// ActOnce is Act for a command that may be given again under the same key.
func (r *Replica) ActOnce(ctx context.Context, key string, s Suggestion, outcome ranking.Outcome) (crdt.EntryID, error) {
	return r.once(ctx, key, func(t *tx, id crdt.EntryID) error { return t.act(id, s, outcome, crdt.E1) })
}

// PromiseOnce is Promise for a command that may be given again under its key.
func (r *Replica) PromiseOnce(ctx context.Context, key string, contact crdt.ContactID, due ranking.Day) (crdt.EntryID, error) {
	return r.once(ctx, key, func(t *tx, id crdt.EntryID) error { return t.promise(id, contact, due) })
}

// ResultOnce is Result for a command that may be given again under its key.
func (r *Replica) ResultOnce(ctx context.Context, key string, touch crdt.EntryID, outcome ranking.Outcome) (crdt.EntryID, error) {
	return r.once(ctx, key, func(t *tx, id crdt.EntryID) error { return t.result(id, touch, outcome) })
}

// once writes an entry that has its id of a key, unless it is there.
func (r *Replica) once(ctx context.Context, key string, write func(*tx, crdt.EntryID) error) (crdt.EntryID, error) {
	id := r.EntryUnder(key)
	return id, r.update(ctx, func(t *tx) error {
		done, err := t.logged(id)
		if err != nil || done {
			return err
		}
		return write(t, id)
	})
}

// DeclineOnce is Decline for a command that may be given again under the same key.
func (r *Replica) DeclineOnce(ctx context.Context, key string, s Suggestion, c crdt.Choice) error {
	if err := declines(c); err != nil {
		return err
	}
	_, err := r.LogOnce(ctx, key, s.choice(c))
	return err
}

func (t *tx) logged(id crdt.EntryID) (bool, error) {
	var n int
	_, err := t.one([]any{&n}, `SELECT count(*) FROM entries WHERE id=?`, id[:])
	return n > 0, err
}

// EntryUnder returns the id of the entry that LogOnce writes under a key: the link of a share names it before it is logged.
func (r *Replica) EntryUnder(key string) crdt.EntryID {
	return crdt.SourceEntryID(r.member, "call:"+key)
}
