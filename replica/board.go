package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"trio/crdt/leanjson"
	"trio/replica/sql"
)

// Answers are what a device asks the server for now and then and keeps, to be shown as last known.
const (
	KeptBoards = "boards" // of the company and the teams, and who was recognised
	KeptTeam   = "team"   // how those stand whom the member sponsors
)

// MaxKept bounds an answer that is kept, in bytes.
const MaxKept = 192 << 10

// Kept is an answer of the server's as it was last known.
type Kept struct {
	At   time.Time // when the server last said so; zero: it never has
	Tag  string    // the server's name for it, to ask whether it is still so
	Body string    // JSON
}

// keptVersion is the newest form of these answers that screens of this build know.
const keptVersion = 1

// Keep keeps an answer: its body, or when that is empty that the one with the tag is still so. What is no answer, or one of a newer
// server that this build's screens do not know, is refused, and the old one stays.
func (r *Replica) Keep(ctx context.Context, what, tag, body string) error {
	switch {
	case what != KeptBoards && what != KeptTeam:
		return fmt.Errorf("%.20q is not kept: want %s or %s", what, KeptBoards, KeptTeam)
	case tag == "" || len(tag) > 100:
		return errors.New("an answer that is kept has a tag of at most 100 bytes")
	case len(body) > MaxKept:
		return fmt.Errorf("the answer has %d bytes: at most %d are kept", len(body), MaxKept)
	}
	if body != "" {
		version := int64(0)
		j := leanjson.NewReader(body)
		j.Object(func(key string) {
			if key == "v" {
				version = j.Int(32)
			} else {
				j.Raw()
			}
		})
		if err := j.End(); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		if version != keptVersion {
			return fmt.Errorf("the server's answer has version %d, this app knows %d: update the app", version, keptVersion)
		}
	}
	return r.update(ctx, func(t *tx) error {
		if body == "" {
			was := ""
			if _, err := t.one([]any{&was}, `SELECT value FROM meta WHERE key=?`, what+".tag"); err != nil {
				return err
			}
			if was != tag {
				return errors.New("the answer that is still so is not here: ask for it without a tag")
			}
			t.unseen = true
			return t.meta(what+".at", t.now+t.skew)
		}
		return errors.Join(t.meta(what+".at", t.now+t.skew), t.meta(what+".tag", tag), t.meta(what, body))
	})
}

// meta sets what is known of this device under a key.
func (t *tx) meta(key string, value any) error {
	return t.exec(`INSERT INTO meta VALUES(?,?) ON CONFLICT(key) DO UPDATE SET value=excluded.value`, key, value)
}

// Kept returns what was kept; a zero Kept when nothing was.
func (r *Replica) Kept(ctx context.Context, what string) (k Kept, err error) {
	if r.here() != nil {
		return k, nil
	}
	_, err = queryRows(ctx, r, func(rows *sql.Rows) (none struct{}, err error) {
		var key, text string
		var ms int64
		if err := rows.Scan(&key, &ms, &text); err != nil {
			return none, err
		}
		switch key {
		case what:
			k.Body = text
		case what + ".tag":
			k.Tag = text
		default:
			k.At = time.UnixMilli(ms)
		}
		return none, nil
	}, `SELECT key, iif(typeof(value)='integer',value,0), iif(typeof(value)='text',value,'') FROM meta WHERE key IN (?,?,?)`, what, what+".at", what+".tag")
	return k, err
}
