package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"trio/crdt"
	"trio/server/store"
)

// Limits of what is asked.
const (
	DefaultPage = 100  // items of a list
	MaxPage     = 1000 // as above, at most
	maxName     = 200  // bytes of a name, as the store has it
	maxWrong    = 20   // things that are wrong, told in one answer

	// Misses bounds the codes that nobody has ever been given, of all callers together, a second; MissesAtOnce in a row.
	Misses       = 50
	MissesAtOnce = 1000
)

// Config of a Service.
type Config struct {
	Store store.Store
	// PublicURL is how devices reach the server, such as https://trio.example.com, with a path if a proxy puts one before
	// ours. "": http://localhost:8787.
	PublicURL string
	Now       func() time.Time // time.Now
	// QR draws a link as a QR code, in SVG. nil: invitations come without one.
	QR func(link string) (svg string, err error)
	// App says that the app of phones is served beside: the page of an invitation leads to it.
	App bool
}

// Service is what can be done about companies, members and devices.
type Service struct {
	store  store.Store
	public *url.URL
	now    func() time.Time
	draw   func(link string) (svg string, err error)
	misses *rate.Limiter
	app    bool
}

// New returns a service on a store, or what is wrong with the address.
func New(cfg Config) (*Service, error) {
	u, err := ParsePublicURL(cmp.Or(cfg.PublicURL, "http://localhost:8787"))
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{store: cfg.Store, public: u, now: cfg.Now, draw: cfg.QR, misses: rate.NewLimiter(Misses, MissesAtOnce), app: cfg.App}, nil
}

// ParsePublicURL reads the address that devices reach a server by: http or https, a host, maybe a port and a path.
func ParsePublicURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) || len(s) > 300 {
		return nil, fmt.Errorf("public address %.60q: want http:// or https://, a host, maybe a port and a path", s)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

// PublicURL is the address that devices reach the server by, without a slash at its end.
func (s *Service) PublicURL() string { return s.public.String() }

// Link is the address that an invitation is opened by.
func (s *Service) Link(code string) string {
	u := s.public.JoinPath(JoinPagePath)
	u.Fragment = code
	return u.String()
}

// syncURL is where devices connect.
func (s *Service) syncURL() string {
	u := s.public.JoinPath("/v1/sync")
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	return u.String()
}

// Caller is on whose behalf something is asked. The zero Caller may nothing.
type Caller struct {
	operator bool
	tenant   store.Tenant
	key      int64 // its number, for the log
	scopes   []store.Scope
}

// Operator is whoever works on the server's own machine: all companies are its.
func Operator() Caller { return Caller{operator: true, scopes: store.Scopes} }

// OfKey is a program of a company.
func OfKey(k store.APIKey) Caller { return Caller{tenant: k.Tenant, key: k.ID, scopes: k.Scopes} }

// sees reports whether what is of a company is the caller's to see.
func (c Caller) sees(t store.Tenant) bool { return c.operator || c.tenant != 0 && c.tenant == t }

// An Error is what whoever asked can mend, with how. Every other error is the server's.
type Error struct {
	Status  int    // of HTTP
	Code    string // for programs
	Message string // what is wrong
	Hint    string // what to do
}

func (e *Error) Error() string { return e.Message }

// wrong is an Error that names all that is wrong with what was given.
type wrong []string

func (w *wrong) add(field, format string, args ...any) {
	*w = append(*w, field+": "+fmt.Sprintf(format, args...))
}

// err returns nil when nothing is wrong.
func (w wrong) err() error {
	if len(w) == 0 {
		return nil
	}
	hint := "mend it and ask again"
	if len(w) > 1 {
		hint = "mend all of them and ask again"
	}
	if more := len(w) - maxWrong; more > 0 {
		w = append(w[:maxWrong:maxWrong], fmt.Sprintf("and %d more", more))
	}
	return &Error{http.StatusBadRequest, "field", strings.Join(w, "; "), hint}
}

// name looks at a name that people give and see. Blanks around it are dropped; none may be in it that move what stands
// beside it, as on a screen or in a log.
func (w *wrong) name(field, s string, needed bool) string {
	s = strings.TrimSpace(s)
	switch {
	case s == "" && needed:
		w.add(field, "is missing: give it 1 to %d bytes", maxName)
	case len(s) > maxName:
		w.add(field, "has %d bytes: shorten it to %d", len(s), maxName)
	case !utf8.ValidString(s):
		w.add(field, "is not UTF-8")
	case strings.ContainsFunc(s, hidden):
		w.add(field, "has characters that cannot be seen: take them out")
	}
	return s
}

// hidden reports whether a character is none that a name shows. Those that join letters of some scripts are.
func hidden(r rune) bool { return !unicode.IsGraphic(r) && r != '\u200c' && r != '\u200d' }

// mended puts an error of the store to whoever asked: about is the thing, such as "member 0192…".
func mended(err error, about string) error {
	var invalid store.Invalid
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return notFound(about)
	case errors.Is(err, store.ErrExpired):
		return &Error{http.StatusGone, "expired", "the invitation is not good any more: it was used, taken back, or its time is over", "ask for a new one"}
	case errors.Is(err, store.ErrQuota):
		return &Error{http.StatusConflict, "quota", tail(err, store.ErrQuota), "take something back first, or ask the operator for a larger quota"}
	case errors.Is(err, store.ErrSponsor):
		return &Error{http.StatusConflict, "sponsor", tail(err, store.ErrSponsor), "name another sponsor, or none"}
	case errors.As(err, &invalid):
		return &Error{http.StatusBadRequest, "field", invalid.Error(), "mend it and ask again"}
	}
	return err
}

// unread is an error of reading back what was done: nobody is to be told that nothing was.
func unread(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("done, and not read back: %v", err) //nolint:errorlint // whatever it is, it is not of what was asked
}

// tail is what an error of the store says from the sentence on that all of its kind have; who called what is for the log.
func tail(err, kind error) string {
	s := err.Error()
	if i := strings.Index(s, kind.Error()); i >= 0 {
		return s[i:]
	}
	return kind.Error()
}

func notFound(about string) error {
	return &Error{http.StatusNotFound, "not-found", about + " is not known here", "look its id up in the list"}
}

// Page says which part of a list is wanted: limit items after one; "" is the start, 0 is DefaultPage.
type Page struct {
	After string
	Limit int
}

// List is a part of a list. Next is what to give as after for the rest; "" when there is none.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

func (p Page) limit() (int, error) {
	n := cmp.Or(p.Limit, DefaultPage)
	if n < 1 || n > MaxPage {
		return 0, badPage("limit", fmt.Sprintf("is %d: want 1 to %d", n, MaxPage))
	}
	return n, nil
}

func badPage(name, what string) error {
	return &Error{http.StatusBadRequest, "parameter", name + ": " + what, "leave it out for the first page, or give what the last one named as next"}
}

// number is After where items have numbers.
func (p Page) number() (int64, error) {
	if p.After == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p.After, 10, 64)
	if err != nil || n < 0 {
		return 0, badPage("after", fmt.Sprintf("%.40q is not one of the list", p.After))
	}
	return n, nil
}

// cut makes a list of items of which one more than wanted was read.
func cut[S, T any](items []S, limit int, view func(S) T, id func(S) string) List[T] {
	l := List[T]{Items: make([]T, 0, min(len(items), limit))}
	for i, it := range items {
		if i == limit {
			l.Next = id(items[i-1])
			break
		}
		l.Items = append(l.Items, view(it))
	}
	return l
}

// page takes the page of a list that was read whole, by its numbers, which grow.
func page[S, T any](p Page, all []S, view func(S) T, id func(S) int64) (List[T], error) {
	limit, err := p.limit()
	if err != nil {
		return List[T]{}, err
	}
	after, err := p.number()
	if err != nil {
		return List[T]{}, err
	}
	from := 0
	for from < len(all) && id(all[from]) <= after {
		from++
	}
	return cut(all[from:min(len(all), from+limit+1)], limit, view, func(s S) string { return strconv.FormatInt(id(s), 10) }), nil
}

// Quota bounds a company; 0 bounds nothing.
type Quota struct {
	Members int   `json:"members"` // of the company
	Devices int   `json:"devices"` // of one member that may sync
	Bytes   int64 `json:"bytes"`   // of one member's changes
}

// QuotaEdit changes what is not nil.
type QuotaEdit struct {
	Members, Devices, Bytes *int64
}

// Company is a company as its operator, and itself, sees it.
type Company struct {
	ID      store.Tenant `json:"id"`
	Name    string       `json:"name"`
	Created time.Time    `json:"created"`
	Quota   Quota        `json:"quota"`
	Members int          `json:"members"`
	Devices int          `json:"devices"` // that may sync
}

func company(c store.Company) Company {
	return Company{ID: c.ID, Name: c.Name, Created: c.Created, Quota: Quota(c.Quota), Members: c.Members, Devices: c.Devices}
}

func aboutCompany(t store.Tenant) string { return fmt.Sprintf("company %d", t) }

// Company returns a company.
func (s *Service) Company(ctx context.Context, by Caller, t store.Tenant) (Company, error) {
	if !by.sees(t) {
		return Company{}, notFound(aboutCompany(t))
	}
	c, err := s.store.TenantByID(ctx, t)
	return company(c), mended(err, aboutCompany(t))
}

// Companies returns all companies, whose member the caller is or not: it takes the scope for it, or the operator.
func (s *Service) Companies(ctx context.Context, by Caller, p Page) (List[Company], error) {
	if err := by.may(store.ScopeCompanies); err != nil {
		return List[Company]{}, err
	}
	all, err := s.store.Tenants(ctx)
	if err != nil {
		return List[Company]{}, err
	}
	return page(p, all, company, func(c store.Company) int64 { return int64(c.ID) })
}

// may refuses a caller without a scope.
func (c Caller) may(sc store.Scope) error {
	if slices.Contains(c.scopes, sc) {
		return nil
	}
	return &Error{http.StatusForbidden, "scope", fmt.Sprintf("the key lacks the scope %q", sc), "use a key that has it, or have one made"}
}

// CreateCompany makes a company. With an error it may return one that was made, without the quota.
func (s *Service) CreateCompany(ctx context.Context, by Caller, name string, q QuotaEdit) (Company, error) {
	if err := by.may(store.ScopeCompanies); err != nil {
		return Company{}, err
	}
	name, quota, err := checkCompany(name, q)
	if err != nil {
		return Company{}, err
	}
	t, err := s.store.CreateTenant(ctx, name)
	if err != nil {
		return Company{}, mended(err, "the company")
	}
	if quota != (store.QuotaEdit{}) {
		if err := s.store.SetQuota(ctx, t, quota); err != nil {
			return Company{ID: t, Name: name, Created: s.now().UTC()}, mended(err, aboutCompany(t))
		}
	}
	c, err := s.store.TenantByID(ctx, t)
	if err != nil { // it is made, as it was asked for
		return Company{ID: t, Name: name, Created: s.now().UTC()}, mended(err, aboutCompany(t))
	}
	return company(c), nil
}

// CheckCompany says what is wrong with what a company is to be made of.
func CheckCompany(name string, q QuotaEdit) error {
	_, _, err := checkCompany(name, q)
	return err
}

func checkCompany(name string, q QuotaEdit) (string, store.QuotaEdit, error) {
	var w wrong
	name, quota := w.name("name", name, true), w.quota(q)
	return name, quota, w.err()
}

// FirstKey makes the key of a new company that may everything in it, for whoever makes companies.
func (s *Service) FirstKey(ctx context.Context, by Caller, t store.Tenant) (NewKey, error) {
	if err := by.may(store.ScopeCompanies); err != nil {
		return NewKey{}, err
	}
	k, secret, err := s.store.CreateAPIKey(ctx, t, "first", inCompany...)
	return NewKey{Key: key(k), Secret: secret}, mended(err, aboutCompany(t))
}

// quota looks at what is changed about a quota.
func (w *wrong) quota(e QuotaEdit) (q store.QuotaEdit) {
	set := func(field string, v *int64, most int64, put func(int64)) {
		switch {
		case v == nil:
		case *v < 0 || *v > most:
			w.add(field, "is %d: want 0 (no bound) to %d", *v, most)
		default:
			put(*v)
		}
	}
	set("members", e.Members, 1e9, func(n int64) { m := int(n); q.Members = &m })
	set("devices", e.Devices, 1e6, func(n int64) { m := int(n); q.Devices = &m })
	set("bytes", e.Bytes, 1e15, func(n int64) { q.Bytes = &n })
	return q
}

// SetQuota changes a company's quota. What is there already stays, even if it is more.
func (s *Service) SetQuota(ctx context.Context, by Caller, t store.Tenant, e QuotaEdit) (Company, error) {
	if err := by.may(store.ScopeCompanies); err != nil {
		return Company{}, err
	}
	var w wrong
	edit := w.quota(e)
	if err := w.err(); err != nil {
		return Company{}, err
	}
	if err := s.store.SetQuota(ctx, t, edit); err != nil {
		return Company{}, mended(err, aboutCompany(t))
	}
	c, err := s.store.TenantByID(ctx, t)
	return company(c), unread(err)
}

// inCompany are the scopes that reach no other company.
var inCompany = slices.DeleteFunc(slices.Clone(store.Scopes), func(sc store.Scope) bool { return sc == store.ScopeCompanies })

// Key is what is known of an API key.
type Key struct {
	ID      int64         `json:"id"`
	Company store.Tenant  `json:"company"`
	Name    string        `json:"name"`
	Scopes  []store.Scope `json:"scopes"`
	Created time.Time     `json:"created"`
	Revoked time.Time     `json:"revoked,omitzero"`
}

// NewKey is a key with its secret, which is shown this once.
type NewKey struct {
	Key
	Secret string `json:"key"`
}

func key(k store.APIKey) Key {
	return Key{ID: k.ID, Company: k.Tenant, Name: k.Name, Scopes: k.Scopes, Created: k.Created, Revoked: k.Revoked}
}

// Keys returns a company's keys, revoked ones included.
func (s *Service) Keys(ctx context.Context, by Caller, t store.Tenant, p Page) (List[Key], error) {
	if !by.sees(t) {
		return List[Key]{}, notFound(aboutCompany(t))
	}
	all, err := s.store.APIKeys(ctx, t)
	if err != nil {
		return List[Key]{}, mended(err, aboutCompany(t))
	}
	return page(p, all, key, func(k store.APIKey) int64 { return k.ID })
}

// CreateKey makes a key of a company with no more scopes than the caller has; only the operator makes one that reaches
// other companies.
func (s *Service) CreateKey(ctx context.Context, by Caller, t store.Tenant, name string, scopes []store.Scope) (NewKey, error) {
	if !by.sees(t) {
		return NewKey{}, notFound(aboutCompany(t))
	}
	var w wrong
	name = w.name("name", name, true)
	if len(scopes) == 0 {
		w.add("scopes", "is missing: give some of %s", words(store.Scopes))
	}
	for _, sc := range scopes {
		if !slices.Contains(store.Scopes, sc) {
			w.add("scopes", "%.20q is not one: want some of %s", string(sc), words(store.Scopes))
		}
	}
	if err := w.err(); err != nil {
		return NewKey{}, err
	}
	for _, sc := range scopes {
		if sc == store.ScopeCompanies && !by.operator {
			return NewKey{}, &Error{http.StatusForbidden, "scope", fmt.Sprintf("a key with the scope %q is made on the server's own machine only", sc), "leave it out, or ask the operator: trio admin key"}
		}
		if err := by.may(sc); err != nil {
			return NewKey{}, &Error{http.StatusForbidden, "scope", fmt.Sprintf("the key lacks the scope %q, so it makes no key that has it", sc), "leave it out, or use a key that has it"}
		}
	}
	k, secret, err := s.store.CreateAPIKey(ctx, t, name, scopes...)
	return NewKey{Key: key(k), Secret: secret}, mended(err, aboutCompany(t))
}

func words[T ~string](list []T) string {
	all := make([]string, len(list))
	for i, w := range list {
		all[i] = string(w)
	}
	return strings.Join(all, ", ")
}

// RevokeKey takes a key of a company back. A key takes back no key that may more than itself; the operator takes back any.
func (s *Service) RevokeKey(ctx context.Context, by Caller, t store.Tenant, id int64) error {
	about := fmt.Sprintf("key %d", id)
	if !by.sees(t) {
		return notFound(about)
	}
	all, err := s.store.APIKeys(ctx, t)
	if err != nil {
		return mended(err, about)
	}
	for _, k := range all {
		for _, sc := range k.Scopes {
			if k.ID == id && by.may(sc) != nil {
				return &Error{http.StatusForbidden, "scope", fmt.Sprintf("the key lacks the scope %q, so it takes back no key that has it", sc), "use a key that has it, or ask the operator: trio admin revoke-key"}
			}
		}
	}
	return mended(s.store.RevokeAPIKey(ctx, t, id), about)
}

// Restored says that the database was put back from a backup: corporate's cursors of before are refused from now on.
func (s *Service) Restored(ctx context.Context) error { return s.store.NewEpoch(ctx) }

// Adopt has the server know a device of a member again that the backup does not: what it wrote comes back by the member's
// other devices. It cannot connect itself.
func (s *Service) Adopt(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) error {
	return mended(s.store.AdoptDevice(ctx, m, d), fmt.Sprintf("member %s with device %s", m, d))
}

// Readmit gives a device that a restored database does not know a new token; with it the device comes in again with all
// that is on it.
func (s *Service) Readmit(ctx context.Context, m crdt.MemberID, d crdt.DeviceID) (token string, err error) {
	token, err = s.store.ReadmitDevice(ctx, m, d)
	if invalid, ok := errors.AsType[store.Invalid](err); ok {
		what, do, _ := strings.Cut(invalid.Error(), ": ")
		return "", &Error{http.StatusConflict, "device", what, do}
	}
	return token, mended(err, fmt.Sprintf("member %s with device %s", m, d))
}
