package admin_test

import (
	"context"
	"path/filepath"
	"testing"

	"trio/ranking/playbook"
	"trio/server/admin"
	"trio/server/store"
)

// claiming is a store in which a device says before each publication that it holds that version already.
type claiming struct {
	store.Store
	claims int
}

func (s *claiming) PublishPlaybook(ctx context.Context, p store.Playbook, after uint32) (store.Playbook, error) {
	if s.claims++; s.claims < 4 {
		if err := s.TakePlaybook(ctx, p.Tenant, p.Version); err != nil {
			return p, err
		}
	}
	return s.Store.PublishPlaybook(ctx, p, after)
}

// TestClaimedPlaybook: a device that always claims the next version keeps nobody from publishing.
func TestClaimedPlaybook(t *testing.T) {
	st, err := store.Open(t.Context(), store.Config{Path: filepath.Join(t.TempDir(), "s.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	company, err := st.CreateTenant(t.Context(), "A")
	if err != nil {
		t.Fatal(err)
	}
	svc, err := admin.New(admin.Config{Store: &claiming{Store: st}})
	if err != nil {
		t.Fatal(err)
	}
	doc := playbook.Default()
	p, err := svc.PublishPlaybook(t.Context(), admin.Operator(), company, doc.Encode(), admin.Publishing{})
	if err != nil || p.Playbook.Version != doc.Version+4 {
		t.Errorf("after three claims: %+v, %v, want version %d", p, err, doc.Version+4)
	}
}
