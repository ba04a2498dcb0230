package admin_test

import (
	"errors"
	"strings"
	"testing"

	"trio/crdt"
	"trio/replica"
	"trio/server/admin"
)

// TestLeave: a phone is lost with something unsent. Its access is taken back over HTTP; when it comes again, the company sees
// that it is empty, sees what it had not sent without the names in it, takes that over, and the member's laptop has it.
func TestLeave(t *testing.T) {
	for _, connected := range []bool{false, true} {
		s := newSite(t)
		m := s.newMember("Maya")
		j, k := s.join(s.invite(m.ID).Code, "phone"), s.join(s.invite(m.ID).Code, "laptop")
		laptop, online := s.open(k)
		path := "/v1/admin/devices/" + j.Device.String()
		device := func() (d admin.Device) {
			t.Helper()
			s.ask("GET", path, s.key, nil).into(200, &d)
			return d
		}
		var phone *replica.Replica
		write := func() {
			t.Helper()
			ana, err := phone.AddContact(t.Context(), replica.Fields{crdt.FieldName: "Ana López", crdt.FieldPhone + "+34612345678": "mobile"})
			s.must(err)
			_, err = phone.Log(t.Context(), crdt.Entry{Kind: crdt.Call, Contact: ana, Evidence: crdt.E1, Note: "private words"})
			s.must(err)
		}
		unsent := 0
		if connected {
			phone = s.offline(j)
			write()
			link, stop := s.online(phone, j)
			s.eventually("the phone is level", func() bool { return link.State().Level })
			stop()
			s.online(phone, j) // and says what it holds
			s.eventually("the company sees what is on it", func() bool {
				d := device()
				return d.Receipt == 2 && d.Pending == 0 && !d.Seen.IsZero() && d.App == "trio test"
			})
			s.ask("POST", path+"/revoke", s.key, nil).into(200, nil)
		} else {
			s.ask("POST", path+"/revoke", s.key, nil).into(200, nil)
			phone, unsent = s.offline(j), 2
			write()
			s.online(phone, j)
		}
		s.eventually("the phone has left", func() bool { return device().State == "left" })
		if d := device(); d.Unsent != unsent || d.Left.IsZero() || d.Revoked.IsZero() {
			t.Errorf("%+v", d)
		}
		s.eventually("the phone is empty", func() bool {
			_, err := phone.Contacts(t.Context(), "", 0, 10)
			return errors.Is(err, replica.ErrLeft)
		})
		a := s.ask("GET", path+"/unsent", s.key, nil)
		var l list[admin.Kept]
		a.into(200, &l)
		if len(l.Items) != unsent || strings.Contains(string(a.body), "Ana") || strings.Contains(string(a.body), "346") || strings.Contains(string(a.body), "private") {
			t.Errorf("%s", a.body)
		}
		if unsent == 0 {
			continue
		}
		if l.Items[0].What != "1 contact changed: creation, name, phone number, stage" && !strings.HasPrefix(l.Items[0].What, "1 contact changed: ") || !strings.HasPrefix(l.Items[1].What, "1 log entry: call on ") {
			t.Errorf("%+v", l.Items)
		}
		var done admin.Accepted
		s.ask("POST", path+"/unsent/accept", s.key, nil).into(200, &done)
		if done.Taken != 2 || len(done.Refused) > 0 {
			t.Errorf("%+v", done)
		}
		s.eventually("the laptop has what was taken over", func() bool {
			cs, err := laptop.Contacts(t.Context(), "ana", 0, 10)
			s.must(err)
			return len(cs) == 1 && online.State().Level
		})
	}
}
