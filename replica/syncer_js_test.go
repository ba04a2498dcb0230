package replica_test

import (
	"context"
	"syscall/js"
	"testing"
	"time"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/replica"
)

// page puts a WebSocket of our own in the place of the browser's: frames that the syncer sends come out of sent, and give
// hands it one.
type page struct {
	sent chan []byte
	ws   chan js.Value
}

func newPage(t *testing.T) *page {
	p := &page{sent: make(chan []byte, 16), ws: make(chan js.Value, 1)}
	send := js.FuncOf(func(_ js.Value, args []js.Value) any {
		b := make([]byte, args[0].Length())
		js.CopyBytesToGo(b, args[0])
		p.sent <- b
		return nil
	})
	closed := js.FuncOf(func(js.Value, []js.Value) any { return nil })
	made := js.FuncOf(func(js.Value, []js.Value) any {
		ws := js.Global().Get("Object").New()
		ws.Set("readyState", 1)
		ws.Set("send", send)
		ws.Set("close", closed)
		p.ws <- ws
		return ws
	})
	before := js.Global().Get("WebSocket")
	js.Global().Set("WebSocket", made)
	t.Cleanup(func() {
		js.Global().Set("WebSocket", before)
		for _, f := range []js.Func{send, closed, made} {
			f.Release()
		}
	})
	return p
}

func (p *page) give(t *testing.T, ws js.Value, f wire.Frame) {
	b := frameOf(t, f)
	data := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(data, b)
	event := js.Global().Get("Object").New()
	event.Set("data", data)
	ws.Call("onmessage", event)
}

func (p *page) next(t *testing.T) wire.Frame {
	t.Helper()
	select {
	case b := <-p.sent:
		f, err := wire.Decode(b)
		ok(t, err)
		return f
	case <-time.After(time.Minute):
		t.Fatal("the device says nothing")
		return nil
	}
}

// TestPageProvesWhatItHas: what others wrote is told to be here after Prove, and at once by a page that leaves before.
func TestPageProvesWhatItHas(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		a := open(t, replica.Config{})
		b := open(t, replica.Config{Member: a.Member(), Device: crdt.DeviceID{1}})
		o := &order{}
		_, err := a.AddContact(t.Context(), replica.Fields{crdt.FieldName: "Kenji"})
		ok(t, err)
		ok(t, o.sync(a))
		head := o.at(uint64(len(o.items)))

		p := newPage(t)
		prove := time.Millisecond
		if leaves {
			prove = time.Hour
		}
		s := b.NewSyncer(replica.SyncerConfig{URL: "ws://server/v1/sync", Token: "token", Prove: prove})
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		ws := <-p.ws
		for ws.Get("onopen").Type() != js.TypeFunction {
			time.Sleep(time.Millisecond)
		}
		ws.Call("onopen", js.Null())
		if _, hello := p.next(t).(*wire.Hello); !hello {
			t.Fatal("no hello")
		}
		p.give(t, ws, &wire.Welcome{Version: wire.Version, Now: time.Now().UnixMilli(), Head: head, Conn: "test"})
		p.give(t, ws, &wire.Changes{From: o.at(0), To: head, Held: make([]bool, len(o.items)), Items: o.items})
		if leaves {
			for deadline := time.Now().Add(time.Minute); !s.State().Level; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("not level: %+v, %+v", s.State(), status(t, b))
				}
			}
			leave()
		}
		if push, is := p.next(t).(*wire.Push); !is || push.ID != head.Seq || len(push.Items) > 0 {
			t.Errorf("leaves %v: it proves %+v, want %d", leaves, push, head.Seq)
		}
		leave()
		ok(t, <-ended)
	}
}
