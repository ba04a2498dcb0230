// Package intake is what every change goes through on its way to the store, whichever door it comes in by: it refuses what
// the store would have to keep and devices could not use, and reads the log entries out of it for the feed. It keeps
// nothing and asks nobody.
package intake

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
	"trio/server/store"
)

// Item returns a change of a member as the store takes it, or the refusal that whoever brought it is to be told; all of
// these are final. carrier is the member's device that brings the change. The store checks the rest.
func Item(m crdt.MemberID, carrier crdt.DeviceID, it wire.Item) (store.Item, *wire.Error) {
	refuse := func(code wire.Code, text string) (store.Item, *wire.Error) {
		return store.Item{}, &wire.Error{Code: code, Text: text}
	}
	if !it.Doc.Valid() {
		return refuse(wire.CodeDocument, fmt.Sprintf("document %.40q is not one that a member has: update the app or the server", it.Doc))
	}
	if err := wire.Fits(it.Change); err != nil {
		return refuse(wire.CodeInvalid, err.Error())
	}
	if err := checkOverwrites(it.Change); err != nil {
		return refuse(wire.CodeInvalid, err.Error())
	}
	feed, err := Project(m, carrier, it)
	if err != nil {
		return refuse(wire.CodeSchema, err.Error())
	}
	return store.Item{Doc: it.Doc, Change: it.Change, Carrier: carrier, Feed: feed}, nil
}

// checkOverwrites refuses a change that puts a key again without overwriting what it put before. No engine writes so, and
// each such value would be one more conflict of the key for every device to carry.
func checkOverwrites(c *automerge.Change) error {
	if len(c.Ops) < 2 {
		return nil
	}
	open := make(map[string]automerge.OpID, len(c.Ops)) // what the change put last and did not overwrite
	for i := range c.Ops {
		op := &c.Ops[i]
		if !op.Obj.IsRoot() || op.IsList || op.Action == automerge.Increment || op.Action == automerge.Mark {
			continue
		}
		if id, ok := open[op.Key]; ok {
			if slices.Contains(op.Pred, id) {
				delete(open, op.Key)
			} else if op.Action != automerge.Delete {
				return fmt.Errorf("change writes %.60q twice without overwriting what it wrote first: update the app", op.Key)
			}
		}
		if op.Action != automerge.Delete {
			open[op.Key] = c.OpID(i)
		}
	}
	return nil
}

// Project reads what the feed takes from a change: the log entries that it writes. Entries are immutable, so a change
// that overwrites or deletes one is refused; so is one that is not an entry at all. The entry counts as written by the
// device of the change's actor or, when the actor is none, by the one that brings it.
func Project(m crdt.MemberID, carrier crdt.DeviceID, it wire.Item) ([]store.FeedRecord, error) {
	if !it.Doc.IsLog() {
		return nil, nil
	}
	dev, ok := crdt.ActorDevice(it.Change.Actor)
	if !ok {
		dev = carrier // the writer is a program that this device runs
	}
	var feed []store.FeedRecord
	for i := range it.Change.Ops {
		op := &it.Change.Ops[i]
		if !op.Obj.IsRoot() || op.IsList {
			continue // carried unharmed; no projection looks at it
		}
		if op.Action != automerge.Put || len(op.Pred) > 0 {
			return nil, errors.New("log entries are written once and never changed: log a new entry instead")
		}
		id, err := crdt.ParseEntryID(op.Key)
		if err != nil {
			return nil, fmt.Errorf("log entry: %w", err)
		}
		if op.Value.Kind != automerge.KindString {
			return nil, fmt.Errorf("log entry %s is not text: want the entry's canonical JSON", id)
		}
		e, err := crdt.ParseEntry(op.Value.Str)
		if err != nil && crdt.NewerEntry(op.Value.Str) {
			continue // of a newer app: kept and relayed, and no business of this server's feed
		}
		if err != nil {
			return nil, fmt.Errorf("log entry %s: %w", id, err)
		}
		if e.Doc() != it.Doc {
			return nil, fmt.Errorf("log entry %s of %s stands in %s: want %s", id, time.UnixMilli(e.At).UTC().Format(time.DateOnly), it.Doc, e.Doc())
		}
		body, err := e.ForCorporate()
		if err != nil {
			return nil, fmt.Errorf("log entry %s: %w", id, err)
		}
		feed = append(feed, store.FeedRecord{Entry: id, Member: m, Device: dev, Body: body})
	}
	return feed, nil
}
