package board

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking/playbook"
	"trio/server/store"
)

// cpu is what this process has used so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkBoard measures what a member who acted costs a look, and what 10,000 cost of whom nobody did.
//
//	go test -run '^$' -bench Board -benchtime 1x ./server/board
func BenchmarkBoard(b *testing.B) {
	for name, daily := range map[string]int{"member of 20 a day": 20, "member of 100 a day": 100} {
		b.Run(name, func(b *testing.B) {
			h := newHall(b)
			id := h.year(1, daily)
			rules := playbook.Default().Goals
			size, began := 0, cpu(b)
			for b.Loop() {
				s, _, err := ReadSheet(b.Context(), h.st, rules, id, h.now.UnixMilli())
				h.ok(err)
				size = len(s.Encode())
			}
			b.ReportMetric((cpu(b)-began).Seconds()*1000/float64(b.N), "cpu-ms/member")
			b.ReportMetric(float64(size), "bytes-kept")
		})
	}
	b.Run("10,000 members", func(b *testing.B) {
		h := newHall(b)
		ctx := b.Context()
		rules := playbook.Default().Goals
		s, _, err := ReadSheet(ctx, h.st, rules, h.year(1, 20), h.now.UnixMilli())
		h.ok(err)
		data := s.Encode()
		const members = 10_000
		var many sync.WaitGroup
		ids := make([]crdt.MemberID, members)
		for w := range 100 {
			many.Go(func() {
				for i := w; i < members; i += 100 {
					id, err := h.st.CreateMember(ctx, store.Member{Tenant: h.tenant, Name: "Maya Torres"})
					if err != nil {
						b.Error(err)
						return
					}
					ids[i] = id
				}
			})
		}
		many.Wait()
		for from := 0; from < members; from += 500 {
			var folds []store.Fold
			for _, id := range ids[from : from+500] {
				folds = append(folds, store.Fold{Member: id, Form: form(rules), Data: data})
			}
			h.ok(h.st.SaveFolds(ctx, folds))
		}
		boards := &Boards{Store: h.st, Now: func() time.Time { return h.now }}
		took := func(what string, f func()) {
			began := cpu(b)
			f()
			b.ReportMetric((cpu(b)-began).Seconds()*1000, "cpu-ms-"+what)
		}
		for b.Loop() {
			boards.companies = nil
			took("first-look", func() { _, err := boards.Fold(ctx, h.tenant); h.ok(err) })
			took("next-look", func() { _, err := boards.Fold(ctx, h.tenant); h.ok(err) })
			took("first-view", func() { _, err := boards.View(ctx, h.tenant, ids[7]); h.ok(err) })
			took("next-view", func() { _, err := boards.View(ctx, h.tenant, ids[8]); h.ok(err) })
		}
	})
}
