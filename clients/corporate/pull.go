package corporate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"trio/crdt"
)

// Format is the form of the output.
type Format string

// Formats. NDJSON is the record as the feed has it, one per line. CSV has the columns of Columns, in RFC 4180's form with
// line ends of one byte, and a first line that names them.
const (
	NDJSON Format = "ndjson"
	CSV    Format = "csv"
)

// Columns are those of the CSV, in this order. New ones are added at the end. Times are UTC by the server's clock
// (arrived) or the device's corrected by what it measured (at); at_local is the writer's wall clock. An action that this
// build cannot read has its ids and arrived, and nothing else.
var Columns = []string{
	"entry", "member", "device", "arrived", "kind", "at", "at_local", "evidence", "contact", "channel", "content",
	"outcome", "stage", "due", "trigger", "choice", "reason", "playbook", "cents", "currency", "minutes", "count", "event",
	"source",
}

// KeyEnv names the environment variable that holds the key when no flag does.
const KeyEnv = "TRIO_KEY"

// PullOptions say what to pull and where to put it.
type PullOptions struct {
	URL    string
	Key    string
	Format Format // "" means NDJSON
	// Output is the file to append to; "" or "-" means Stdout, and then records are repeated rather than lost when the
	// run is killed, as nobody can take back what was printed.
	Output string
	// State is the file that keeps the cursor. "" means the output's name with ".cursor" behind it, or, for Stdout, that
	// no cursor is kept and everything is pulled.
	State  string
	Stdout io.Writer
	HTTP   *http.Client
	// PageSize is how many records are written between two updates of the state. Zero means 1000.
	PageSize int
}

// UserError is an error that a person can mend, with how.
type UserError struct {
	Message string
	Hint    string
	err     error
}

func (e *UserError) Error() string { return e.Message }
func (e *UserError) Unwrap() error { return e.err }

// state is the content of the state file.
type state struct {
	Version int    `json:"version"` // 1
	Server  string `json:"server"`
	Format  Format `json:"format"`
	Cursor  string `json:"cursor"`
	Length  int64  `json:"length"` // bytes of the output that belong to the cursor
}

const stateVersion = 1

// pageTimeout is for one page: a server that hangs must not hang whoever runs this every night.
const pageTimeout = 5 * time.Minute

// Pull brings the output up to date with the feed, and says on stderr what it did.
func Pull(ctx context.Context, opt PullOptions, stderr io.Writer) error {
	if opt.Format == "" {
		opt.Format = NDJSON
	}
	if err := opt.check(); err != nil {
		return err
	}
	st, err := opt.load()
	if err != nil {
		return err
	}
	out, err := opt.open(st)
	if err != nil {
		return err
	}
	if opt.HTTP == nil {
		opt.HTTP = &http.Client{Timeout: pageTimeout}
	}
	client := &Client{URL: opt.URL, Key: opt.Key, HTTP: opt.HTTP, PageSize: opt.PageSize}
	n, err := opt.pull(ctx, client, st, out)
	err = errors.Join(err, out.close())
	if err != nil {
		return opt.explain(err)
	}
	what := "records"
	if n == 1 {
		what = "record"
	}
	_, err = fmt.Fprintf(stderr, "%d new %s\n", n, what)
	return err
}

func (opt *PullOptions) check() error {
	switch {
	case opt.URL == "":
		return &UserError{Message: "no server named", Hint: "give its address: --server https://name"}
	case opt.Key == "":
		return &UserError{Message: "no key given", Hint: "put the company's key into the environment variable " + KeyEnv}
	case opt.Format != NDJSON && opt.Format != CSV:
		return &UserError{Message: fmt.Sprintf("format %q is not known", opt.Format), Hint: "want ndjson or csv"}
	}
	if opt.Output == "-" {
		opt.Output = ""
	}
	if opt.State == "" && opt.Output != "" {
		opt.State = opt.Output + ".cursor"
	}
	if opt.State != "" && opt.Output != "" {
		a, errA := filepath.Abs(opt.State)
		b, errB := filepath.Abs(opt.Output)
		if errA == nil && errB == nil && a == b {
			return &UserError{Message: "output and state are one file", Hint: "name another file with --state"}
		}
	}
	return nil
}

// load reads the state file; where there is none, the start.
func (opt *PullOptions) load() (*state, error) {
	st := &state{Version: stateVersion, Server: opt.URL, Format: opt.Format}
	if opt.State == "" {
		return st, nil
	}
	b, err := os.ReadFile(opt.State)
	if errors.Is(err, os.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state file: %w", err)
	}
	again := "to pull everything again, remove it and the output"
	var got state
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || got.Length < 0 || got.Version < 1 {
		return nil, &UserError{Message: fmt.Sprintf("state file %s is damaged", opt.State), Hint: again, err: err}
	}
	switch {
	case got.Version > stateVersion:
		return nil, &UserError{Message: fmt.Sprintf("state file %s is of a newer version", opt.State), Hint: "run the newer build"}
	case got.Server != opt.URL:
		return nil, &UserError{Message: fmt.Sprintf("state file %s is for the server %s", opt.State, got.Server), Hint: "name another file with --state, or " + again}
	case got.Format != opt.Format:
		return nil, &UserError{Message: fmt.Sprintf("state file %s is for the format %s", opt.State, got.Format), Hint: "name another output, or " + again}
	}
	return &got, nil
}

// save replaces the state file: first a new one, on the disk, then its name, so that a crash leaves one or the other.
func (opt *PullOptions) save(st *state) (err error) {
	if opt.State == "" {
		return nil
	}
	b, err := json.Marshal(st)
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	tmp := opt.State + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, opt.State)
	}
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	return syncDir(opt.State)
}

// syncDir makes names in the folder of a file durable, where the system can.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("state file: %w", err)
	}
	_ = d.Sync()
	return d.Close()
}

// An output counts what it was given.
type output struct {
	w      *bufio.Writer
	file   *os.File // nil: standard output
	length int64
}

// open opens the output at the length that the state knows.
func (opt *PullOptions) open(st *state) (*output, error) {
	if opt.Output == "" {
		return &output{w: bufio.NewWriter(opt.Stdout)}, nil
	}
	f, err := os.OpenFile(opt.Output, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	info, err := f.Stat()
	if err == nil {
		err = lock(f)
	}
	if err == nil && !info.Mode().IsRegular() {
		err = &UserError{Message: opt.Output + " is not a plain file", Hint: "leave --output out to print"}
	}
	if err == nil && st.Cursor == "" && info.Size() > 0 {
		if _, missing := os.Stat(opt.State); missing != nil {
			err = &UserError{
				Message: fmt.Sprintf("output %s is there, but its state file %s is not", opt.Output, opt.State),
				Hint:    "remove the output to pull everything again, or name another one",
			}
		}
	}
	if err == nil && info.Size() < st.Length {
		err = &UserError{
			Message: fmt.Sprintf("output %s has %d bytes, its state file knows of %d: it was cut or replaced", opt.Output, info.Size(), st.Length),
			Hint:    "put it back, or remove it and the state file to pull everything again",
		}
	}
	if err == nil {
		err = f.Truncate(st.Length)
	}
	if err == nil {
		_, err = f.Seek(st.Length, io.SeekStart)
	}
	if err == nil && st.Length == 0 {
		err = errors.Join(syncDir(opt.Output), opt.save(st))
	}
	if err != nil {
		_ = f.Close() // nothing was written
		return nil, fmt.Errorf("output: %w", err)
	}
	return &output{w: bufio.NewWriterSize(f, 64<<10), file: f, length: st.Length}, nil
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	o.length += int64(n)
	return n, err
}

// flush puts what was written on the disk.
func (o *output) flush() error {
	err := o.w.Flush()
	if err == nil && o.file != nil {
		err = o.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

func (o *output) close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// pull writes page by page: the records, to the disk, then the cursor behind them.
func (opt *PullOptions) pull(ctx context.Context, c *Client, st *state, out *output) (n int, err error) {
	write := func(r Record) error {
		_, err := out.Write(r.Line)
		if err == nil {
			_, err = out.Write([]byte{'\n'})
		}
		return err
	}
	if opt.Format == CSV {
		w := csv.NewWriter(out)
		if st.Cursor == "" && st.Length == 0 {
			_ = w.Write(Columns) // Error tells
			if w.Flush(); w.Error() != nil {
				return 0, fmt.Errorf("output: %w", w.Error())
			}
		}
		write = func(r Record) error {
			if err := w.Write(r.row()); err != nil {
				return err
			}
			w.Flush()
			return w.Error()
		}
	}
	for more := true; more; {
		var next string
		page := 0
		next, more, err = c.Page(ctx, st.Cursor, func(r Record) error {
			page++
			if err := write(r); err != nil {
				return fmt.Errorf("output: %w", err)
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		if next == st.Cursor && st.Length == out.length {
			return n, nil
		}
		if err := out.flush(); err != nil {
			return n, err
		}
		st.Cursor, st.Length = next, out.length
		if err := opt.save(st); err != nil {
			return n, err
		}
		n += page
	}
	return n, nil
}

// row returns the columns of a record.
func (r *Record) row() []string {
	row := make([]string, len(Columns))
	row[0], row[1], row[2], row[3] = r.Entry.String(), r.Member.String(), r.Device.String(), r.arrived()
	e, err := r.Parse()
	if err != nil {
		return row
	}
	row[4] = string(e.Kind)
	row[5] = e.Time().UTC().Format("2006-01-02T15:04:05.000Z")
	row[6] = time.UnixMilli(e.At).In(time.FixedZone("", e.Zone*60)).Format("2006-01-02T15:04:05.000-07:00")
	if b, err := e.Evidence.MarshalText(); err == nil {
		row[7] = string(b)
	}
	if e.Contact != (crdt.ContactID{}) {
		row[8] = e.Contact.String()
	}
	for i, s := range []string{e.Channel, e.Content, e.Outcome, e.Stage, e.Due, e.Trigger, string(e.Choice), e.Reason} {
		row[9+i] = s
	}
	if e.Playbook != 0 {
		row[17] = strconv.FormatUint(uint64(e.Playbook), 10)
	}
	if v := e.Value; v != nil {
		row[18], row[19], row[20], row[21] = number(v.Cents), v.Currency, number(v.Minutes), number(v.Count)
	}
	row[22], row[23] = e.Event, e.Source
	for i := 4; i < len(row); i++ {
		row[i] = plain(row[i])
	}
	return row
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// plain keeps a spreadsheet from taking a text that came from a phone for a formula: such a text gets a space in front.
// Numbers are left as they are.
func plain(s string) string {
	if s == "" {
		return s
	}
	switch s[0] {
	case '=', '+', '-', '@', '\t', '\r':
		if _, err := strconv.ParseInt(s, 10, 64); err != nil {
			return " " + s
		}
	}
	return s
}

// explain adds to an error of the server what a person can do about it here.
func (opt *PullOptions) explain(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	hint := e.Hint
	if e.Code == "cursor" && opt.State != "" {
		hint = fmt.Sprintf("the server's data was replaced, or %s is another feed's; to pull everything again, remove it and the output", opt.State)
	}
	return &UserError{Message: e.Message, Hint: hint, err: err}
}

// PullMain is the command: it reads the arguments behind `trio pull`, pulls, prints "error:" and "hint:" lines when it
// cannot, and returns the exit status: 0, 1 when it failed, 2 when the arguments are wrong.
func PullMain(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opt := PullOptions{Stdout: stdout, Key: os.Getenv(KeyEnv)}
	fs := flag.NewFlagSet("trio pull", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&opt.URL, "server", "", "address of the server, https://name")
	fs.Func("key", "the company's `key`; better in the environment variable "+KeyEnv+", where nobody else sees it", func(s string) error {
		opt.Key = s
		return nil
	})
	format := fs.String("format", string(NDJSON), "form of the output: ndjson or csv")
	fs.StringVar(&opt.Output, "output", "", "`file` to append to; none, or -, prints")
	fs.StringVar(&opt.State, "state", "", "`file` that keeps the cursor (default: the output's name and .cursor)")
	fs.IntVar(&opt.PageSize, "page", defaultPageSize, "records between two updates of the state, 1 to 10000")
	fs.Usage = func() {
		_, _ = fmt.Fprint(stderr, "trio pull appends the company's new activity to a file\n\nusage: trio pull --server https://name [flags]\n\n")
		fs.PrintDefaults()
	}
	help := fs.Usage
	fs.Usage = func() {} // what is wrong would stand above all of it
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	fs.SetOutput(stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help()
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "error: %v\nhint: see trio pull -h\n", err)
		return 2
	}
	if fs.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "error: argument %q is not expected\nhint: see trio pull -h\n", fs.Arg(0))
		return 2
	}
	opt.Format = Format(*format)
	status := 2
	if err = opt.check(); err == nil {
		status = 1
		err = Pull(ctx, opt, stderr)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "error: %v\n", err)
		var u *UserError
		if errors.As(err, &u) && u.Hint != "" {
			_, _ = fmt.Fprintf(stderr, "hint: %s\n", u.Hint)
		}
		return status
	}
	return 0
}
