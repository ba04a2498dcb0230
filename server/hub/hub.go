package hub

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/server/store"
)

// Store is what the hub asks of storage; see store.Store, store.People, store.Playbooks and store.Nodes.
type Store interface {
	Append(ctx context.Context, m crdt.MemberID, items []store.Item) (store.Ack, error)
	Since(ctx context.Context, m crdt.MemberID, after uint64, limit, maxBytes int) (store.Page, error)
	ReceiptAt(ctx context.Context, m crdt.MemberID, seq uint64) (wire.Receipt, bool, error)
	Head(ctx context.Context, m crdt.MemberID) (wire.Receipt, error)

	DeviceByToken(ctx context.Context, token string) (store.Device, error)
	DeviceByID(ctx context.Context, d crdt.DeviceID) (store.DeviceInfo, error)
	Saw(ctx context.Context, list []store.Sighting) error
	Park(ctx context.Context, d crdt.DeviceID, items []store.Item) error
	LeaveDevice(ctx context.Context, d crdt.DeviceID) error

	PlaybookOf(ctx context.Context, t store.Tenant, version uint32) (store.Playbook, error)
	PlaybookHeads(ctx context.Context, ts []store.Tenant) (map[store.Tenant]store.PlaybookHead, error)
	TakePlaybook(ctx context.Context, t store.Tenant, version uint32) error

	store.Nodes
}

// Config of a Hub. Zero fields have the defaults stated behind them.
type Config struct {
	Store  Store
	Log    *slog.Logger     // slog.Default()
	Now    func() time.Time // time.Now
	Ping   time.Duration    // 45 s between pings, give or take a third; a device that is silent for twice as long is closed
	Write  time.Duration    // 20 s for a device to take one frame; a slower one is closed and comes back
	Member int              // 32 connections at most for one member; the oldest give way, and are cut off when twice as many are open
	Poll   time.Duration    // 15 s, up to twice as long, between two questions for the heads of the members served here

	// Caller says what a request is called in logs, and which device it proved to be of; store.ErrNotFound for none. Zero: it
	// gets a new id, and the device is looked up by the token that it bears.
	Caller func(*http.Request) (id string, dev store.Device, err error)
	// Pace is asked for a turn for changes that a device has pushed, and says how long nothing more is to be read from it;
	// not ok, the turn is to be asked for again then. Zero: it is always its turn.
	Pace func(dev store.Device, changes int) (wait time.Duration, ok bool)
	// Refused is told the code of each refusal of a device. Zero: nobody is.
	Refused func(wire.Code)
	// NoSocket answers a request that opens no WebSocket, with the status for it and why. Zero: the status is all that is said.
	NoSocket func(w http.ResponseWriter, r *http.Request, status int, why error)
}

// Hub is the set of live connections.
type Hub struct {
	cfg      Config
	upgrader websocket.Upgrader
	ctx      context.Context // of all work for connections; ends when Shutdown stops waiting
	cancel   context.CancelFunc

	mu      sync.Mutex
	conns   map[crdt.MemberID][]*conn // in the order of arrival
	hints   map[crdt.MemberID]store.Hint
	all     bool // a hint of everything
	closing bool
	wg      sync.WaitGroup // of the connections
	// companies whose playbooks are to be looked at: some, or all
	newBooks map[store.Tenant]struct{}
	allBooks bool

	names   atomic.Int64  // that sessions keep
	hinted  chan struct{} // there are hints
	books   *books
	spreads chan struct{}  // there are playbooks to be looked at
	tasks   sync.WaitGroup // of the hub itself
	sighted sightings
}

// New returns a hub without connections. It works until Shutdown.
func New(cfg Config) *Hub {
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Ping == 0 {
		cfg.Ping = 45 * time.Second
	}
	if cfg.Write == 0 {
		cfg.Write = 20 * time.Second
	}
	if cfg.Member == 0 {
		cfg.Member = 32
	}
	if cfg.Poll == 0 {
		cfg.Poll = 15 * time.Second
	}
	h := &Hub{
		cfg: cfg, conns: map[crdt.MemberID][]*conn{}, hints: map[crdt.MemberID]store.Hint{}, hinted: make(chan struct{}, 1),
		books: newBooks(cfg.Store, cfg.Log), newBooks: map[store.Tenant]struct{}{}, spreads: make(chan struct{}, 1),
		sighted: sightings{list: map[crdt.DeviceID]store.Sighting{}, some: make(chan struct{}, 1), end: make(chan struct{})},
	}
	if cfg.Caller == nil {
		h.cfg.Caller = h.caller
	}
	if cfg.Pace == nil {
		h.cfg.Pace = func(store.Device, int) (time.Duration, bool) { return 0, true }
	}
	if cfg.Refused == nil {
		h.cfg.Refused = func(wire.Code) {}
	}
	// Small buffers and a pool for writing: most connections are idle most of the time.
	h.upgrader = websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 4096, WriteBufferPool: &sync.Pool{}, Subprotocols: []string{Protocol}, Error: cfg.NoSocket}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.tasks.Go(h.attend)
	h.tasks.Go(h.spread)
	h.tasks.Go(h.noteSightings)
	return h
}

// Protocol is the WebSocket subprotocol that a browser asks for, beside TokenProtocol and its token: a page can give a
// WebSocket no header of its own, and what stands in a URL ends up in logs.
const (
	Protocol      = "trio"
	TokenProtocol = "trio.token."
)

// Token returns the token that a request carries, or "": in the Authorization header, or as a subprotocol.
func Token(r *http.Request) string {
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return token
	}
	for _, p := range websocket.Subprotocols(r) {
		if token, ok := strings.CutPrefix(p, TokenProtocol); ok {
			return token
		}
	}
	return ""
}

func (h *Hub) caller(r *http.Request) (id string, dev store.Device, err error) {
	dev, err = h.cfg.Store.DeviceByToken(h.ctx, Token(r))
	return uuid.NewString(), dev, err
}

// ServeHTTP takes a device's WebSocket. The device proves itself by its token (see Token). Whoever may
// not sync is told so in an Error frame, as a browser shows its page nothing of a refused handshake.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, dev, unknown := h.cfg.Caller(r)
	below := &lined{ResponseWriter: w}
	ws, err := h.upgrader.Upgrade(below, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	ws.SetReadLimit(wire.MaxFrame)
	c := &conn{hub: h, ws: ws, line: below.line, id: id, log: h.cfg.Log.With("conn", id)}
	c.Open(ws, c, h.cfg.Write)
	if unknown != nil {
		e := AsError(unknown)
		if errors.Is(unknown, store.ErrNotFound) {
			e = &wire.Error{Code: wire.CodeDevice, Text: "this device is not known here: sign in again; what is on it stays on it"}
		}
		c.refuse(e, unknown)
		c.HangUp(e)
		go c.Drain()
		return
	}
	c.log = c.log.With("member", dev.Member, "device", dev.ID)
	c.token = Token(r)
	c.session = NewSession(h.cfg.Store, dev, id, h.cfg.Now)
	c.session.names.shared, c.session.books = &h.names, h.books
	if !h.add(c) {
		c.HangUp(shutdownError())
		go c.Drain()
		return
	}
	// The handler returns, and with it go net/http's buffers and the request: an idle connection keeps a goroutine and
	// little else.
	go c.read()
}

func shutdownError() *wire.Error {
	return &wire.Error{
		Code: wire.CodeShutdown, Text: "the server restarts: coming back",
		Wait: 200 + rand.Uint64N(3000), // not all at once
	}
}

// changedError is for a device that is to come back, as what it may do has changed since it connected.
func changedError() *wire.Error {
	return &wire.Error{
		Code: wire.CodeShutdown, Text: "your company changed this device's access: coming back", Wait: 50 + rand.Uint64N(500),
	}
}

func (h *Hub) add(c *conn) bool {
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		return false
	}
	h.wg.Add(1)
	m := c.session.dev.Member
	list := h.conns[m]
	tell, cut := h.makeRoom(list)
	h.conns[m] = append(list, c)
	h.mu.Unlock()
	for _, x := range tell {
		e := &wire.Error{Code: wire.CodeBusy, Text: "too many connections of one member", Wait: 60000}
		x.fail(e, e)
	}
	for _, x := range cut {
		go x.ws.Close() // it may wait for a peer that does not read
	}
	return true
}

// makeRoom picks who of a member's connections gives way to one more: the oldest that are to stay are told so, and the
// oldest that were told and are slow to go are cut off, so that sockets are bounded too. The caller holds mu.
func (h *Hub) makeRoom(list []*conn) (tell, cut []*conn) {
	stay, open := 1, 1
	for _, c := range list {
		if c.gone = c.gone || c.Failed(); !c.gone {
			stay++
		}
		if !c.cut {
			open++
		}
	}
	for _, c := range list {
		if !c.gone && stay > h.cfg.Member {
			c.gone, stay, tell = true, stay-1, append(tell, c)
		}
		if c.gone && !c.cut && open > 2*h.cfg.Member {
			c.cut, open, cut = true, open-1, append(cut, c)
		}
	}
	return tell, cut
}

func (h *Hub) remove(c *conn) {
	c.session.Close()
	h.mu.Lock()
	m := c.session.dev.Member
	list := h.conns[m]
	kept := make([]*conn, 0, len(list))
	for _, x := range list {
		if x != c {
			kept = append(kept, x)
		}
	}
	if h.conns[m] = kept; len(kept) == 0 {
		delete(h.conns, m)
	}
	h.mu.Unlock()
	h.wg.Done()
}

// of returns a member's connections.
func (h *Hub) of(m crdt.MemberID) []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.conns[m] // replaced, never changed below its length
}

// everybody returns all connections.
func (h *Hub) everybody() (all []*conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.conns {
		all = append(all, list...)
	}
	return all
}

// Connections returns how many connections there are.
func (h *Hub) Connections() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.conns {
		n += len(list)
	}
	return n
}

// Devices returns how many devices are connected, each counted once.
func (h *Hub) Devices() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, list := range h.conns {
		for i, c := range list { // Config.Member bounds it
			n++
			for _, x := range list[:i] {
				if x.session.dev.ID == c.session.dev.ID {
					n--
					break
				}
			}
		}
	}
	return n
}

// Connected says whether a member's device is connected.
func (h *Hub) Connected(m crdt.MemberID, d crdt.DeviceID) bool {
	for _, c := range h.of(m) {
		if c.session.dev.ID == d {
			return true
		}
	}
	return false
}

// Shutdown tells every device to come back and waits until all connections have ended, or until ctx does. What was seen of
// devices is written before it returns.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	all := h.everybody()
	for _, c := range all {
		c.fail(shutdownError(), nil)
	}
	done := make(chan struct{})
	go func() {
		h.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		h.cancel() // whoever still waits for the store stops waiting
		for _, c := range all {
			c.ws.Close()
		}
		<-done
		err = ctx.Err()
	}
	h.sighted.finish()
	h.cancel()
	h.tasks.Wait()
	return err
}

// AsError puts an error of Receive or Next to the device: what is wrong, and whether to come back.
func AsError(err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, store.ErrBusy):
		return &wire.Error{Code: wire.CodeBusy, Text: "the server has too much to do: coming back later", Wait: 2000}
	case errors.Is(err, store.ErrFull):
		return &wire.Error{Code: wire.CodeFull, Text: "the server's storage is full: your data stays on this device until there is room", Wait: 60000}
	case errors.Is(err, store.ErrQuota):
		return &wire.Error{
			Code: wire.CodeFull, Wait: uint64(time.Hour / time.Millisecond),
			Text: "your company's storage quota for you is used up: your data stays on this device; ask your company",
		}
	}
	return &wire.Error{Code: wire.CodeInternal, Text: "the server could not do that: coming back"}
}
