package ops

import (
	"context"
	"errors"
	"time"

	"trio/crdt"
	"trio/server/store"
)

// Why a push was not taken, in trio_pushes_failed_total.
const (
	reasonBusy  = "busy"
	reasonFull  = "full"
	reasonQuota = "quota"
	reasonOther = "other"
)

// Meter returns a store that counts what goes through it and does the rest as st does.
func Meter(st store.Store, m *Metrics) store.Store { return &metered{st, m} }

type metered struct {
	store.Store
	m *Metrics
}

func (s *metered) Append(ctx context.Context, member crdt.MemberID, items []store.Item) (store.Ack, error) {
	began := time.Now()
	ack, err := s.Store.Append(ctx, member, items)
	if err != nil {
		reason := reasonOther
		switch {
		case errors.Is(err, store.ErrBusy):
			reason = reasonBusy
		case errors.Is(err, store.ErrFull):
			reason = reasonFull
		case errors.Is(err, store.ErrQuota):
			reason = reasonQuota
		}
		s.m.pushFailed.WithLabelValues(reason).Inc()
		return ack, err
	}
	s.m.push.Observe(time.Since(began).Seconds())
	s.m.stored.Add(float64(ack.New))
	s.m.duplicates.Add(float64(ack.Dup))
	for _, r := range ack.Rejected {
		s.m.refused.WithLabelValues(r.Code.String()).Inc()
	}
	return ack, nil
}

func (s *metered) Feed(ctx context.Context, t store.Tenant, cursor string, limit int) ([]store.Activity, string, error) {
	rs, next, err := s.Store.Feed(ctx, t, cursor, limit)
	s.m.served.Add(float64(len(rs)))
	return rs, next, err
}
