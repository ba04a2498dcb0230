package desktop

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"trio/clients/qr"
	"trio/crdt"
)

// tokenPrefix is how the token of a device begins; what else stands there is the code of an invitation.
const tokenPrefix = "trio_d_"

// joinPath is where the link of an invitation leads; its code stands behind the #.
const joinPath = "/join"

// syncPath is where devices connect.
const syncPath = "/v1/sync"

// serverURL reads the address of a server.
func serverURL(server string) (*url.URL, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, wrong("want http://… or https://…", "server address %.200q is not a URL", server)
	}
	u.Fragment, u.RawFragment, u.RawQuery = "", "", ""
	return u, nil
}

func syncURL(u *url.URL) string {
	ws := u.JoinPath(syncPath)
	ws.Scheme = strings.Replace(ws.Scheme, "http", "ws", 1)
	return ws.String()
}

// refusal is what a server says instead of doing what it was asked.
type refusal struct {
	userError
	status int // of HTTP
}

// ask sends a request to a server, with a token if there is one, and reads its answer into v.
func ask(ctx context.Context, method string, u *url.URL, token string, body, v any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var send io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		send = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), send)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return &userError{msg: fmt.Sprintf("server not reached: %v", err), hint: "check the address and the connection", err: err}
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if res.StatusCode/100 != 2 {
		r := &refusal{userError{msg: fmt.Sprintf("server answers %s", res.Status), hint: "check the address"}, res.StatusCode}
		var e struct {
			Error struct{ Message, Hint, Request string }
		}
		if json.Unmarshal(b, &e) == nil && e.Error.Message != "" {
			r.msg, r.hint = printable(e.Error.Message), printable(e.Error.Hint)
			if res.StatusCode >= 500 {
				r.hint += "; the request's id is " + printable(e.Error.Request)
			}
		}
		return r
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return &userError{msg: fmt.Sprintf("%s does not answer as a Trio server: %v", u.Host, err), hint: "check the address", err: err}
	}
	return nil
}

// Unwrap is for whoever asks for a userError.
func (r *refusal) Unwrap() error { return &r.userError }

// printable is a text of somebody else as a terminal may show it.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || r == '\u200c' || r == '\u200d' {
			return r
		}
		return '?'
	}, s)
}

// invited returns the server and the device token that the arguments of join lead to. An invitation is used up by it, so
// what could go wrong here is looked at before, and the token is kept at once.
func (a *app) invited(ctx context.Context, dir, keep string, args []string) (server, token string, err error) {
	var code string
	switch {
	case len(args) == 2 && strings.HasPrefix(args[1], tokenPrefix):
		return args[0], args[1], nil
	case len(args) == 2:
		server, code = args[0], args[1]
	default:
		link, err := url.Parse(args[0])
		if err != nil || link.Fragment == "" || !strings.HasSuffix(link.Path, joinPath) {
			return "", "", wrong(`put it in quotes: trio device join "https://…/join#…"`,
				"%.200q is not the link of an invitation, and a server's address alone needs a code or a device token", args[0])
		}
		code = link.Fragment
		link.Fragment, link.Path = "", strings.TrimSuffix(link.Path, joinPath)
		server = link.String()
	}
	u, err := serverURL(server)
	if err != nil {
		return "", "", err
	}
	again := emptied(ctx, dir)
	if _, err := os.Stat(filepath.Join(dir, database)); (err == nil || a.access.Token != "") && !again {
		return "", "", &userError{
			msg:  "the data in " + dir + " is a device already; the server was not asked",
			hint: "choose another folder: trio device --data DIR join …",
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", err
	}
	var j struct {
		Token  string        `json:"token"`
		Member crdt.MemberID `json:"member"`
		Device crdt.DeviceID `json:"device"`
		Name   string        `json:"name"`
	}
	err = ask(ctx, http.MethodPost, u.JoinPath("/v1/join"), "", map[string]string{"code": code, "device": deviceName(a.name)}, &j)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		err = &userError{msg: "the server does not know this code", hint: "look at it again, or ask for a new invitation", err: r}
	}
	if err == nil && (j.Token == "" || j.Member == (crdt.MemberID{})) {
		err = &userError{msg: server + " does not say whose this invitation is", hint: "check the address"}
	}
	if err != nil {
		return "", "", err
	}
	if again {
		if err := a.clear(); err != nil {
			return "", "", err
		}
	}
	a.access = access{URL: syncURL(u), Token: j.Token, Member: j.Member, Device: j.Device, Name: strings.TrimSpace(j.Name)}
	b, err := json.Marshal(a.access)
	if err == nil {
		err = replace(keep, b)
	}
	return server, j.Token, err
}

// deviceName is what the member's other devices call this computer: what was given, or the computer's own name.
func deviceName(given string) string {
	name := strings.TrimSpace(given)
	if name == "" {
		name, _ = os.Hostname() // has none
	}
	name = strings.TrimSpace(printable(strings.ToValidUTF8(name, "")))
	if len(name) > 100 {
		name = strings.ToValidUTF8(name[:100], "")
	}
	return cmp.Or(name, "computer")
}

// server asks the device's own server.
func (a *app) server(ctx context.Context, method, path string, v any) error {
	u, err := url.Parse(a.URL)
	if err != nil {
		return err
	}
	u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	u.Path = strings.TrimSuffix(u.Path, syncPath)
	base, query, _ := strings.Cut(path, "?")
	to := u.JoinPath(base)
	to.RawQuery = query
	return ask(ctx, method, to, a.Token, nil, v)
}

// pair invites another device of the member.
func (a *app) pair(ctx context.Context) error {
	var i struct {
		Code, Link string
		Expires    time.Time
	}
	if err := a.server(ctx, http.MethodPost, "/v1/pair", &i); err != nil {
		return err
	}
	c, err := qr.New(i.Link)
	if err != nil {
		return fmt.Errorf("link of the server: %w", err)
	}
	f, ok := a.out.(*os.File)
	colour := false
	if ok && os.Getenv("NO_COLOR") == "" {
		info, err := f.Stat()
		colour = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	_, err = fmt.Fprintf(a.out, "On the other device, until %s: scan this, open the link, or on a computer\n\n  trio device join \"%s\"\n\ncode     %s\n\n%s",
		i.Expires.Local().Format("15:04"), printable(i.Link), printable(i.Code), c.Text(colour))
	return err
}

// known is a device of the member as the server tells of it.
type known struct {
	ID      crdt.DeviceID
	Name    string
	State   string
	App     string
	Seen    time.Time
	Receipt uint64
	Pending uint64
	Unsent  int
}

// own returns the devices of the member.
func (a *app) own(ctx context.Context) (all []known, err error) {
	for after := ""; ; {
		var l struct {
			Items []known
			Next  string
		}
		if err := a.server(ctx, http.MethodGet, "/v1/devices?after="+url.QueryEscape(after), &l); err != nil {
			return nil, err
		}
		all = append(all, l.Items...)
		if l.Next == "" || l.Next == after {
			return all, nil
		}
		after = l.Next
	}
}

func (a *app) devices(ctx context.Context) error {
	all, err := a.own(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "DEVICE\tNAME\tSTATE\tRECEIPT\tPENDING\tVERSION\tLAST SEEN")
	for _, d := range all {
		state := d.State
		if d.ID == a.access.Device {
			state = "this one"
		}
		if d.Unsent > 0 {
			state += fmt.Sprintf(", %d kept apart", d.Unsent)
		}
		seen, receipt, pending := "-", "-", "-" // one that never came has not said that it has nothing
		if !d.Seen.IsZero() {
			seen, pending = d.Seen.Local().Format("2006-01-02 15:04"), fmt.Sprint(d.Pending)
		}
		if d.Receipt > 0 {
			receipt = fmt.Sprint(d.Receipt)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID.String()[:8], printable(d.Name), printable(state), receipt, pending, cmp.Or(printable(d.App), "-"), seen)
	}
	return w.Flush()
}

// revoke takes the access of one of the member's devices back.
func (a *app) revoke(ctx context.Context, which string) error {
	all, err := a.own(ctx)
	if err != nil {
		return err
	}
	var found []known
	for _, d := range all {
		if d.State == "active" && (strings.EqualFold(d.Name, which) || len(which) >= 4 && strings.HasPrefix(d.ID.String(), strings.ToLower(which))) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		msg := fmt.Sprintf("%q is none of your devices that may sync", which)
		if len(found) > 1 {
			msg = fmt.Sprintf("%q is %d of your devices", which, len(found))
		}
		return &userError{msg: msg, hint: a.self + " devices lists them: give a name, or four letters or more of the start of an id"}
	}
	var gone known
	if err := a.server(ctx, http.MethodPost, "/v1/devices/"+found[0].ID.String()+"/revoke", &gone); err != nil {
		return err
	}
	if gone.ID == a.access.Device {
		_, err = fmt.Fprintf(a.out, "this device is signed out; %s sync brings what it had not sent and empties it\n", a.self)
		return err
	}
	_, err = fmt.Fprintf(a.out, "the access of %s was taken back: when it comes again it brings what it had not sent and empties itself\n", printable(gone.Name))
	return err
}
