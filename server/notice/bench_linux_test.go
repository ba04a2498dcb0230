package notice

import (
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"trio/server/store"
)

// cpu is what this process has used of processors so far.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func told(b *testing.B, used time.Duration) {
	b.ReportMetric(used.Seconds()*1000/float64(b.N), "ms-cpu/op")
}

// BenchmarkDue prints what the notice of the day costs: reading and ranking one member, with a month and with a year of 20 acts a day,
// and a look for whom it is time where 10,000 members are subscribed and it is nobody's.
func BenchmarkDue(b *testing.B) {
	for _, acts := range []int{600, 7300} {
		b.Run(fmt.Sprintf("acts=%d", acts), func(b *testing.B) {
			w := newWorld(b, 1)
			w.book.Now = noon.AddDate(0, 0, -acts/20)
			people := w.book.Import(200)
			w.book.Entries(acts, acts/20, people)
			w.now = w.book.Now.Add(24 * time.Hour)
			for from := 0; from < len(w.book.Items); from += 1000 {
				var push []store.Item
				for _, it := range w.book.Items[from:min(from+1000, len(w.book.Items))] {
					push = append(push, store.Item{Doc: it.Doc, Change: it.Change})
				}
				ack, err := w.st.Append(b.Context(), w.member, push)
				w.ok(err)
				if len(ack.Rejected) > 0 {
					b.Fatal(ack.Rejected[0])
				}
			}
			for {
				n, err := w.st.Compact(b.Context(), w.member, 64)
				w.ok(err)
				if n == 0 {
					break
				}
			}
			s := w.service(w.st)
			began := cpu()
			for b.Loop() {
				_, err := s.look(b.Context(), w.member, w.company, w.now)
				w.ok(err)
			}
			told(b, cpu()-began)
		})
	}
	b.Run("tick=10000", func(b *testing.B) {
		w := newWorld(b, 1)
		var wg sync.WaitGroup
		next := make(chan int)
		for range 64 {
			wg.Go(func() {
				for i := range next {
					m, err := w.st.CreateMember(b.Context(), store.Member{Tenant: w.company, Name: "M"})
					w.ok(err)
					d, _, err := w.st.CreateDevice(b.Context(), m, "phone")
					w.ok(err)
					w.ok(w.st.Subscribe(b.Context(), store.Subscription{
						Device: d.ID, Endpoint: fmt.Sprintf("https://push.example.net/%d", i), Public: make([]byte, 65), Secret: make([]byte, 16),
					}))
					_, err = w.st.SetReminder(b.Context(), store.Reminder{Member: m, Next: noon.Add(lead / 2), Head: 0, Ignored: MaxIgnored}, time.Time{})
					w.ok(err)
				}
			})
		}
		for i := range 10_000 {
			next <- i
		}
		close(next)
		wg.Wait()
		s := w.service(w.st)
		began := cpu()
		for b.Loop() {
			s.daily(b.Context())
		}
		told(b, cpu()-began)
		b.StopTimer()
		s.listen(b.Context())
		if s.Members() != 10_000 {
			b.Fatal(s.Members())
		}
	})
}
