package learn

import (
	"context"
	"errors"
	"fmt"

	"trio/ranking/playbook"
	"trio/server/store"
)

// Playbooks is what a shelf in the store needs of it.
type Playbooks interface {
	PlaybookHeads(ctx context.Context, ts []store.Tenant) (map[store.Tenant]store.PlaybookHead, error)
	PlaybookOf(ctx context.Context, t store.Tenant, version uint32) (store.Playbook, error)
	PlaybookHistory(ctx context.Context, t store.Tenant, before uint32, limit int) ([]store.Playbook, error)
	PublishPlaybook(ctx context.Context, p store.Playbook, after uint32) (store.Playbook, error)
}

// InStore returns the shelf on which the store has companies' playbooks. by is who publishes what was fitted, for people:
// ByNight or ByCommand.
func InStore(st Playbooks, by string) Shelf { return inStore{st, by} }

type inStore struct {
	st Playbooks
	by string
}

// Who publishes what was fitted.
const (
	ByNight   = "nightly fit"
	ByCommand = "fit by command"
)

func (s inStore) Standing(ctx context.Context, t store.Tenant) (st Standing, err error) {
	heads, err := s.st.PlaybookHeads(ctx, []store.Tenant{t})
	if err != nil {
		return st, err
	}
	head := heads[t]
	if head.Version == 0 {
		return st, ErrNone
	}
	read := func(version uint32) (*playbook.Doc, store.Playbook, error) {
		p, err := s.st.PlaybookOf(ctx, t, version)
		if err != nil {
			return nil, p, err
		}
		d, err := playbook.Parse(p.Doc)
		if err != nil {
			return nil, p, fmt.Errorf("version %d, which is published, cannot be read by this build: %w", version, err)
		}
		return d, p, nil
	}
	newest, p, err := read(head.Version)
	if err != nil {
		return st, err
	}
	st = Standing{Newest: newest, Written: newest, Next: head.Taken + 1}
	if newest.Fitted == 0 {
		return st, nil
	}
	if p.By == ByNight || p.By == ByCommand {
		st.Fitted = p.Published
	}
	// What people wrote last is what the newest was fitted to, or came in between.
	version, err := store.NewestWritten(ctx, s.st, t, head.Version)
	if errors.Is(err, store.ErrNotFound) {
		return st, errors.New("no version is one that people wrote: publish one")
	}
	if err != nil {
		return st, err
	}
	st.Written, _, err = read(version)
	return st, err
}

func (s inStore) Publish(ctx context.Context, t store.Tenant, st *Standing, doc *playbook.Doc) error {
	for {
		_, err := s.st.PublishPlaybook(ctx, store.Playbook{
			Tenant: t, Version: doc.Version, Hash: doc.Hash(), Fitted: doc.Fitted, By: s.by, Doc: doc.Encode(),
		}, st.Newest.Version)
		switch {
		case errors.Is(err, store.ErrOvertaken):
			return ErrOvertaken
		case !errors.Is(err, store.ErrTaken):
			return err
		}
		// Devices hold the number, or say so: another number is as good, and they do not keep the night from publishing.
		heads, err := s.st.PlaybookHeads(ctx, []store.Tenant{t})
		if err != nil {
			return err
		}
		if doc.Version = heads[t].Taken + 1; doc.Version == 0 {
			return errors.New("all versions of the company's playbook are used up")
		}
	}
}
