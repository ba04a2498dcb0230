package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"trio/crdt"
	"trio/server/ops"
	"trio/server/store"
)

// MaxBody bounds the body of a request, in bytes.
const MaxBody = 64 << 10

// A call is one request, of which a handler takes what it knows: from the path, the query and the body. What is wrong with any
// of it is noted, and done says all of it at once.
type call struct {
	*http.Request
	document bool // the body is one, not fields

	by     Caller // of a key; zero for devices and for anybody
	device store.Device
	body   []byte                     // of a route that takes a document
	fields map[string]json.RawMessage // of the body of all others
	query  url.Values
	known  []string // fields that the handler has asked for
	asked  []string // parameters likewise
	wrong
}

// read reads the request up to the end of its body.
func (c *call) read() (err error) {
	if c.query, err = url.ParseQuery(c.URL.RawQuery); err != nil {
		return &Error{http.StatusBadRequest, "parameter", "the query cannot be read", "write it as name=value, separated by &"}
	}
	b, err := io.ReadAll(c.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Error{http.StatusRequestEntityTooLarge, "limit", fmt.Sprintf("the request's body has more than %d bytes", big.Limit), "send less"}
	}
	if err != nil {
		return &Error{http.StatusBadRequest, "body", "the request's body did not come to its end", "send it again"}
	}
	if c.document {
		c.body = b
		return nil
	}
	c.fields, err = parseFields(b)
	return err
}

// parseFields takes a body apart: one JSON object, or nothing at all.
func parseFields(b []byte) (map[string]json.RawMessage, error) {
	bad := func(format string, args ...any) (map[string]json.RawMessage, error) {
		return nil, &Error{http.StatusBadRequest, "body", fmt.Sprintf(format, args...), `send one JSON object, such as {"name":"Maya"}`}
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, nil
	}
	if !utf8.Valid(b) {
		return bad("the request's body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad("the request's body is not a JSON object")
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return bad("the request's body is not JSON: %v", err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return bad("%.40q: not JSON: %v", name, err)
		}
		if _, twice := fields[name]; twice {
			return bad("%.40q: is given twice", name)
		}
		fields[name] = v
	}
	if _, err := d.Token(); err != nil {
		return bad("the request's body is not JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad("something stands behind the JSON object")
	}
	return fields, nil
}

// done says all that is wrong, what nobody asked for included.
func (c *call) done() error {
	unknown := func(what string, given, known []string) {
		slices.Sort(given)
		for _, name := range given {
			if slices.Contains(known, name) {
				continue
			}
			if want := strings.Join(known, ", "); want != "" {
				c.add(fmt.Sprintf("%.40q", name), "no %s has this name: want %s", what, want)
			} else {
				c.add(fmt.Sprintf("%.40q", name), "no %s is taken here", what)
			}
		}
	}
	var given []string
	for name := range c.fields {
		given = append(given, name)
	}
	unknown("field", given, c.known)
	given = nil
	for name, values := range c.query {
		given = append(given, name)
		if len(values) > 1 && slices.Contains(c.asked, name) {
			c.add(name, "is given twice")
		}
	}
	unknown("parameter", given, c.asked)
	return c.err()
}

// field reads a field of the body into v and reports whether it is there and is what v takes. null is not there.
func (c *call) field(name, want string, v any) bool {
	c.known = append(c.known, name)
	raw, ok := c.fields[name]
	if !ok || string(raw) == "null" {
		return false
	}
	if err := json.Unmarshal(raw, v); err != nil {
		c.add(name, "%s: want %s", short(raw), want)
		return false
	}
	return true
}

// short is a value as a sentence shows it.
func short(raw json.RawMessage) string {
	s := string(raw)
	if r := []rune(s); len(r) > 40 {
		s = string(r[:40]) + "…"
	}
	return s
}

// named reads a text. What is not one is named once, so it does not count as missing.
func (c *call) named(name string, needed bool) string {
	var s string
	before := len(c.wrong)
	c.field(name, "a text", &s)
	if len(c.wrong) > before {
		return ""
	}
	return c.name(name, s, needed)
}

func (c *call) member(name string) (m crdt.MemberID) {
	c.field(name, "a member's id, such as 0192f0c1-7a2b-7c3d-8e4f-5a6b7c8d9e0f", &m)
	return m
}

func (c *call) number(name string) *int64 {
	var n int64
	if c.field(name, "a whole number", &n) {
		return &n
	}
	return nil
}

func (c *call) flag(name string) (v bool) {
	c.field(name, "true or false", &v)
	return v
}

// parameter returns a parameter of the query; "" when it is not there.
func (c *call) parameter(name string) string {
	c.asked = append(c.asked, name)
	return c.query.Get(name)
}

// truth reads true or false of the query; false when it is not there.
func (c *call) truth(name string) bool {
	v := c.parameter(name)
	if v != "" && v != "true" && v != "false" {
		c.add(name, "%.40q: want true or false", v)
	}
	return v == "true"
}

func (c *call) page() (p Page) {
	p.After = c.parameter("after")
	if s := c.parameter("limit"); s != "" {
		p.Limit = c.digits("limit", s, 1, MaxPage)
	}
	return p
}

// digits reads a number of the query.
func (c *call) digits(name, s string, least, most int) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		c.add(name, "%.40q: want a number from %d to %d", s, least, most)
	}
	return n
}

// id reads the id in the path into v.
func (c *call) id(v interface{ UnmarshalText(b []byte) error }) {
	if err := v.UnmarshalText([]byte(mux.Vars(c.Request)["id"])); err != nil {
		c.add("id in the path", "%v", err)
	}
}

// idNumber reads the id in the path where things have numbers.
func (c *call) idNumber() int64 {
	s := mux.Vars(c.Request)["id"]
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		c.add("id in the path", "%.40q: want a number", s)
	}
	return n
}

// key returns whose key the request carries, or refuses it.
func (c *call) key() error {
	k, ok := ops.Key(c.Context())
	if !ok {
		return &Error{http.StatusUnauthorized, "key", "the key is not known here", "send the header Authorization: Bearer " + store.APIKeyPrefix + "…"}
	}
	c.by = OfKey(k)
	return nil
}

// caller returns which device asks, or refuses it.
func (c *call) caller() (err error) {
	var ok bool
	if c.device, ok = ops.Caller(c.Context()); !ok {
		return &Error{http.StatusUnauthorized, "device", "the device token is not known here", "ask your company for a new invitation"}
	}
	return nil
}
