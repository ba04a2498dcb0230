package corporate

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"trio/crdt"
)

// A Record is one entry of a member's log. Ids are pseudonyms; what they mean is the member's.
type Record struct {
	Entry   crdt.EntryID    `json:"entry"`
	Member  crdt.MemberID   `json:"member"`
	Device  crdt.DeviceID   `json:"device"`
	Arrived int64           `json:"arrived"` // at the server, ms since 1970
	Action  json.RawMessage `json:"action"`  // see Parse
	Line    []byte          `json:"-"`       // the record as the server wrote it, one line without its end
}

// Parse reads the action. Fields of a newer version than this build's are left out.
func (r *Record) Parse() (crdt.Entry, error) {
	e, err := crdt.ParseEntry(string(r.Action))
	if err != nil {
		return e, fmt.Errorf("record %s: %w", r.Entry, err)
	}
	return e, nil
}

// An Error is what the server said.
type Error struct {
	Status  int    `json:"-"`
	Code    string `json:"code"` // "key", "cursor", "parameter", "method", "internal"
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func (e *Error) Error() string { return e.Message }

// A Client reads a company's feed.
type Client struct {
	URL  string       // of the server, without a path of the feed: "https://sync.example.com"
	Key  string       // begins with trio_k_
	HTTP *http.Client // nil means http.DefaultClient
	// PageSize is how many records one request asks for, 1 to 10000. Zero means 1000.
	PageSize int
	// Patience is how long one page waits in all when the server says when to come back (429 or 503 with Retry-After). Zero
	// means 2 minutes; below zero it does not wait.
	Patience time.Duration
}

const (
	defaultPageSize = 1000
	defaultPatience = 2 * time.Minute
	// maxLine is above the longest record there is: an entry of 8 KiB with its ids.
	maxLine  = 64 << 10
	maxError = 16 << 10
)

// Pull hands every record after cursor to fn ("" is the start), page by page until there is nothing more, and returns
// the cursor after the last page. When it ends early, by an error of fn or otherwise, the cursor returned with the error
// is that of the last page that was handed over whole; fn may have seen some records behind it, and sees them again.
func (c *Client) Pull(ctx context.Context, cursor string, fn func(Record) error) (string, error) {
	for {
		next, more, err := c.Page(ctx, cursor, fn)
		if err != nil {
			return cursor, err
		}
		if cursor = next; !more {
			return cursor, nil
		}
	}
}

// Page hands the records of one page after cursor to fn, and returns the cursor after it and whether there is more.
func (c *Client) Page(ctx context.Context, cursor string, fn func(Record) error) (next string, more bool, err error) {
	size := c.PageSize
	if size == 0 {
		size = defaultPageSize
	}
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return "", false, fmt.Errorf("server address %q is not a URL: want https://name", c.URL)
	}
	u := base.JoinPath("v1", "feed")
	u.RawQuery = url.Values{"cursor": {cursor}, "limit": {strconv.Itoa(size)}, "format": {"ndjson"}}.Encode()
	for left := cmp.Or(c.Patience, defaultPatience); ; {
		resp, err := c.get(ctx, u.String())
		if err != nil {
			return "", false, fmt.Errorf("feed: %w", err)
		}
		if resp.StatusCode == http.StatusOK {
			next, more, err = readPage(resp.Body, fn)
			_ = resp.Body.Close() // what was read decides
			return next, more, err
		}
		err = readError(resp)
		_ = resp.Body.Close()
		wait := retryAfter(resp, time.Now())
		if left -= wait; wait == 0 || left < 0 {
			return "", false, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", false, errors.Join(err, ctx.Err())
		}
	}
}

func (c *Client) get(ctx context.Context, u string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	return cmp.Or(c.HTTP, http.DefaultClient).Do(req)
}

// retryAfter returns how long a server asks to wait before the same is asked again, at least a second; 0 when it does not.
func retryAfter(resp *http.Response, now time.Time) time.Duration {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := resp.Header.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return max(time.Second, time.Duration(n)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Second, at.Sub(now))
	}
	return 0
}

// line is a record or, as the last one, the cursor.
type line struct {
	Record
	Cursor *string `json:"cursor"`
	More   bool    `json:"more"`
}

// errCut says that an answer has no last line.
var errCut = errors.New("answer of the server ends in the middle: pull again")

func readPage(r io.Reader, fn func(Record) error) (next string, more bool, err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4<<10), maxLine)
	for sc.Scan() {
		var l line
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			// The last line that came may be half of one.
			return "", false, errors.Join(errCut, err)
		}
		if l.Cursor != nil {
			if sc.Scan() {
				return "", false, fmt.Errorf("answer of the server goes on after its end: is %.20q a feed?", sc.Bytes())
			}
			return *l.Cursor, l.More, nil
		}
		if l.Action == nil || l.Entry == (crdt.EntryID{}) {
			return "", false, fmt.Errorf("answer of the server has a line that is no record: is this the address of a Trio server?")
		}
		l.Line = sc.Bytes()
		if err := fn(l.Record); err != nil {
			return "", false, err
		}
	}
	return "", false, errors.Join(errCut, sc.Err())
}

func readError(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	var e struct {
		Error *Error `json:"error"`
	}
	if err != nil || json.Unmarshal(body, &e) != nil || e.Error == nil || e.Error.Message == "" {
		return &Error{
			Status: resp.StatusCode, Code: "http", Message: "server answered " + strings.ToLower(resp.Status),
			Hint: "check the address of the server",
		}
	}
	e.Error.Status = resp.StatusCode
	return e.Error
}

// arrived formats the time of arrival.
func (r *Record) arrived() string {
	return time.UnixMilli(r.Arrived).UTC().Format("2006-01-02T15:04:05.000Z")
}
