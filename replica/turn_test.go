package replica_test

import (
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/replica"
)

// TestWhoSeesAReceiptIsShownWhatItCovers holds up a device between the commit of a change that arrives and its facts in memory,
// as a busy machine does. Who waits there for the receipt of the other device, to compare the two, must not be told of
// it yet.
func TestWhoSeesAReceiptIsShownWhatItCovers(t *testing.T) {
	ctx := t.Context()
	c := &clock{noon}
	o := &order{clock: c}
	a := open(t, replica.Config{Now: c.now})
	b := open(t, replica.Config{Member: a.Member(), Device: crdt.DeviceID{1}, Now: c.now})
	_, err := a.AddContact(ctx, replica.Fields{crdt.FieldName: "Kenji", crdt.FieldPhone + "+15550100001": "mobile"})
	ok(t, err)
	ok(t, o.sync(a))
	want := steps(t, a)
	if want == "" {
		t.Fatal("nothing is suggested")
	}

	s := b.NewSession("test")
	_, err = s.Hello(ctx)
	ok(t, err)
	head := o.at(uint64(len(o.items)))
	_, err = s.Receive(ctx, frameOf(t, &wire.Welcome{Version: wire.Version, Now: c.t.UnixMilli(), Head: head}))
	ok(t, err)
	frame := frameOf(t, &wire.Changes{From: o.at(0), To: head, Held: make([]bool, len(o.items)), Items: o.items})

	release := replica.HoldFacts(b)
	arrived := make(chan error, 1)
	go func() {
		_, err := s.Receive(ctx, frame)
		arrived <- err
	}()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		got, err := b.Contacts(ctx, "kenji", 0, 1)
		ok(t, err)
		if len(got) == 1 {
			break // it is committed
		}
		if time.Now().After(deadline) {
			release()
			t.Fatal("the change does not arrive")
		}
	}
	seen := make(chan replica.Status, 1)
	go func() {
		st, _ := b.Status(ctx)
		seen <- st
	}()
	select {
	case st := <-seen:
		if st.Receipt == head || st.Changes > 0 {
			t.Errorf("the status says %d changes up to %d, and the lists do not have them", st.Changes, st.Receipt.Seq)
		}
		seen <- st
	case <-time.After(100 * time.Millisecond): // it waits for them
	}
	if level, err := s.Level(ctx); err != nil || level {
		t.Errorf("level before the lists are: %v, %v", level, err)
	}
	release()
	ok(t, <-arrived)
	<-seen
	if st := status(t, b); st.Receipt != head {
		t.Errorf("receipt %+v, want %+v", st.Receipt, head)
	}
	if got := steps(t, b); got != want {
		t.Errorf("the device that was held up suggests\n%s\nthe other\n%s", got, want)
	}
}
