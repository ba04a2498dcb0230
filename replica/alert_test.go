package replica_test

import (
	"strings"
	"testing"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
)

// office is a member with two devices and a system of the company's that writes what contacts do.
type office struct {
	*testing.T
	*clock
	order                 *order
	phone, laptop, system *replica.Replica
}

func newOffice(t *testing.T, at time.Time) *office {
	c := &clock{at}
	o := &office{T: t, clock: c, order: &order{clock: c}}
	for i, r := range []**replica.Replica{&o.phone, &o.laptop, &o.system} {
		*r = open(t, replica.Config{Member: crdt.MemberID{9}, Device: crdt.DeviceID{byte(i + 1)}, Now: c.now})
	}
	return o
}

func (o *office) contact(name string) crdt.ContactID {
	o.Helper()
	id, err := o.phone.AddContact(o.Context(), replica.Fields{
		crdt.FieldName: name, crdt.FieldPhone + "+15550100001": "mobile", crdt.FieldSource: "import",
	})
	ok(o, err)
	o.meet(o.phone, o.system)
	return id
}

// arrives has the system write an entry, which comes to both devices.
func (o *office) arrives(e crdt.Entry) {
	o.Helper()
	_, err := o.system.Log(o.Context(), e)
	ok(o, err)
	o.meet(o.system, o.phone, o.laptop)
}

func (o *office) meet(rs ...*replica.Replica) {
	o.Helper()
	for _, r := range rs {
		ok(o, o.order.sync(r))
	}
}

// alerts checks what is due on a device: the notices in order, each with a part of its words.
func (o *office) alerts(why string, r *replica.Replica, want ...string) []replica.Alert {
	o.Helper()
	got, err := r.Alerts(o.Context(), "en")
	ok(o, err)
	if len(got) != len(want) {
		o.Fatalf("%s: alerts %+v, want %q", why, got, want)
	}
	for i, w := range want {
		if s := got[i].Notice + ": " + got[i].Step; !strings.Contains(s, w) {
			o.Errorf("%s: alert %q, want %q", why, s, w)
		}
	}
	return got
}

// TestNoticeIsGivenOnceOnAllDevices follows a form from the company's page to the promoter, who has two devices.
func TestNoticeIsGivenOnceOnAllDevices(t *testing.T) {
	ctx := t.Context()
	o := newOffice(t, noon)
	priya, tom := o.contact("Priya Raman"), o.contact("Tom Reed")
	o.meet(o.laptop)
	o.alerts("nothing happened", o.phone)
	told, stop := o.phone.Watch()
	defer stop()
	form := crdt.Entry{Kind: crdt.FormSubmitted, Contact: priya, Evidence: crdt.E3}
	o.arrives(form)
	select {
	case <-told:
	default:
		t.Error("Watch tells nothing")
	}
	o.arrives(crdt.Entry{Kind: crdt.SiteVisited, Contact: tom, Evidence: crdt.E3})
	o.arrives(form) // twice the same is one notice
	const priyas, toms = "Priya has just filled in your form: now is the best time to call: Call Priya to say hello", "Tom is on your website right now"
	due := o.alerts("on the phone", o.phone, priyas, toms)
	o.alerts("on the laptop", o.laptop, priyas, toms)
	if due[0].Wording == "" || !due[0].Until.Equal(noon.Add(4*time.Hour)) || due[0].Contact != priya {
		t.Errorf("alert %+v", due[0])
	}
	ok(t, o.phone.Alerted(ctx, due[0]))
	ok(t, o.phone.Alerted(ctx, due[0]))
	o.alerts("given on the phone", o.phone, toms)
	o.alerts("nobody told the laptop", o.laptop, priyas, toms)
	o.meet(o.phone, o.laptop)
	o.alerts("given on the phone, told to the laptop", o.laptop, toms)
	// Two devices that know nothing of each other give the same notice: it is one entry.
	for _, r := range []*replica.Replica{o.phone, o.laptop} {
		ok(t, r.Alerted(ctx, o.alerts("on either", r, toms)[0]))
	}
	o.meet(o.phone, o.laptop, o.phone)
	for _, c := range []crdt.ContactID{priya, tom} {
		tl, err := o.laptop.Timeline(ctx, c, 20)
		ok(t, err)
		n := 0
		for _, l := range tl {
			if l.Kind == crdt.Suggestion && l.Choice == crdt.Shown {
				n++
			}
		}
		if n != 1 {
			t.Errorf("the log says %d times that a notice was shown, want once", n)
		}
	}
	if x, y := dump(t, o.phone), dump(t, o.laptop); x != y {
		t.Errorf("the devices differ:\n%s\n%s", x, y)
	}
	// Who was told is still in the list.
	top, err := o.phone.TopThree(ctx, ranking.Prospects, "en")
	if err != nil || len(top) == 0 || top[0].Contact != priya {
		t.Errorf("the list: %+v, %v", top, err)
	}
}

// TestNoticeThatIsNone: what a promoter typed, answered or slept through is no notice.
func TestNoticeThatIsNone(t *testing.T) {
	ctx := t.Context()
	const words = "Priya has just filled in your form"
	form := crdt.Entry{Kind: crdt.FormSubmitted, Evidence: crdt.E4}
	t.Run("typed in", func(t *testing.T) {
		o := newOffice(t, noon)
		_, err := o.phone.Log(ctx, crdt.Entry{Kind: crdt.FormSubmitted, Contact: o.contact("Priya")})
		ok(t, err)
		o.alerts("typed in", o.phone)
	})
	t.Run("late, then answered", func(t *testing.T) {
		o := newOffice(t, noon)
		form := form
		form.Contact = o.contact("Priya")
		o.arrives(form)
		o.t = noon.Add(239 * time.Minute)
		o.alerts("at the last minute", o.phone, words)
		o.t = noon.Add(240 * time.Minute)
		o.alerts("too late", o.phone)
		o.t = noon.Add(20 * time.Minute)
		call, err := o.phone.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: form.Contact, Outcome: "no_answer"})
		ok(t, err)
		o.alerts("called", o.phone)
		ok(t, o.phone.TakeBack(ctx, call))
		o.alerts("the call was a slip", o.phone, words)
		ok(t, o.phone.EditContact(ctx, form.Contact, replica.Fields{crdt.FieldConsent: crdt.ConsentOut}))
		o.alerts("opted out", o.phone)
	})
	t.Run("of a merged contact", func(t *testing.T) {
		o := newOffice(t, noon)
		form := form
		form.Contact = o.contact("P.")
		root := o.contact("Priya")
		ok(t, o.phone.EditContact(ctx, form.Contact, replica.Fields{crdt.FieldMergedInto: root.String()}))
		o.arrives(form)
		if a := o.alerts("merged", o.phone, words); a[0].Contact != root {
			t.Errorf("it is of %s, want %s", a[0].Contact, root)
		}
		_, err := o.phone.Log(ctx, crdt.Entry{Kind: crdt.Text, Contact: form.Contact})
		ok(t, err)
		o.alerts("merged, and written to", o.phone)
	})
	t.Run("in quiet hours", func(t *testing.T) {
		o := newOffice(t, noon.Add(17*time.Hour)) // five in the morning
		ok(t, o.phone.SetProfile(ctx, crdt.ProfileQuiet, "21:00-08:00"))
		form := form
		form.Contact = o.contact("Priya")
		o.arrives(form)
		for _, x := range []struct {
			after time.Duration
			want  []string
		}{{0, nil}, {179 * time.Minute, nil}, {180 * time.Minute, []string{words}}} {
			o.t = noon.Add(17*time.Hour + x.after)
			o.alerts(o.t.Format(time.TimeOnly), o.phone, x.want...)
			o.alerts(o.t.Format(time.TimeOnly), o.laptop, x.want...)
		}
		ok(t, o.phone.SetProfile(ctx, crdt.ProfileQuiet, "08:00-08:01"))
		o.alerts("in a quiet minute", o.phone)
		ok(t, o.phone.SetProfile(ctx, crdt.ProfileZone, "Europe/Madrid")) // nine there
		o.alerts("elsewhere it is another hour", o.phone, words)
	})
}
