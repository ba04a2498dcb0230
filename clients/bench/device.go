package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Access is what a device needs to sync.
type Access struct {
	Token  string
	Member crdt.MemberID
	Device crdt.DeviceID
}

// device is a light device: it speaks the protocol and keeps a receipt, but no documents beside the log it writes.
type device struct {
	Access
	ws      *websocket.Conn
	at      wire.Receipt // up to which it was sent the order
	pushes  uint64
	log     *automerge.Doc
	logName crdt.DocName
	got     int // bytes of frames received
}

// patience bounds each wait for the server.
const patience = time.Minute

// connect opens the device's connection and returns once the server has welcomed it. n spreads devices over source
// addresses, each of which has 28,000 ports.
func (d *device) connect(ctx context.Context, url string, n int) (*wire.Welcome, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+n%8))}
	dialer := websocket.Dialer{
		NetDialContext: (&net.Dialer{LocalAddr: from, Timeout: patience}).DialContext, HandshakeTimeout: patience,
		ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &buffers,
	}
	ws, res, err := dialer.DialContext(ctx, url, http.Header{"Authorization": {"Bearer " + d.Token}})
	if err != nil {
		if res != nil {
			err = fmt.Errorf("%w: server answers %s", err, res.Status)
		}
		return nil, err
	}
	ws.SetReadLimit(wire.MaxFrame)
	d.ws = ws
	err = d.send(&wire.Hello{
		Version: wire.Version, Member: d.Member, Device: d.Device, Receipt: d.at, Now: time.Now().UnixMilli(), App: "trio bench",
	})
	if err != nil {
		return nil, err
	}
	f, err := d.receive()
	w, ok := f.(*wire.Welcome)
	if err == nil && !ok {
		err = fmt.Errorf("want a welcome, got %T", f)
	}
	if err == nil && w.Reconcile {
		err = errors.New("server does not know the receipt that it gave")
	}
	if err != nil {
		ws.Close()
		return nil, err
	}
	return w, nil
}

var buffers sync.Pool

func (d *device) send(f wire.Frame) error {
	b, err := wire.Encode(f)
	if err != nil {
		return err
	}
	if err := d.ws.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return d.ws.WriteMessage(websocket.BinaryMessage, b)
}

// receive returns the next frame; an Error frame is an error.
func (d *device) receive() (wire.Frame, error) {
	if err := d.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	_, b, err := d.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	d.got += len(b)
	f, err := wire.Decode(b)
	if e, ok := f.(*wire.Error); ok {
		return nil, e
	}
	if c, ok := f.(*wire.Changes); ok {
		if c.From.Seq != d.at.Seq || c.From.Chain != d.at.Chain {
			return nil, fmt.Errorf("server sends what comes after change %d, want %d", c.From.Seq, d.at.Seq)
		}
		d.at = c.To
	}
	return f, err
}

// level receives until the device has been sent the order up to seq.
func (d *device) level(seq uint64) error {
	for d.at.Seq < seq {
		if _, err := d.receive(); err != nil {
			return err
		}
	}
	return nil
}

// push sends changes and returns once the server has them on its disk.
func (d *device) push(items []wire.Item) error {
	d.pushes++
	if err := d.send(&wire.Push{ID: d.pushes, Items: items}); err != nil {
		return err
	}
	for {
		f, err := d.receive()
		if err != nil {
			return err
		}
		a, ok := f.(*wire.Answer)
		if !ok {
			continue
		}
		if len(a.Refused) > 0 {
			return fmt.Errorf("server refuses a change: %s", a.Refused[0].Text)
		}
		return nil
	}
}

// tap logs an entry and returns the change.
func (d *device) tap(now time.Time) (wire.Item, error) {
	e := crdt.Entry{Version: crdt.EntryVersion, Kind: crdt.Share, At: now.UnixMilli()}
	if d.log == nil || d.logName != e.Doc() {
		d.log, d.logName = automerge.NewDoc(), e.Doc()
	}
	text, err := e.Encode()
	if err != nil {
		return wire.Item{}, err
	}
	t := d.log.Begin(crdt.NewActor(d.Device, 1))
	if err := t.Put(crdt.NewEntryID().String(), automerge.Value{Kind: automerge.KindString, Str: text}); err != nil {
		return wire.Item{}, err
	}
	c, err := t.Commit(now.Unix(), "")
	return wire.Item{Doc: d.logName, Change: c}, err
}

func (d *device) close() {
	if d.ws != nil {
		d.ws.Close()
		d.ws = nil
	}
}
