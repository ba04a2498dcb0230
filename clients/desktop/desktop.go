// Package desktop is the promoter's companion on a computer. For now it is a command line: join a member's documents by an
// invitation, see the next three, capture, log, import, sync, pair another device. It is a replica like any other and works without
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
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"trio/crdt"
	"trio/replica"
	"trio/replica/importer"
)

const usage = `trio device keeps a promoter's book on this computer

usage: trio device [--data DIR] [--name NAME] COMMAND [ARGUMENT ...]

  join LINK           make this computer one of the member's devices by an invitation, and pull the book;
                      with --name before it, under another name than the computer's own
  join URL CODE       the same with the code of the invitation; or with a device token
  profile [KEY=VALUE ...]
                      show the member's profile, or set name=Maya, zone=Europe/Madrid, language=es, boards=off: your
                      numbers are then for you alone
  top                 what is due right now, the next three to do of prospects and of members, with numbers, and
                      the reminder that is due
  did N [OUTCOME]     log that you did what top shows as number N; OUTCOME is no_answer, not_ready, answered,
                      replied, moved or enrolled
  later N, not N      not today; or not this at all
  list [WORDS]        contacts, or those in which all words are found
  add NAME [+PHONE]   capture a contact
  result N OUTCOME, result WORDS OUTCOME
                      say later what came of it: of number N of top, or of the last touch with the contact
  log KIND WORDS [OUTCOME]
                      log a call, text, email, meet or ask with the one contact that the words find; what the
                      suggestions of today ask for counts as done
  log promise WORDS DAY
                      you said you would get back: on a date, friday, tomorrow or in a number of days. It is first
                      on the list on that day
  snooze WORDS DATE   do not suggest the contact before a date, or for a number of days; 0 ends it
  stage WORDS STAGE   the contact is a prospect, customer or promoter
  consent WORDS given|opted_out|unknown
                      whether the contact may be contacted
  undo                take the last entry back that was logged here within a day: log, did, result, later, not, done
  done WHAT [HOW]     note what a goal counts: learn MINUTES, share, present, lessons [N], ask WORDS, event WORDS, …
  goal DIMENSION N    commit to N a day: outreach, followup, learn (minutes), share, …; 0 ends it. From today on, or
                      from tomorrow where it would undo a day that is done
  goals               how today, this week and the streak stand, and the reminder that is due
  boards              who did most of what this week and month, your own place, and who was recognised; without the
                      server as it last said
  team                how the commitments of those stand whom you sponsor, likewise
  rest [DATE|DAYS]    a rest day: today, a date, or days of each week such as sa su; rest none ends the weekly ones,
                      rest off DATE makes a date a day like others
  import FILE [CODE]  bring a vCard file, a table of contacts or an export of orders in; CODE is the calling
                      code of phone numbers that have none, such as +34: without it they are left out
  export FILE [all]   save what is only on this device, or all of the book, as a file that another device of yours can
                      bring; people.vcf, people.csv, log.csv or book.json in place of all make a file to read
  bring FILE          take in what another device of yours saved with export
  sync                send and receive what is due, then stop
  status              how far this device has come, and what is only here
  pair                invite another device of yours: prints code, link and QR code, good for a quarter of an hour
  devices             your devices, with what is known of each
  revoke DEVICE       take the access of a lost device back, or of this one to sign out; by its name or the start of its id
`

// access is what join keeps beside the database.
type access struct {
	URL    string        `json:"url"`
	Token  string        `json:"token"`
	Member crdt.MemberID `json:"member"`
	Device crdt.DeviceID `json:"device"`
	Name   string        `json:"name,omitempty"` // the member's, as the server has it
}

type app struct {
	access
	*replica.Replica
	out  io.Writer
	dir  string
	name string // of this computer, for join; "" for its own
	self string // how this command is called for the same folder
	lang string // the member's, "" before the replica is open
}

// userError is an error that a person can mend, with how.
type userError struct {
	msg, hint string
	status    int // of the exit; 0: 1
	err       error
}

func (e *userError) Error() string { return e.msg }
func (e *userError) Unwrap() error { return e.err }

// wrong says that the arguments are wrong.
func wrong(hint, format string, args ...any) error {
	return &userError{msg: fmt.Sprintf(format, args...), hint: hint, status: 2}
}

// Main is the command: it reads the arguments behind `trio device`, prints "error:" and "hint:" lines when it cannot do
// what they say, and returns the exit status: 0, 1 when it failed, 2 when the arguments are wrong.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fs := flag.NewFlagSet("trio device", flag.ContinueOnError)
	fs.SetOutput(stderr)
	data := fs.String("data", defaultData, "`folder` of this device's data")
	name := fs.String("name", "", "what the member's other devices call this `computer`, for join; its own name when empty")
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
	a := &app{out: stdout, dir: *data, self: "trio device", name: *name}
	if *data != defaultData {
		a.self = "trio device --data " + quoted(*data)
	}
	err := a.run(ctx, fs.Arg(0), fs.Args()[1:])
	if err == nil {
		return 0
	}
	if errors.Is(err, replica.ErrLeft) {
		err = &userError{
			msg:  err.Error(),
			hint: "what was only here is with your company; with a new invitation from it: " + a.self + " join LINK", err: err,
		}
	}
	fmt.Fprintf(stderr, "error: %v\n", err)
	var u *userError
	if !errors.As(err, &u) {
		return 1
	}
	if u.hint != "" {
		fmt.Fprintf(stderr, "hint: %s\n", u.hint)
	}
	return cmp.Or(u.status, 1)
}

// defaultData is the folder of a device's data where none is given.
const defaultData = "trio-device"

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t'\"$&;()*?<>|") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}

// commands are the commands, with the fewest and the most arguments that they take.
var commands = map[string]struct {
	least, most int
	want        string
}{
	"join": {1, 2, "the link of an invitation, or the server's address and a code or a device token"}, "profile": {0, 4, "at most name=…, zone=…, language=… and boards=…"},
	"top": {0, 0, "no argument"}, "list": {0, 100, "words"}, "add": {1, 100, "a name"},
	"log":    {2, 100, "a kind (call, text, email, meet, ask, promise) and words that find the contact"},
	"result": {2, 100, "the number of a suggestion or words that find the contact, and an outcome"},
	"did":    {1, 2, "the number of a suggestion, and maybe an outcome"}, "later": {1, 1, "the number of a suggestion"}, "not": {1, 1, "the number of a suggestion"},
	"snooze": {2, 100, "words that find the contact, and a date or days"}, "stage": {2, 100, "words that find the contact, and prospect, customer or promoter"},
	"consent": {2, 100, "words that find the contact, and given, opted_out or unknown"}, "undo": {0, 0, "no argument"},
	"done": {1, 100, "what a goal counts, and minutes, a number or words that find a contact"}, "goal": {2, 2, "a dimension and a number, such as outreach 3"}, "goals": {0, 0, "no argument"},
	"boards": {0, 0, "no argument"}, "team": {0, 0, "no argument"},
	"rest":   {0, 7, "a date, or days of the week"},
	"import": {1, 2, "one file, and maybe a calling code such as +34"}, "sync": {0, 0, "no argument"}, "status": {0, 0, "no argument"},
	"export": {1, 2, "a file to write, and maybe all, people.vcf, people.csv, log.csv or book.json"}, "bring": {1, 1, "one file"},
	"pair": {0, 0, "no argument"}, "devices": {0, 0, "no argument"}, "revoke": {1, 100, "a device's name or the start of its id"},
}

func (a *app) run(ctx context.Context, command string, args []string) error {
	switch c, ok := commands[command]; {
	case !ok:
		return wrong("trio device -h lists the commands", "command %q is not known", command)
	case len(args) < c.least || len(args) > c.most:
		return wrong("see trio device -h", "%s takes %s", command, c.want)
	case a.name != "" && command != "join":
		return wrong(a.self+" --name NAME join LINK", "--name is for join")
	}
	dir := a.dir
	keep := filepath.Join(dir, "access.json")
	b, err := os.ReadFile(keep)
	switch {
	case err == nil:
		err = json.Unmarshal(b, &a.access)
	case errors.Is(err, os.ErrNotExist) && command == "join":
		err = nil
	case errors.Is(err, os.ErrNotExist):
		return &userError{msg: dir + " is no device's data yet", hint: "join first: trio device --data " + quoted(dir) + " join LINK"}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", keep, err)
	}
	if command == "join" {
		tidy := missing(dir)
		server, token, err := a.invited(ctx, dir, keep, args)
		if err == nil {
			err = a.join(ctx, dir, keep, server, token)
		}
		if err != nil {
			for _, made := range tidy {
				os.Remove(made) //nolint:errcheck // one that something is in stays
			}
			return err
		}
	} else if a.Replica, err = replica.Open(ctx, a.config(dir)); err != nil {
		return err
	}
	a.lang, err = a.Profile(ctx, crdt.ProfileLanguage)
	if err == nil || errors.Is(err, replica.ErrLeft) { // each command says it itself
		err = a.do(ctx, command, args)
	}
	return errors.Join(err, a.Close())
}

// missing are the folders that are to be made for a path, the innermost first.
func missing(dir string) (all []string) {
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			return all
		}
		all = append(all, dir)
	}
}

// database is the file of the book in a device's folder.
const database = "replica.db"

// emptied says whether a folder is of a device that emptied itself.
func emptied(ctx context.Context, dir string) bool {
	path := filepath.Join(dir, database)
	if _, err := os.Stat(path); err != nil {
		return false
	}
	r, err := replica.Open(ctx, replica.Config{Path: path})
	if err != nil {
		return false // whoever opens it next says why
	}
	defer r.Close()
	st, err := r.Status(ctx)
	return err == nil && !st.Left.IsZero()
}

// clear removes what a device that emptied itself left, so that its folder can be another device's. The access is the first
// to go: without the rest it would be a device that has only to sync.
func (a *app) clear() error {
	a.access = access{}
	for _, name := range []string{"access.json", "top.json", database, database + "-wal", database + "-shm"} {
		if err := os.Remove(filepath.Join(a.dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (a *app) config(dir string) replica.Config {
	return replica.Config{Path: filepath.Join(dir, database), Member: a.access.Member, Device: a.access.Device}
}

// join opens the replica of the device that a token is for, and keeps the access once it is open. Data of another member
// or device stays as it is.
func (a *app) join(ctx context.Context, dir, keep, server, token string) error {
	now, err := whoAmI(ctx, server, token)
	if err != nil {
		return err
	}
	if emptied(ctx, dir) {
		if err := a.clear(); err != nil {
			return err
		}
	}
	others := &userError{
		msg:  "the token is for another member or device than the data in " + dir,
		hint: "choose another folder: trio device --data DIR join …",
	}
	if was := a.access; was.Member != (crdt.MemberID{}) && (was.Member != now.Member || was.Device != now.Device) {
		return others
	}
	a.access = now
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if a.Replica, err = replica.Open(ctx, a.config(dir)); errors.Is(err, replica.ErrOther) {
		others.err = err
		return others
	} else if err != nil {
		return err
	}
	b, err := json.Marshal(a.access)
	if err == nil {
		err = replace(keep, b)
	}
	if err != nil {
		return errors.Join(err, a.Close())
	}
	fmt.Fprintf(a.out, "this computer is now a device of %s (member %s, device %s)\n", cmp.Or(a.Name, "the member"), a.access.Member, a.access.Device)
	return nil
}

// replace writes a file so that a crash leaves the old content or the new one.
func replace(path string, content []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(content, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// whoAmI asks a server whose a token is.
func whoAmI(ctx context.Context, server, token string) (access, error) {
	a := access{Token: token}
	u, err := serverURL(server)
	if err != nil {
		return a, err
	}
	var answer struct {
		Member  crdt.MemberID `json:"member"`
		Device  crdt.DeviceID `json:"device"`
		Name    string        `json:"name"`
		Revoked bool          `json:"revoked"`
	}
	err = ask(ctx, http.MethodGet, u.JoinPath("/v1/device"), token, nil, &answer)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusUnauthorized {
		return a, &userError{msg: "the server does not know this device token", hint: "ask your company for an invitation: trio device join LINK"}
	}
	if err != nil {
		return a, err
	}
	switch {
	case answer.Revoked:
		return a, &userError{msg: "the access of this device was taken back", hint: "ask your company for a new invitation"}
	case answer.Member == (crdt.MemberID{}):
		return a, &userError{msg: server + " does not say whose this token is", hint: "check the address"}
	}
	a.Member, a.Device, a.Name, a.URL = answer.Member, answer.Device, strings.TrimSpace(answer.Name), syncURL(u)
	return a, nil
}

func (a *app) do(ctx context.Context, command string, args []string) error {
	switch command {
	case "join":
		return a.pull(ctx)
	case "sync":
		if err := a.sync(ctx); err != nil {
			return err
		}
		// The server hears at once what was shown here, and the other devices by it.
		if n, err := a.giveAlerts(ctx); err != nil {
			return err
		} else if n > 0 {
			if err := a.sync(ctx); err != nil {
				return err
			}
		}
		return a.status(ctx)
	case "export":
		what := "unsent"
		if len(args) > 1 {
			what = args[1]
		}
		return a.export(ctx, args[0], what)
	case "bring":
		return a.bring(ctx, args[0])
	case "profile":
		return a.profile(ctx, args)
	case "top":
		if _, err := a.giveAlerts(ctx); err != nil {
			return err
		}
		return a.top(ctx)
	case "did":
		return a.did(ctx, args)
	case "later":
		return a.decline(ctx, args[0], crdt.Skipped)
	case "not":
		return a.decline(ctx, args[0], crdt.Dismissed)
	case "result":
		return a.result(ctx, args)
	case "snooze":
		return a.snooze(ctx, args)
	case "stage":
		return a.stage(ctx, args)
	case "consent":
		return a.consent(ctx, args)
	case "undo":
		return a.undo(ctx)
	case "list":
		return a.list(ctx, args)
	case "add":
		f := replica.Fields{}
		if last := args[len(args)-1]; strings.HasPrefix(last, "+") {
			f[crdt.FieldPhone+last] = "mobile"
			args = args[:len(args)-1]
		}
		f[crdt.FieldName] = strings.Join(args, " ")
		id, err := a.AddContact(ctx, f)
		if err != nil {
			return err
		}
		c, err := a.Contact(ctx, id)
		if err == nil {
			a.say("%s is in your book", c.Display())
		}
		return err
	case "log":
		return a.log(ctx, args)
	case "done":
		return a.done(ctx, args)
	case "goal":
		return a.commit(ctx, args)
	case "rest":
		return a.rest(ctx, args)
	case "goals":
		return a.goals(ctx)
	case "boards":
		return a.boards(ctx, func(string, string) bool { return true })
	case "team":
		return a.team(ctx)
	case "import":
		return a.importFile(ctx, args)
	case "pair":
		return a.pair(ctx)
	case "devices":
		return a.devices(ctx)
	case "revoke":
		return a.revoke(ctx, strings.Join(args, " "))
	default:
		return a.status(ctx)
	}
}

// pull brings the book here for the first time. A member whose profile has no name yet gets the one that the server
// knows, as what is suggested to say has it; only then, because another device may have set one.
func (a *app) pull(ctx context.Context) error {
	if err := a.sync(ctx); err != nil {
		return err
	}
	p, err := a.readProfile(ctx)
	if err == nil && p[crdt.ProfileName] == "" && a.Name != "" {
		if err = a.SetProfile(ctx, crdt.ProfileName, a.Name); err == nil {
			err = a.sync(ctx)
		}
	}
	if err != nil {
		return err
	}
	return a.status(ctx)
}

// shown are the fields of the profile that the command line knows.
var shown = []string{crdt.ProfileName, crdt.ProfileZone, crdt.ProfileLanguage, crdt.ProfileBoards}

func (a *app) profile(ctx context.Context, args []string) error {
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || !slices.Contains(shown, key) {
			return wrong("want name=…, zone=…, language=… or boards=…", "%q is not a field of the profile", arg)
		}
		if key == crdt.ProfileLanguage {
			tongue, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(value), "_", "-"), "-")
			if known := a.Playbook().Languages; tongue != "" && !slices.Contains(known, tongue) {
				return wrong("want one of "+strings.Join(known, ", ")+", maybe with a region behind it as in es-MX",
					"language %q is not one that the playbook has words in", value)
			}
		}
	}
	for _, arg := range args {
		key, value, _ := strings.Cut(arg, "=")
		set := a.SetProfile
		if key == crdt.ProfileZone && strings.TrimSpace(value) != "" { // a move changes no day that was
			set = func(ctx context.Context, _, zone string) error { return a.MoveHome(ctx, zone) }
		}
		if err := set(ctx, key, strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	p, err := a.readProfile(ctx)
	if err != nil {
		return err
	}
	for _, key := range shown {
		fmt.Fprintf(a.out, "%-9s %s\n", key, cmp.Or(p[key], "-"))
	}
	return nil
}

func (a *app) readProfile(ctx context.Context) (map[string]string, error) {
	p := map[string]string{}
	for _, key := range shown {
		v, err := a.Profile(ctx, key)
		if err != nil {
			return nil, err
		}
		p[key] = v
	}
	if p[crdt.ProfileZone] != "" {
		p[crdt.ProfileZone] = a.HomeZone()
	}
	return p, nil
}

// maxListed is how many contacts one list shows.
const maxListed = 200

// everybody is a limit above any book.
const everybody = 1 << 30

func (a *app) list(ctx context.Context, words []string) error {
	cs, err := a.Contacts(ctx, strings.Join(words, " "), 0, everybody)
	for i, c := range cs {
		if i == maxListed {
			fmt.Fprintf(a.out, "… and %d more: words narrow the list, such as %s list ana\n", len(cs)-i, a.self)
			break
		}
		mark := ""
		if c.Consent == crdt.ConsentOut {
			mark = parens(a.word("opted out"))
		}
		fmt.Fprintf(a.out, "%s %s %s%s\n", pad(c.Name, 30), pad(a.word(c.Stage), 9), strings.Join(ways(c), " "), mark)
	}
	return err
}

func ways(c replica.Contact) (all []string) {
	for _, w := range slices.Concat(c.Phones, c.Emails) {
		all = append(all, w.Value)
	}
	return all
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
			if now, err := a.Status(ctx); err == nil && !now.Left.IsZero() {
				_, err := a.UnsentCount(ctx)
				return err // says since when it is empty
			}
			st := s.State()
			why := cmp.Or(st.Err, err, ctx.Err())
			u := &userError{msg: fmt.Sprintf("not in sync yet, what is here stays here: %v", why), hint: a.self + " sync tries again", err: why}
			if st.Final {
				u.hint = "trying again does not help: this device needs a new access or a newer build"
			}
			return u
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
			return nil
		}
	}
}

func (a *app) status(ctx context.Context) error {
	st, err := a.Status(ctx)
	if err != nil {
		return err
	}
	if !st.Left.IsZero() {
		fmt.Fprintf(a.out, "this device's access was taken back on %s; what was only here is with your company, and it is empty\n", st.Left.Format(time.DateOnly))
		return nil
	}
	fmt.Fprintf(a.out, "device %s of member %s\n", a.access.Device, a.access.Member)
	fmt.Fprintf(a.out, "changes: %d here, %d only on this device; receipt up to %d; today is %s\n", st.Changes, st.Unsent, st.Receipt.Seq, st.Today)
	a.playbook(st.Playbook)
	unsent, err := a.Unsent(ctx)
	for _, u := range unsent {
		if u.Reason != "" {
			fmt.Fprintf(a.out, "refused: %s of %s: %s\n", u.Doc, u.At.Format(time.DateTime), u.Reason)
		}
	}
	return err
}

// playbook says by which playbook the device goes.
func (a *app) playbook(p replica.PlaybookStatus) {
	if p.Version == 0 {
		fmt.Fprintln(a.out, "playbook: what this build brings; none of the company's has come")
	} else {
		brand := ""
		if p.Brand != "" {
			brand = " of " + p.Brand
		}
		fmt.Fprintf(a.out, "playbook: version %d, %s%s, since %s\n", p.Version, p.Name, brand, p.Since.Format(time.DateTime))
	}
	if p.Newer > 0 {
		fmt.Fprintf(a.out, "playbook %d is here too, and this build cannot read it (%s): update the app\n", p.Newer, p.Why)
	}
}

func (a *app) importFile(ctx context.Context, args []string) error {
	var opt importer.Options
	if len(args) == 2 {
		opt.CallingCode = args[1]
	}
	f, err := ReadFile(args[0], importer.UnknownFile, opt)
	if errors.Is(err, os.ErrNotExist) {
		return &userError{msg: args[0] + " is not there", hint: "check the name, or give the whole path", err: err}
	}
	if err != nil {
		return err
	}
	for _, p := range f.Problems {
		fmt.Fprintln(a.out, p)
	}
	var done replica.Imported
	if f.Kind == importer.OrdersFile {
		done, err = a.ImportOrders(ctx, f.Orders)
	} else {
		done, err = a.ImportPeople(ctx, f.People)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "contacts: %d new, %d known already; orders: %d new, %d known already", done.NewContacts, done.SameContacts, done.NewOrders, done.SameOrders)
	if done.Unknown > 0 {
		fmt.Fprintf(a.out, ", %d without a customer to go by", done.Unknown)
	}
	fmt.Fprintln(a.out)
	return nil
}
