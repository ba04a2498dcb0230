package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/hub"
	"trio/server/live"
	"trio/server/ops"
	"trio/server/store"
)

// Paths that the door is served at.
const (
	Path          = "/v1/repo"
	DocumentsPath = "/v1/documents"
)

// Config of a Door. Zero fields have the defaults stated behind them.
type Config struct {
	Store   store.Store
	Log     *slog.Logger  // slog.Default()
	Origins []string      // none: origins ("https://app.example.com") besides our own whose pages may use a cookie
	Ping    time.Duration // 45 s between pings, give or take a third; a client that is silent for twice as long is closed
	Join    time.Duration // 20 s for a client to say who it is; one that does not is closed
	Write   time.Duration // 20 s for a client to take one message; a slower one is closed and comes back
	Member  int           // 32 connections at most for one member; the oldest give way, and are cut off when twice as many are open
	Poll    time.Duration // 30 s, or up to twice that, between questions whether hints of the store were lost

	Message int             // 64 MiB at most for one message
	Refused func(wire.Code) // nobody: told the code of each refusal of a client
	// NoSocket answers a request that opens no WebSocket, with the status for it and why. Zero: the status is all that is said.
	NoSocket func(w http.ResponseWriter, r *http.Request, status int, why error)
	// Pace is asked for a turn for changes that a client has brought, wire.MaxChanges at most, and says how long nothing more
	// is to be read from it; not ok, the turn is to be asked for again then. Zero: it is always its turn.
	Pace func(dev store.Device, changes int) (wait time.Duration, ok bool)

	// Work and WorkBurst bound what the connections of one device may cost (see Session.Worked) in a second in the long run
	// and at once: 4 Mi and 256 Mi. A device that has used them up is read from more slowly.
	Work, WorkBurst int
}

// Limits of ephemeral messages of one connection. What is larger, or comes more often, is dropped.
const (
	ephemeralRate  = 30 // a second
	ephemeralBurst = 100
)

const (
	// largeMessage is what a message may have without waiting for its turn, in bytes. Of a member one larger message comes in
	// at a time, within largeTime and without a pause of largePause before the next largeStep bytes; all larger messages that
	// come in or wait have largeRoom bytes together, and largeMessages of them are worked in at a time.
	largeMessage  = 1 << 20
	largeMessages = 4
	largeRoom     = 256 << 20
	largeStep     = 256 << 10
	largePause    = 10 * time.Second
	largeTime     = 2 * time.Minute
	// maxPause is how long a device is not read from at a time; shorter than it may be silent.
	maxPause = 30 * time.Second
	// headsPage is how many members one question for heads is about.
	headsPage = 500
	// keptBuckets is how many devices are remembered with what they have used up, before those that have it all again are
	// forgotten.
	keptBuckets = 4096
)

// Door is the set of live connections.
type Door struct {
	cfg      Config
	peer     string
	upgrader websocket.Upgrader
	large    chan struct{}   // holds an element for each large message that is worked in
	room     atomic.Int64    // what large messages that are here take, in bytes
	ctx      context.Context // of all work for connections; ends when Shutdown stops waiting
	cancel   context.CancelFunc

	mu      sync.Mutex
	members map[crdt.MemberID]*member
	work    map[crdt.DeviceID]*rate.Limiter
	closing bool
	ending  chan struct{} // closed by Shutdown
	wg      sync.WaitGroup
}

// member is what the connections of one member share.
type member struct {
	book  *Book
	large chan struct{} // holds an element while a large message of the member comes in
	conns []*conn       // in the order of arrival
}

// New returns a door that nobody has come by.
func New(cfg Config) *Door {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Ping == 0 {
		cfg.Ping = 45 * time.Second
	}
	if cfg.Join == 0 {
		cfg.Join = 20 * time.Second
	}
	if cfg.Write == 0 {
		cfg.Write = 20 * time.Second
	}
	if cfg.Member == 0 {
		cfg.Member = 32
	}
	if cfg.Refused == nil {
		cfg.Refused = func(wire.Code) {}
	}
	if cfg.Pace == nil {
		cfg.Pace = func(store.Device, int) (time.Duration, bool) { return 0, true }
	}
	if cfg.Message == 0 {
		cfg.Message = MaxMessage
	}
	if cfg.Poll == 0 {
		cfg.Poll = 30 * time.Second
	}
	if cfg.Work == 0 {
		cfg.Work = 4 << 20
	}
	if cfg.WorkBurst == 0 {
		cfg.WorkBurst = 256 << 20
	}
	d := &Door{
		cfg: cfg, peer: "trio-" + cfg.Store.Epoch().String(), large: make(chan struct{}, largeMessages),
		members: map[crdt.MemberID]*member{}, work: map[crdt.DeviceID]*rate.Limiter{}, ending: make(chan struct{}),
	}
	d.upgrader = websocket.Upgrader{
		ReadBufferSize: 512, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{},
		CheckOrigin: func(*http.Request) bool { return true }, // ServeHTTP did
		Error:       cfg.NoSocket,
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.wg.Go(d.attend)
	return d
}

// Token returns the device token that a request carries, or "": in the Authorization header, in the URL (?token=), where
// browsers and automerge-repo's adapters can put it, or in the cookie trio_token.
func Token(r *http.Request) string {
	token, _ := tokenOf(r)
	return token
}

func tokenOf(r *http.Request) (token string, cookie bool) {
	if t := ops.Bearer(r); t != "" {
		return t, false
	}
	if t := r.URL.Query().Get("token"); t != "" {
		return t, false
	}
	if c, err := r.Cookie("trio_token"); err == nil {
		return c.Value, true
	}
	return "", false
}

// foreign reports whether a browser sends the request for a page that may not use the device's cookie. Browsers send
// cookies with WebSockets of any page and say whose it is; a token in the URL or a header proves that the page knows it.
func (d *Door) foreign(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if _, cookie := tokenOf(r); !cookie || origin == "" || slices.Contains(d.cfg.Origins, origin) {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, r.Host)
}

// ServeHTTP takes a client's WebSocket. Whoever may not sync is told so in an error message: npm's client on Node ends its
// process when a handshake is refused.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if d.foreign(r) {
		ops.Refuse(w, r, http.StatusForbidden, "origin", "pages of this origin may not use the device's cookie",
			"put the token in the URL, or have the operator add the origin to the setting origins")
		return
	}
	ws, err := d.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	token := Token(r)
	c := &conn{door: d, ws: ws, id: ops.RequestID(r.Context()), token: token, since: time.Now()}
	c.Open(ws, c, d.cfg.Write)
	if c.id == "" {
		c.id = uuid.NewString()
	}
	log := d.cfg.Log.With("conn", c.id)
	dev, err := d.cfg.Store.DeviceByToken(d.ctx, token)
	switch {
	case d.ctx.Err() != nil:
		err = shutdownError()
	case errors.Is(err, store.ErrNotFound):
		err = &wire.Error{Code: wire.CodeDevice, Text: "this device token is not known here: ask your company for a new one"}
	case err == nil && dev.Revoked:
		err = revokedError()
	}
	if err != nil {
		log.Warn("client refused", "err", err)
		c.HangUp(hub.AsError(err))
		go c.Drain()
		return
	}
	c.dev = dev
	c.log = log.With("member", dev.Member, "device", dev.ID)
	c.ephemeral = rate.NewLimiter(ephemeralRate, ephemeralBurst)
	if !d.add(c) {
		c.HangUp(shutdownError())
		go c.Drain()
		return
	}
	// The handler returns, and with it go net/http's buffers and the request.
	go c.read()
}

func shutdownError() *wire.Error {
	return &wire.Error{Code: wire.CodeShutdown, Text: "the server restarts: come back"}
}

func revokedError() *wire.Error {
	return &wire.Error{Code: wire.CodeRevoked, Text: "this device's access was taken back: ask your company"}
}

// Share has browsers show an answer of Documents to the page that asked: to any page whose request has no cookie, as it knows
// the token then, and with a cookie to pages of the setting's origins. A refusal is shared as well, with when to come back.
func (d *Door) Share(w http.ResponseWriter, r *http.Request) {
	_, cookie := tokenOf(r)
	w.Header().Add("Vary", "Origin")
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After, X-Request-Id")
	switch origin := r.Header.Get("Origin"); {
	case slices.Contains(d.cfg.Origins, origin):
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Allow-Credentials", "true")
	case !cookie:
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}
}

// Preflight answers browsers that ask whether a page of another origin may ask for Documents with a token in a header.
// They ask without token and cookie, and nothing is told.
func (d *Door) Preflight(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Methods", http.MethodGet)
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	w.Header().Set("Access-Control-Max-Age", "86400") // seconds; browsers take less
	w.WriteHeader(http.StatusNoContent)
}

// Documents answers with the documents of the device's member that somebody has written, as automerge-repo names them.
func (d *Door) Documents(w http.ResponseWriter, r *http.Request) {
	dev, ok := ops.Caller(r.Context())
	if !ok || dev.Revoked {
		ops.Refuse(w, r, http.StatusUnauthorized, "device", "the device token is not known here, or was taken back", "ask your company for a new one")
		return
	}
	names, err := d.cfg.Store.Documents(r.Context(), dev.Member)
	if err != nil {
		d.cfg.Log.Error("documents not listed", "request", ops.RequestID(r.Context()), "member", dev.Member, "err", err)
		ops.Refuse(w, r, http.StatusServiceUnavailable, "internal", "the server could not do that", "come back later")
		return
	}
	type document struct {
		Name crdt.DocName `json:"name"`
		URL  string       `json:"url"`
	}
	list := []document{}
	for _, n := range names {
		list = append(list, document{n, URL(n.DocumentID(dev.Member))})
	}
	ops.Answer(w, http.StatusOK, map[string]any{"documents": list})
}

// add counts a connection in.
func (d *Door) add(c *conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing {
		return false
	}
	m := d.members[c.dev.Member]
	if m == nil {
		m = &member{book: NewBook(d.cfg.Store, c.dev.Member), large: make(chan struct{}, 1)}
		d.members[c.dev.Member] = m
	}
	d.makeRoom(m.conns)
	c.large = m.large
	if c.work = d.work[c.dev.ID]; c.work == nil {
		if len(d.work) >= keptBuckets {
			now := time.Now()
			for id, l := range d.work {
				if l.TokensAt(now) >= float64(d.cfg.WorkBurst) {
					delete(d.work, id)
				}
			}
		}
		c.work = rate.NewLimiter(rate.Limit(d.cfg.Work), d.cfg.WorkBurst)
		d.work[c.dev.ID] = c.work
	}
	c.session = NewSession(SessionConfig{Store: d.cfg.Store, Book: m.book, Device: c.dev, Conn: c.id, Tells: uuid.NewString(), Peer: d.peer, Log: c.log})
	m.conns = append(slices.Clip(m.conns), c)
	d.wg.Add(1)
	return true
}

// makeRoom has connections of a member give way to one more: those that were abandoned, then the oldest that are to stay, are
// told so, and the oldest that were told and are slow to go are cut off, so that sockets are bounded too. The caller holds mu.
//
// Abandoned are those that have not said who they are in a tenth of the time for it. npm's client opens another socket when
// a handshake takes longer than its retry interval, speaks on the one that opens, and leaves the others as they are.
func (d *Door) makeRoom(list []*conn) {
	stay, open := 1, 1
	for _, c := range list {
		if !c.Failed() {
			stay++
		}
		if !c.cut {
			open++
		}
	}
	silent := func(c *conn) bool { return !c.session.Joined() && time.Since(c.since) > d.cfg.Join/10 }
	for _, c := range list {
		if stay > d.cfg.Member && !c.Failed() && silent(c) {
			c.fail(&wire.Error{Code: wire.CodeBusy, Text: "too many connections of one member, and this one never said who it is"})
			stay--
		}
	}
	for _, c := range list {
		gone := c.Failed()
		if !gone && stay > d.cfg.Member {
			c.fail(&wire.Error{Code: wire.CodeBusy, Text: "too many connections of one member"})
			gone, stay = true, stay-1
		}
		if gone && !c.cut && open > 2*d.cfg.Member {
			c.cut, open = true, open-1
			go c.ws.Close() // it may wait for a peer that does not read
		}
	}
}

func (d *Door) remove(c *conn) {
	c.session.Close()
	d.mu.Lock()
	m := d.members[c.dev.Member]
	kept := make([]*conn, 0, len(m.conns))
	for _, x := range m.conns {
		if x != c {
			kept = append(kept, x)
		}
	}
	if m.conns = kept; len(kept) == 0 {
		delete(d.members, c.dev.Member)
	}
	d.mu.Unlock()
	d.wg.Done()
}

// of returns the connections of a member, of which the list is not to be modified.
func (d *Door) of(m crdt.MemberID) (conns []*conn, book *Book) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if x := d.members[m]; x != nil {
		return x.conns, x.book
	}
	return nil, nil
}

// attend has clients look for what was committed elsewhere: by hints, which may be lost, and by asking now and then.
func (d *Door) attend() {
	for watching := false; d.ctx.Err() == nil; {
		if !watching {
			err := d.cfg.Store.Watch(d.ctx, d.hint)
			if watching = err == nil; !watching {
				d.cfg.Log.Warn("no hints from the store: asking it instead", "err", err)
			}
		}
		select {
		case <-d.ctx.Done():
		case <-d.ending:
			return
		case <-time.After(d.cfg.Poll + rand.N(d.cfg.Poll)):
			d.ask()
		}
	}
}

// hint takes a hint of the store. It waits for nothing.
func (d *Door) hint(h store.Hint) {
	if h.All {
		for m := range d.books() {
			d.wake(m)
			d.lookUp(m)
		}
		return
	}
	if h.Head > 0 || !h.People {
		d.wake(h.Member)
	}
	if h.People {
		d.lookUp(h.Member)
	}
}

// books returns the books of all members who have a client here.
func (d *Door) books() map[crdt.MemberID]*Book {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := make(map[crdt.MemberID]*Book, len(d.members))
	for m, x := range d.members {
		all[m] = x.book
	}
	return all
}

// wake has a member's clients look for news.
func (d *Door) wake(m crdt.MemberID) {
	conns, book := d.of(m)
	if book == nil {
		return
	}
	book.Stale()
	for _, c := range conns {
		c.Kick()
	}
}

// lookUp ends a member's connections whose devices may not come any more. It does not wait for that.
func (d *Door) lookUp(m crdt.MemberID) {
	if conns, _ := d.of(m); len(conns) > 0 {
		go func() {
			for _, c := range conns {
				c.lookUp()
			}
		}()
	}
}

// ask reads how far the orders of members have come, and wakes the clients of those that are behind.
func (d *Door) ask() {
	books := d.books()
	for page := range slices.Chunk(slices.Collect(maps.Keys(books)), headsPage) {
		heads, err := d.cfg.Store.Heads(d.ctx, page)
		if err != nil {
			if d.ctx.Err() == nil {
				d.cfg.Log.Warn("heads not read", "err", err)
			}
			return
		}
		for m, head := range heads {
			if books[m].behindOf(head) {
				d.wake(m)
			}
		}
	}
}

// Connections returns how many clients are connected.
func (d *Door) Connections() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.members {
		n += len(m.conns)
	}
	return n
}

// Shutdown tells every client to come back and waits until all connections have ended, or until ctx does.
func (d *Door) Shutdown(ctx context.Context) error {
	d.mu.Lock()
	if !d.closing {
		close(d.ending)
	}
	d.closing = true
	var all []*conn
	for _, m := range d.members {
		all = append(all, m.conns...)
	}
	d.mu.Unlock()
	for _, c := range all {
		c.fail(shutdownError())
	}
	done := make(chan struct{})
	go func() {
		d.wg.Wait()
		close(done)
	}()
	defer d.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		d.cancel() // whoever still waits for the store stops waiting
		for _, c := range all {
			c.ws.Close()
		}
		<-done
		return ctx.Err()
	}
}

// conn is one live connection: a goroutine that reads, and one that writes while there is something to write.
type conn struct {
	live.Conn
	door      *Door
	ws        *websocket.Conn
	id        string
	token     string
	since     time.Time
	dev       store.Device
	session   *Session
	log       *slog.Logger
	work      *rate.Limiter
	ephemeral *rate.Limiter
	large     chan struct{} // the member's
	late      time.Time     // when the large message that comes in is to be here, zero: none does; the reading goroutine's
	cut       bool          // the socket was closed for others; guarded by the Door's mu
}

// lookUp reports whether the device may still sync, and ends the connection when it may not.
func (c *conn) lookUp() bool {
	dev, err := c.door.cfg.Store.DeviceByToken(c.door.ctx, c.token)
	if err == nil && dev.Revoked { // since it connected
		c.fail(revokedError())
		return false
	}
	return true
}

// alive gives the client time for its next message or pong, once it has said who it is.
func (c *conn) alive() error {
	switch {
	case !c.late.IsZero():
		return nil // no pong gives a message more time
	case !c.session.Joined():
		return c.Within(time.Until(c.since.Add(c.door.cfg.Join)))
	}
	return c.Within(2 * c.door.cfg.Ping)
}

// enter takes a place in what has few, and reports false when the connection is to end first.
func (c *conn) enter(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	case <-c.Ending():
	case <-c.door.ctx.Done():
	}
	return false
}

// read takes messages until the connection ends.
func (c *conn) read() {
	defer c.door.remove(c)
	defer c.charge()
	defer c.Close()
	c.ws.SetPongHandler(func(string) error { return c.alive() })
	c.alive() //nolint:errcheck // the read will say it
	defer c.Pings(c.door.cfg.Ping, c.lookUp)()
	c.log.Debug("client connected")
	defer c.log.Debug("client disconnected")
	for {
		kind, b, done, err := c.next()
		if err != nil {
			if e := (*wire.Error)(nil); errors.As(err, &e) {
				c.fail(e)
				continue
			}
			if errors.Is(err, errEnds) {
				c.Drain() // it is being told why
			}
			return
		}
		stored, ok := c.take(kind, b)
		b = nil // or it stays for as long as nothing else comes
		done()
		if !ok {
			return
		}
		c.pace(stored)
	}
}

// take works one message in. It returns how many changes it has brought, and whether the client stays.
func (c *conn) take(kind int, b []byte) (stored int, ok bool) {
	c.alive() //nolint:errcheck // the next read will say it
	if c.Failed() {
		return 0, true // it is told already; what it still sends is not for us
	}
	if kind != websocket.BinaryMessage {
		c.fail(&wire.Error{Code: wire.CodeFrame, Text: "want binary messages: CBOR, as automerge-repo sends it"})
		return 0, true
	}
	e, err := c.session.Receive(c.door.ctx, b)
	if e.Stored > 0 {
		c.door.wake(c.dev.Member)
	}
	switch {
	case err != nil:
		if said := (*wire.Error)(nil); errors.As(err, &said) {
			c.log.Warn("message refused", "code", said.Code.String()) // its text may quote the message
		} else {
			c.log.Error("message refused", "err", err)
		}
		c.fail(hub.AsError(err))
		return e.Stored, true
	case e.Left:
		return e.Stored, false
	case e.Relay != nil:
		c.relay(e.Relay)
	}
	c.alive() //nolint:errcheck // as above; it may have joined
	c.Kick()
	return e.Stored, true
}

// next reads one message; done says that it is worked in.
func (c *conn) next() (kind int, b []byte, done func(), err error) {
	done = func() {}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return 0, nil, done, err
	}
	b, err = io.ReadAll(io.LimitReader(r, largeMessage))
	if err != nil || len(b) < largeMessage {
		return kind, b, done, err
	}
	b, done, err = c.nextLarge(b, r)
	return kind, b, done, err
}

var errEnds = errors.New("the connection is to end")

// nextLarge reads a large message to its end. A slow one is in the way of its own member's others alone: what all members
// share is room for what has come, and turns for messages that are here as a whole.
func (c *conn) nextLarge(first []byte, r io.Reader) (b []byte, done func(), err error) {
	d := c.door
	parts, size := [][]byte{first}, len(first)
	release := func() { d.room.Add(-int64(size - len(first))) }
	if !c.enter(c.large) {
		return nil, func() {}, errEnds
	}
	c.setLate(time.Now().Add(largeTime))
	for more := true; more && err == nil; {
		var part []byte
		if part, more, err = c.step(r, d.cfg.Message-size); err == nil {
			parts, size = append(parts, part), size+len(part)
		}
	}
	c.setLate(time.Time{})
	<-c.large
	if err != nil {
		release()
		return nil, func() {}, err
	}
	if !c.enter(d.large) {
		release()
		return nil, func() {}, errEnds
	}
	return bytes.Join(parts, nil), sync.OnceFunc(func() {
		<-d.large
		release()
	}), nil
}

// setLate sets when the large message that comes in is to be here.
func (c *conn) setLate(at time.Time) {
	c.late = at
	c.alive() //nolint:errcheck // the next read will say it
}

// step reads the next part of a large message, which may have most bytes more. It has taken room for what it returns.
func (c *conn) step(r io.Reader, most int) (part []byte, more bool, err error) {
	if c.door.room.Add(largeStep) > largeRoom {
		c.door.room.Add(-largeStep)
		return nil, false, &wire.Error{Code: wire.CodeBusy, Text: "the server has too many large messages to work in: come back later"}
	}
	c.Within(min(largePause, time.Until(c.late))) //nolint:errcheck // the read will say it
	part, err = io.ReadAll(io.LimitReader(r, largeStep))
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		c.log.Info("client sends a large message too slowly")
	}
	if err == nil && len(part) > most { // the next read skips what is left of it
		err = &wire.Error{Code: wire.CodeFrame, Text: fmt.Sprintf("message is larger than %d MiB: send fewer changes at a time", c.door.cfg.Message>>20)}
	}
	if err != nil {
		c.door.room.Add(-largeStep)
		return nil, false, err
	}
	c.door.room.Add(int64(len(part) - largeStep))
	return part, len(part) == largeStep, nil
}

// charge takes what the connection has cost from what its device may, and returns how long that takes to come back.
func (c *conn) charge() time.Duration {
	n := int(min(c.session.Worked(), int64(c.work.Burst())))
	return min(c.work.ReserveN(time.Now(), n).Delay(), maxPause)
}

// pace reads no more for a while when the device has cost more than it may, or has brought more changes than it, or its
// company, may.
func (c *conn) pace(changes int) {
	if wait := c.charge(); wait > 0 {
		c.log.Debug("client is paced", "ms", wait.Milliseconds())
		c.Wait(wait)
		c.alive() //nolint:errcheck // the next read will say it
	}
	for changes > 0 {
		n := min(changes, wire.MaxChanges)
		wait, ok := c.door.cfg.Pace(c.dev, n)
		if ok {
			changes -= n
		}
		if wait <= 0 {
			continue
		}
		c.log.Debug("client is paced", "ms", wait.Milliseconds(), "changes", changes)
		if !c.Wait(wait) {
			return
		}
		c.alive() //nolint:errcheck // the next read will say it
	}
}

// relay passes an ephemeral message on to the member's other clients.
func (c *conn) relay(r *Relayed) {
	if r.Bytes() > maxEphemeral || !c.ephemeral.Allow() {
		c.log.Debug("ephemeral message dropped: it is too large, or they come too often", "bytes", r.Bytes())
		return
	}
	conns, _ := c.door.of(c.dev.Member)
	for _, x := range conns {
		if x != c && x.session.Relay(r) {
			x.Kick()
		}
	}
}

// fail ends the connection for a reason, which is sent first.
func (c *conn) fail(e *wire.Error) {
	c.Fail(e)
	c.Kick()
}

// Next is for package live, as the next three.
func (c *conn) Next() ([]byte, error) {
	b, err := c.session.Next(c.door.ctx)
	if err != nil {
		c.log.Error("nothing to send a client", "err", err)
		c.fail(hub.AsError(err))
	}
	return b, err
}

func (c *conn) Send(b []byte) error { return c.ws.WriteMessage(websocket.BinaryMessage, b) }

func (c *conn) Lost(err error) { c.log.Debug("client does not read", "err", err) }

// Last names the connection, so that support finds it in the log.
func (c *conn) Last(e *wire.Error) []byte {
	if e.Code != wire.CodeShutdown {
		c.door.cfg.Refused(e.Code)
	}
	m := &message{Type: kindError, Sender: c.door.peer, Message: e.Text + " (connection " + c.id + ")"}
	return m.encode()
}
