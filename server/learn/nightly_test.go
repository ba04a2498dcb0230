package learn

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"trio/ranking/playbook"
	"trio/server/store"
)

// halls are companies without playbooks, of which one cannot be read and one fails by a panic.
type halls struct{ Store }

func (halls) Tenants(context.Context) ([]store.Company, error) {
	return []store.Company{{ID: 1, Name: "Secret name"}, {ID: 2}, {ID: 4}, {ID: 3}}, nil
}

func (halls) Standing(_ context.Context, t store.Tenant) (Standing, error) {
	switch t {
	case 2:
		return Standing{}, errors.New("disk is gone")
	case 4:
		panic("a bug")
	}
	return Standing{}, ErrNone
}

func (halls) Publish(context.Context, store.Tenant, *Standing, *playbook.Doc) error { return nil }

func TestNightsAreOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		var told, ends []string
		var log strings.Builder
		n := Nightly{
			Learner: Learner{Store: halls{}, Shelf: halls{}}, At: 3*time.Hour + 30*time.Minute, Zone: zone,
			Log: slog.New(slog.NewTextHandler(&log, nil)), Told: func(r *Report) { told = append(told, string(r.Outcome)) },
			Ended: func(time.Duration) { ends = append(ends, time.Now().In(zone).Format(time.DateTime)) },
		}
		done := make(chan struct{})
		go func() { defer close(done); n.Run(ctx) }()
		time.Sleep(72 * time.Hour)
		cancel()
		<-done
		if len(ends) != 3 || len(told) != 12 || told[0] != "no-playbook" || told[1] != "failed" || told[2] != "failed" || told[3] != "no-playbook" {
			t.Errorf("%v %v", ends, told)
		}
		for i, at := range ends {
			if at < "2000-01-0"+string(rune('1'+i))+" 03:30:00" || at > "2000-01-0"+string(rune('1'+i))+" 03:35:00" {
				t.Errorf("night %d ended at %s", i, at)
			}
		}
		if s := log.String(); !strings.Contains(s, "outcome=failed") || !strings.Contains(s, "disk is gone") || !strings.Contains(s, "a bug") || !strings.Contains(s, "halls.Standing") || strings.Contains(s, "Secret") {
			t.Error(s)
		}
	})
}

func TestTheNextNight(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Madrid")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range [][3]string{
		{"2026-11-22 03:29:59", "03:30", "2026-11-22 03:30:00"},
		{"2026-11-22 03:30:00", "03:30", "2026-11-23 03:30:00"},
		{"2026-12-31 23:00:00", "03:30", "2027-01-01 03:30:00"},
		{"2026-03-28 12:00:00", "02:30", "2026-03-29 03:30:00"}, // when there is no half past two
		{"2026-10-24 12:00:00", "02:30", "2026-10-25 02:30:00"}, // when there are two
	} {
		now, err := time.ParseInLocation(time.DateTime, x[0], zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("15:04", x[1])
		if err != nil {
			t.Fatal(err)
		}
		got := next(now, time.Duration(at.Hour())*time.Hour+time.Duration(at.Minute())*time.Minute)
		if got.Format(time.DateTime) != x[2] {
			t.Errorf("after %s the next %s is %s, want %s", x[0], x[1], got, x[2])
		}
	}
}
