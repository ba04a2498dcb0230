// Package desktop is the promoter's companion on a computer. For now it is a command line: join a member's documents with
// a device token, see the next three, capture, log, import, sync. It is a replica like any other and works without
// signal.
package desktop

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"trio/crdt"
	"trio/ranking"
	"trio/replica"
	"trio/replica/importer"
)

const usage = `trio device keeps a promoter's book on this computer

usage: trio device [--data DIR] COMMAND [ARGUMENT ...]

  join URL TOKEN      make this computer one of the member's devices, and pull the book
  top                 the next three to do, prospects and members
  list [WORDS]        contacts, or those in which all words are found
  add NAME [+PHONE]   capture a contact
  log KIND WORDS      log a call, text, email or meet with the one contact that the words find
  import FILE [+34]   bring a vCard file, a table of contacts or an export of orders in; the calling
                      code is for numbers that have none
  sync                send and receive what is due, then stop
  status              how far this device has come, and what is only here
`

// access is what join keeps beside the database.
type access struct {
	URL    string        `json:"url"`
	Token  string        `json:"token"`
	Member crdt.MemberID `json:"member"`
	Device crdt.DeviceID `json:"device"`
}

type app struct {
	access
	*replica.Replica
	out io.Writer
}

// Main is the command: it reads the arguments behind `trio device` and returns the exit status: 0, 1 when it failed, 2
// when the arguments are wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("trio device", flag.ContinueOnError)
	fs.SetOutput(stderr)
	data := fs.String("data", "trio-device", "`folder` of this device's data")
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() == 0:
		fs.Usage()
		return 2
	}
	if err := run(ctx, *data, fs.Arg(0), fs.Args()[1:], stdout); err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, dir, command string, args []string, out io.Writer) error {
	keep := filepath.Join(dir, "access.json")
	a := &app{out: out}
	if command == "join" {
		if len(args) != 2 {
			return errors.New("join needs the server's address and a device token")
		}
		var err error
		if a.access, err = whoAmI(ctx, args[0], args[1]); err != nil {
			return err
		}
		b, err := json.Marshal(a.access)
		if err != nil {
			return err
		}
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(keep, b, 0o600)); err != nil {
			return err
		}
	} else {
		b, err := os.ReadFile(keep)
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s is no device's data yet: join first (trio device --data %s join URL TOKEN)", dir, dir)
		}
		if err == nil {
			err = json.Unmarshal(b, &a.access)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", keep, err)
		}
	}
	r, err := replica.Open(ctx, replica.Config{Path: filepath.Join(dir, "replica.db"), Member: a.access.Member, Device: a.access.Device})
	if err != nil {
		return err
	}
	a.Replica = r
	return errors.Join(a.do(ctx, command, args), r.Close())
}

// whoAmI asks a server whose a token is.
func whoAmI(ctx context.Context, server, token string) (access, error) {
	a := access{Token: token}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return a, fmt.Errorf("address %q: want http://… or https://…", server)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.JoinPath("/v1/device").String(), nil)
	if err != nil {
		return a, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	body := io.LimitReader(res.Body, 64<<10)
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(body) // the status says enough without it
		return a, fmt.Errorf("server answers %s: %s", res.Status, strings.TrimSpace(string(b)))
	}
	if err := json.NewDecoder(body).Decode(&a); err != nil {
		return a, fmt.Errorf("server's answer: %w", err)
	}
	u.Scheme = strings.Replace(u.Scheme, "http", "ws", 1)
	a.URL = u.JoinPath("/v1/sync").String()
	return a, nil
}

func (a *app) do(ctx context.Context, command string, args []string) error {
	switch command {
	case "join", "sync":
		return a.sync(ctx)
	case "top":
		return a.top(ctx)
	case "list":
		cs, err := a.Contacts(ctx, strings.Join(args, " "), 0, 200)
		for _, c := range cs {
			var ways []string
			for _, w := range append(c.Phones, c.Emails...) {
				ways = append(ways, w.Value)
			}
			fmt.Fprintf(a.out, "%-30s %-9s %s\n", c.Name, c.Stage, strings.Join(ways, " "))
		}
		return err
	case "add":
		if len(args) == 0 {
			return errors.New("add needs a name")
		}
		f := replica.Fields{}
		if last := args[len(args)-1]; strings.HasPrefix(last, "+") {
			f[crdt.FieldPhone+last] = "mobile"
			args = args[:len(args)-1]
		}
		f[crdt.FieldName] = strings.Join(args, " ")
		_, err := a.AddContact(ctx, f)
		return err
	case "log":
		return a.log(ctx, args)
	case "import":
		return a.importFile(ctx, args)
	case "status":
		return a.status(ctx)
	}
	return fmt.Errorf("command %q is not known: see trio device -h", command)
}

// patience is how long sync goes on without getting level, or without being connected at all.
const (
	patience  = 5 * time.Minute
	noneAtAll = 10 * time.Second
)

// sync runs until this device and the server are level.
func (a *app) sync(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	start := time.Now()
	ctx, end := context.WithCancel(ctx)
	defer end()
	s := a.NewSyncer(replica.SyncerConfig{URL: a.URL, Token: a.Token, App: "trio device", Log: slog.New(slog.DiscardHandler)})
	changed, stop := a.Watch()
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("not in sync yet, what is here stays here: %w", cmp.Or(s.State().Err, err, ctx.Err()))
		case <-changed:
		case <-time.After(50 * time.Millisecond):
		}
		st := s.State()
		if !st.Connected && time.Since(start) > noneAtAll {
			end()
		}
		if st.Level {
			end()
			<-ended
			return a.status(context.WithoutCancel(ctx))
		}
	}
}

func (a *app) status(ctx context.Context) error {
	st, err := a.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%d changes here, receipt up to %d, %d only on this device; today is %s\n", st.Changes, st.Receipt.Seq, st.Unsent, st.Today)
	unsent, err := a.Unsent(ctx)
	for _, u := range unsent {
		if u.Reason != "" {
			fmt.Fprintf(a.out, "refused: %s of %s: %s\n", u.Doc, u.At.Format(time.DateTime), u.Reason)
		}
	}
	return err
}

func (a *app) top(ctx context.Context) error {
	for _, l := range []ranking.List{ranking.Prospects, ranking.Members} {
		top, err := a.TopThree(ctx, l, "en")
		if err != nil {
			return err
		}
		fmt.Fprintln(a.out, strings.ToUpper(l.String()))
		for i, s := range top {
			fmt.Fprintf(a.out, "%d %s  (%s)\n  because %s\n  “%s”\n", i+1, s.Step, s.Name, strings.Join(s.Reasons, "; "), s.Wording)
		}
		if len(top) == 0 {
			fmt.Fprintln(a.out, "nothing needed today")
		}
	}
	return nil
}

func (a *app) log(ctx context.Context, args []string) error {
	if len(args) < 2 || !crdt.Kind(args[0]).IsTouch() {
		return errors.New("log needs a kind (call, text, email, meet) and words that find the contact")
	}
	cs, err := a.Contacts(ctx, strings.Join(args[1:], " "), 0, 2)
	if err != nil {
		return err
	}
	if len(cs) != 1 {
		return fmt.Errorf("%q finds not exactly one contact: see trio device list", strings.Join(args[1:], " "))
	}
	_, err = a.Log(ctx, crdt.Entry{Kind: crdt.Kind(args[0]), Contact: cs[0].ID})
	return err
}

func (a *app) importFile(ctx context.Context, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("import needs one file, and maybe a calling code such as +34")
	}
	var opt importer.Options
	if len(args) == 2 {
		opt.CallingCode = args[1]
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, _ := io.ReadFull(f, head) // a short file is no error
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var done replica.Imported
	var problems []importer.Problem
	switch kind := importer.Sniff(args[0], head[:n]); kind {
	case importer.OrdersFile:
		var orders []importer.Order
		if orders, problems, err = importer.ReadOrders(f, opt); err == nil {
			done, err = a.ImportOrders(ctx, orders)
		}
	case importer.VCardFile, importer.ContactsFile:
		read := importer.ReadContactsCSV
		if kind == importer.VCardFile {
			read = importer.ReadVCards
		}
		var people []importer.Person
		if people, problems, err = read(f, opt); err == nil {
			done, err = a.ImportPeople(ctx, people)
		}
	default:
		err = fmt.Errorf("%s is neither a vCard file nor a table of contacts or orders", args[0])
	}
	for _, p := range problems {
		fmt.Fprintln(a.out, p)
	}
	fmt.Fprintf(a.out, "%d contacts are new, %d were here; %d orders are new, %d were here\n", done.NewContacts, done.SameContacts, done.NewOrders, done.SameOrders)
	return err
}
