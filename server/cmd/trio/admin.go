package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"trio/clients/qr"
	"trio/crdt"
	"trio/server/admin"
	"trio/server/store"
)

const adminUsage = `trio admin looks after companies, their people and their devices; the server may run meanwhile

usage: trio admin [--data DIR] [--config FILE] [--json] COMMAND [ARGUMENT ...] [--FLAG VALUE ...]
`

// adminFlags are the flags of commands; nil and zero are not given.
type adminFlags struct {
	name, team, sponsor, root *string
	scopes                    string
	members, devices, bytes   *int64
	after, version, company   *int64
	depth, days               *int64
	force, learnt             bool
	invite                    bool
}

// define makes a flag of a command.
func (f *adminFlags) define(fs *flag.FlagSet, name string) {
	text := func(p **string, usage string) {
		fs.Func(name, usage, func(s string) error { *p = &s; return nil })
	}
	number := func(p **int64, usage string) {
		fs.Func(name, usage, func(s string) error {
			n, err := strconv.ParseInt(s, 10, 64)
			if err != nil {
				return errors.New("want a whole number, of 18 digits at most")
			}
			*p = &n
			return nil
		})
	}
	switch name {
	case "name":
		text(&f.name, "")
	case "team":
		text(&f.team, "")
	case "sponsor":
		text(&f.sponsor, "")
	case "root":
		text(&f.root, "")
	case "scope":
		fs.StringVar(&f.scopes, name, string(store.ScopeFeed), "")
	case "members":
		number(&f.members, "")
	case "devices":
		number(&f.devices, "")
	case "bytes":
		number(&f.bytes, "")
	case "after":
		number(&f.after, "")
	case "version":
		number(&f.version, "")
	case "company":
		number(&f.company, "")
	case "force":
		fs.BoolVar(&f.force, name, false, "")
	case "learnt":
		fs.BoolVar(&f.learnt, name, false, "")
	case "depth":
		number(&f.depth, "")
	case "days":
		number(&f.days, "")
	case "invite":
		fs.BoolVar(&f.invite, name, false, "")
	}
}

func (f *adminFlags) quota() admin.QuotaEdit {
	return admin.QuotaEdit{Members: f.members, Devices: f.devices, Bytes: f.bytes}
}

// An adminCommand is one thing that an operator does. args and flags are named as the help shows them.
type adminCommand struct {
	group, name, args, flags, help string
	run                            func(*adminRun) error
}

// adminCommands are the commands in the order of the help.
func adminCommands() []adminCommand {
	const (
		companies = "companies"
		people    = "people"
		devices   = "devices"
		backup    = "after the database was put back from a backup, with the server stopped"
		quotas    = "members devices bytes"
	)
	return []adminCommand{
		{companies, "company", "NAME", quotas, "make a company; prints its number", (*adminRun).company},
		{companies, "companies", "", "", "all companies", (*adminRun).companies},
		{companies, "quota", "COMPANY", quotas, "bound its members, the devices and bytes of each; 0 is no bound; without flags: show", (*adminRun).quota},
		{companies, "key", "COMPANY NAME", "scope", "make an API key; prints it, once; --scope " + scopeWords() + " (default feed)", (*adminRun).key},
		{companies, "keys", "COMPANY", "", "its keys, without their secrets", (*adminRun).keys},
		{companies, "revoke-key", "COMPANY KEY", "", "take a key back, by its number", (*adminRun).revokeKey},

		{people, "member", "COMPANY NAME", "team sponsor invite", "make a member; prints the id, with --invite an invitation too", (*adminRun).member},
		{people, "members", "COMPANY", "", "its members", (*adminRun).members},
		{people, "edit", "MEMBER", "name team sponsor", `change a member; --team "" and --sponsor none take these away`, (*adminRun).edit},
		{people, "tree", "COMPANY", "root depth", "who brought whom, from a member down or from the top", (*adminRun).tree},
		{people, "invite", "MEMBER", "days", "invite to make a device; prints code, link and QR code, once", (*adminRun).invite},
		{people, "invites", "MEMBER", "", "invitations, and what became of them", (*adminRun).invites},
		{people, "revoke-invite", "COMPANY INVITATION", "", "take an invitation back, by its number", (*adminRun).revokeInvite},

		{devices, "device", "MEMBER NAME", "", "make a device without an invitation; prints its token, once", (*adminRun).device},
		{devices, "devices", "MEMBER", "", "its devices: last receipt, what is only on them, version, last seen", (*adminRun).devices},
		{devices, "revoke", "DEVICE", "", "take a device's access back: it brings what it had not sent, and empties itself", (*adminRun).revoke},
		{devices, "unsent", "DEVICE", "", "what a revoked device had not sent, kept apart", (*adminRun).unsent},
		{devices, "accept", "DEVICE", "", "take that over into the member's documents", (*adminRun).accept},
		{devices, "discard", "DEVICE", "", "set that aside for good: it is still shown, and counts no more", (*adminRun).discard},

		{backup, "restored", "", "", "let corporate's cursors of before be refused, not skip what is new", (*adminRun).restored},
		{backup, "adopt", "MEMBER DEVICE", "", "know a device again that the backup does not; its changes come back by other devices", (*adminRun).adopt},
		{backup, "readmit", "MEMBER DEVICE", "", "know it again and let it sync: prints a new token, once; trio device join URL TOKEN in its folder", (*adminRun).readmit},
		{backup, "remember", "COMPANY MEMBER NAME", "", "make a member that the backup does not know, with the id it had", (*adminRun).remember},
	}
}

func scopeWords() string {
	var words []string
	for _, s := range store.Scopes {
		words = append(words, string(s))
	}
	return strings.Join(words, ",")
}

func adminHelp(w io.Writer) {
	fmt.Fprint(w, adminUsage)
	listCommands(w, adminCommands())
}

// listCommands tells the commands, and what is so of all of them.
func listCommands(w io.Writer, cmds []adminCommand) {
	group := ""
	for _, c := range cmds {
		if c.group != group {
			group = c.group
			fmt.Fprintf(w, "\n%s\n", group)
		}
		line := c.name
		if c.args != "" {
			line += " " + c.args
		}
		for _, f := range strings.Fields(c.flags) {
			line += " [--" + f + "]"
		}
		fmt.Fprintf(w, "  %s\n        %s\n", line, c.help)
	}
	fmt.Fprint(w, `
The folder is the one of trio serve's settings unless --data names it. --json prints one JSON object, or one a line.
`)
}

// adminRun is one run of a command.
type adminRun struct {
	context.Context
	*admin.Service
	adminFlags
	args []string
	json bool
	out  io.Writer
	warn string // what badLinks says
}

func administer(ctx context.Context, args []string) error {
	return adminProgram{"trio admin", adminCommands(), adminHelp}.run(ctx, args)
}

// An adminProgram is one of the program's commands that has commands of its own, on the data of a server.
type adminProgram struct {
	name string
	cmds []adminCommand
	help func(io.Writer)
}

func (p adminProgram) run(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet(p.name, flag.ContinueOnError)
	data := fs.String("data", "", "")
	file := fs.String("config", "", "")
	asJSON := fs.Bool("json", false, "")
	fs.SetOutput(io.Discard)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		p.help(os.Stdout)
		return err
	case err != nil:
		return &wrong{err.Error(), "see " + p.name + " -h", 2}
	case fs.NArg() == 0:
		p.help(os.Stderr)
		return errUsage
	}
	name, rest := fs.Arg(0), fs.Args()[1:]
	i := slices.IndexFunc(p.cmds, func(c adminCommand) bool { return c.name == name })
	if i < 0 {
		return &wrong{fmt.Sprintf("command %.60q is not known", name), "see " + p.name + " -h", 2}
	}
	cmd := p.cmds[i]
	r := &adminRun{Context: ctx, out: os.Stdout}
	cs := flag.NewFlagSet(p.name+" "+name, flag.ContinueOnError)
	cs.BoolVar(asJSON, "json", *asJSON, "")
	cs.StringVar(data, "data", *data, "")
	cs.StringVar(file, "config", *file, "")
	for _, f := range strings.Fields(cmd.flags) {
		r.define(cs, f)
	}
	cs.SetOutput(io.Discard)
	var err error
	switch r.args, err = interleaved(cs, rest); {
	case errors.Is(err, flag.ErrHelp):
		p.help(os.Stdout)
		return err
	case err != nil:
		return &wrong{err.Error(), "see " + p.name + " -h", 2}
	}
	if want := strings.Fields(cmd.args); len(want) != len(r.args) {
		hint := "see " + p.name + " -h"
		if len(r.args) > len(want) && len(want) > 0 {
			hint = "a name of several words stands in quotes; " + hint
		}
		return &wrong{fmt.Sprintf("%s takes %s, not %s", name, cmp.Or(cmd.args, "no argument"), counted(len(r.args), "argument")), hint, 2}
	}
	r.json = *asJSON
	c, err := adminSettings(*data, *file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, dbName)); errors.Is(err, os.ErrNotExist) {
		if name != "company" {
			return &wrong{
				fmt.Sprintf("there is no server's data in %s", c.Data),
				"name the folder: " + p.name + " --data DIR …; trio serve and trio admin company make one", 1,
			}
		}
		// No folder and no database are made for a company that cannot be.
		if err := admin.CheckCompany(r.args[0], r.adminFlags.quota()); err != nil {
			return mendable(err)
		}
	}
	st, err := openStore(ctx, c.Data, nil, true)
	if err != nil {
		return plainly(err, c.Data)
	}
	r.warn = c.badLinks()
	if r.Service, err = admin.New(admin.Config{Store: st, PublicURL: c.publicURL(c.Listen), QR: qr.SVG}); err == nil {
		err = cmd.run(r)
	}
	return plainly(errors.Join(mendable(err), st.Close()), c.Data)
}

// mendable is an error with what to do about it, if it is one that whoever asked can mend.
func mendable(err error) error {
	e, ok := errors.AsType[*admin.Error](err)
	if !ok {
		return err
	}
	w := &wrong{err.Error(), e.Hint, 1} // with what was done before
	if e.Status == 400 {
		w.status = 2
	}
	return w
}

// plainly says once, and with what to do, that a server's data could not be written.
func plainly(err error, data string) error {
	switch {
	case noSpace(err):
		return &wrong{fmt.Sprintf("the disk of %s is full: this is not stored, what was stored before is safe", data), "free some space there, then give the command again", 1}
	case errors.Is(err, store.ErrBusy):
		return &wrong{fmt.Sprintf("the database in %s is busy: this is not stored", data), "give the command again in a moment", 1}
	}
	return err
}

// adminSettings are those of the server whose data it is.
func adminSettings(data, file string) (*config, error) {
	var from []string
	if file != "" {
		from = append(from, "--config", file)
	}
	if data != "" {
		from = append(from, "--data", data)
	}
	return load(flag.NewFlagSet("trio admin", flag.ContinueOnError), from, os.Environ())
}

// interleaved parses flags that may stand between and behind the arguments; what comes after -- is none.
func interleaved(fs *flag.FlagSet, args []string) (list []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" || len(rest) == 0 {
			return append(list, rest...), nil
		}
		list, args = append(list, rest[0]), rest[1:]
	}
}

func (r *adminRun) companyID() (t store.Tenant, err error) {
	n, err := r.number(0, "company", "companies")
	return store.Tenant(n), err
}

// number is an argument that is a thing's number; list is the command that tells it.
func (r *adminRun) number(arg int, what, list string) (int64, error) {
	n, err := strconv.ParseInt(r.args[arg], 10, 64)
	if err != nil || n < 1 {
		return 0, &wrong{fmt.Sprintf("%s %.40q is not its number", what, r.args[arg]), "trio admin " + list + " tells it", 2}
	}
	return n, nil
}

func (r *adminRun) memberID(s string) (m crdt.MemberID, err error) {
	if err := m.UnmarshalText([]byte(s)); err != nil {
		return m, &wrong{fmt.Sprintf("member %v", err), "trio admin members COMPANY tells the ids", 2}
	}
	return m, nil
}

func (r *adminRun) deviceID(s string) (d crdt.DeviceID, err error) {
	if err := d.UnmarshalText([]byte(s)); err != nil {
		return d, &wrong{fmt.Sprintf("device %v", err), "trio admin devices MEMBER tells the ids", 2}
	}
	return d, nil
}

// print prints v as JSON, or else a line.
func (r *adminRun) print(v, line any) error {
	if r.json {
		return json.NewEncoder(r.out).Encode(v)
	}
	_, err := fmt.Fprintln(r.out, line)
	return err
}

// printAll prints a list, all of its pages, as a table with a head, or as JSON a line.
func printAll[T any](r *adminRun, head string, read func(admin.Page) (admin.List[T], error), row func(T) []any) error {
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	if !r.json && head != "" {
		fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t"))
	}
	for p := (admin.Page{Limit: admin.MaxPage}); ; {
		l, err := read(p)
		if err != nil {
			return err
		}
		for _, it := range l.Items {
			if r.json {
				if err := json.NewEncoder(r.out).Encode(it); err != nil {
					return err
				}
				continue
			}
			for i, cell := range row(it) {
				if i > 0 {
					fmt.Fprint(w, "\t")
				}
				fmt.Fprint(w, shown(fmt.Sprint(cell)))
			}
			fmt.Fprintln(w)
		}
		if p.After = l.Next; p.After == "" {
			return w.Flush()
		}
	}
}

// shown is a text of somebody else as a terminal may print it.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) || r == '\u200c' || r == '\u200d' {
			return r
		}
		return '?'
	}, cmp.Or(s, "-"))
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func bound[T int | int64](n T) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

const companyHead = "COMPANY NAME MEMBERS DEVICES MAX-MEMBERS MAX-DEVICES MAX-BYTES"

func companyRow(c admin.Company) []any {
	return []any{c.ID, c.Name, c.Members, c.Devices, bound(c.Quota.Members), bound(c.Quota.Devices), bound(c.Quota.Bytes)}
}

func (r *adminRun) company() error {
	c, err := r.CreateCompany(r, admin.Operator(), r.args[0], r.adminFlags.quota())
	if err != nil && c.ID != 0 {
		return fmt.Errorf("company %d was made, its quota not set: %w", c.ID, err)
	}
	if err != nil {
		return err
	}
	return r.print(c, c.ID)
}

func (r *adminRun) companies() error {
	return printAll(r, companyHead, func(p admin.Page) (admin.List[admin.Company], error) {
		return r.Companies(r, admin.Operator(), p)
	}, companyRow)
}

func one[T any](v T, err error) func(admin.Page) (admin.List[T], error) {
	return func(admin.Page) (admin.List[T], error) { return admin.List[T]{Items: []T{v}}, err }
}

func (r *adminRun) quota() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	q := r.adminFlags.quota()
	if q == (admin.QuotaEdit{}) {
		return printAll(r, companyHead, one(r.Company(r, admin.Operator(), t)), companyRow)
	}
	return printAll(r, companyHead, one(r.SetQuota(r, admin.Operator(), t, q)), companyRow)
}

func (r *adminRun) key() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	var scopes []store.Scope
	for _, s := range parts(r.scopes) {
		scopes = append(scopes, store.Scope(s))
	}
	k, err := r.CreateKey(r, admin.Operator(), t, r.args[1], scopes)
	if err != nil {
		return err
	}
	return r.print(k, k.Secret)
}

func (r *adminRun) keys() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	return printAll(r, "KEY NAME SCOPES CREATED REVOKED", func(p admin.Page) (admin.List[admin.Key], error) {
		return r.Keys(r, admin.Operator(), t, p)
	}, func(k admin.Key) []any {
		var scopes []string
		for _, s := range k.Scopes {
			scopes = append(scopes, string(s))
		}
		return []any{k.ID, k.Name, strings.Join(scopes, ","), when(k.Created), when(k.Revoked)}
	})
}

func (r *adminRun) revokeKey() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	id, err := r.number(1, "key", "keys COMPANY")
	if err != nil {
		return err
	}
	return r.RevokeKey(r, admin.Operator(), t, id)
}

func (r *adminRun) member() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	n := admin.NewMember{Name: r.args[1]}
	if r.team != nil {
		n.Team = *r.team
	}
	if r.sponsor != nil {
		if n.Sponsor, err = r.memberID(*r.sponsor); err != nil {
			return err
		}
	}
	m, err := r.CreateMember(r, admin.Operator(), t, n)
	if err != nil {
		return err
	}
	if !r.adminFlags.invite {
		return r.print(m, m.ID)
	}
	i, err := r.newInvite(m.ID, 0)
	if err != nil {
		return fmt.Errorf("member %s was made, not invited: %w", m.ID, err)
	}
	if r.json {
		return r.print(admin.InvitedMember{Member: m, Invite: &i}, nil)
	}
	fmt.Fprintf(r.out, "member   %s\n", m.ID)
	return r.printInvite(i)
}

func (r *adminRun) members() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	return printAll(r, "MEMBER NAME TEAM SPONSOR DEVICES CHANGES BYTES", func(p admin.Page) (admin.List[admin.Member], error) {
		return r.Members(r, admin.Operator(), t, p)
	}, func(m admin.Member) []any {
		sponsor := ""
		if m.Sponsor != (crdt.MemberID{}) {
			sponsor = m.Sponsor.String()
		}
		return []any{m.ID, m.Name, m.Team, sponsor, m.Devices, m.Changes, m.Bytes}
	})
}

func (r *adminRun) edit() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	e := store.MemberEdit{Name: r.name, Team: r.team}
	if r.sponsor != nil {
		var sponsor crdt.MemberID
		if *r.sponsor != "none" {
			if sponsor, err = r.memberID(*r.sponsor); err != nil {
				return err
			}
		}
		e.Sponsor = &sponsor
	}
	if e == (store.MemberEdit{}) {
		return &wrong{"nothing is to be changed", "say what: --name, --team, --sponsor", 2}
	}
	done, err := r.EditMember(r, admin.Operator(), m, e)
	if err != nil {
		return err
	}
	return r.print(done, done.ID)
}

func (r *adminRun) tree() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	var root crdt.MemberID
	if r.root != nil {
		if root, err = r.memberID(*r.root); err != nil {
			return err
		}
	}
	depth := admin.MaxDepth
	if r.depth != nil {
		depth = int(max(-1, min(*r.depth, admin.MaxDepth+1)))
	}
	return printAll(r, "", func(p admin.Page) (admin.List[admin.Branch], error) {
		return r.Tree(r, admin.Operator(), t, root, depth, p)
	}, func(b admin.Branch) []any {
		name := strings.Repeat("  ", b.Depth) + b.Name
		if b.Team != "" {
			name += " (" + b.Team + ")"
		}
		return []any{name, b.ID}
	})
}

func (r *adminRun) invite() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	days := admin.InviteDays
	if r.days != nil {
		if days = int(*r.days); *r.days < 1 || *r.days > admin.MaxInviteDays { // none is the default for the service
			return &wrong{fmt.Sprintf("days: is %d: want 1 to %d", *r.days, admin.MaxInviteDays), "mend it and ask again", 2}
		}
	}
	i, err := r.newInvite(m, days)
	if err != nil {
		return err
	}
	if r.json {
		return r.print(i, nil)
	}
	return r.printInvite(i)
}

// newInvite invites, and says on standard error what the person who is given the link would find out.
func (r *adminRun) newInvite(m crdt.MemberID, days int) (admin.NewInvite, error) {
	i, err := r.Invite(r, admin.Operator(), m, days)
	if err == nil && r.warn != "" {
		fmt.Fprintf(os.Stderr, "warning: %s\n", r.warn)
	}
	return i, err
}

// printInvite prints what to give to the person.
func (r *adminRun) printInvite(i admin.NewInvite) error {
	c, err := qr.New(i.Link)
	if err != nil {
		return err
	}
	info, err := os.Stdout.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
	_, err = fmt.Fprintf(r.out, "code     %s\nlink     %s\nexpires  %s UTC\n\n%s", i.Code, i.Link, when(i.Expires), c.Text(terminal))
	return err
}

func (r *adminRun) invites() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	return printAll(r, "INVITATION STATE BY CREATED EXPIRES DEVICE", func(p admin.Page) (admin.List[admin.Invite], error) {
		return r.Invites(r, admin.Operator(), m, p)
	}, func(i admin.Invite) []any {
		dev := ""
		if i.Device != (crdt.DeviceID{}) {
			dev = i.Device.String()
		}
		return []any{i.ID, i.State, inviter(i.By), when(i.Created), when(i.Expires), dev}
	})
}

// inviter says who invited a device.
func inviter(d crdt.DeviceID) string {
	if d == (crdt.DeviceID{}) {
		return "company"
	}
	return d.String()
}

func (r *adminRun) revokeInvite() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	id, err := r.number(1, "invitation", "invites MEMBER")
	if err != nil {
		return err
	}
	return r.RevokeInvite(r, admin.Operator(), t, id)
}

func (r *adminRun) device() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	d, err := r.CreateDevice(r, admin.Operator(), m, r.args[1])
	if err != nil {
		return err
	}
	return r.print(d, d.Token)
}

func (r *adminRun) devices() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	of, err := r.Member(r, admin.Operator(), m)
	if err != nil {
		return err
	}
	return printAll(r, "DEVICE NAME STATE RECEIPT PENDING UNSENT VERSION SEEN BY", func(p admin.Page) (admin.List[admin.Device], error) {
		return r.Devices(r, admin.Operator(), m, p)
	}, func(d admin.Device) []any {
		// One that never came, or only by the open door, where none says what it has, has not said that it has nothing.
		receipt, pending := "-", "-"
		if d.Receipt > 0 || of.Changes == 0 && !d.Seen.IsZero() {
			receipt = fmt.Sprintf("%d of %d", d.Receipt, max(of.Changes, d.Receipt))
		}
		if !d.Seen.IsZero() {
			pending = fmt.Sprint(d.Pending)
		}
		return []any{d.ID, d.Name, d.State, receipt, pending, d.Unsent, d.App, when(d.Seen), inviter(d.By)}
	})
}

func (r *adminRun) revoke() error {
	id, err := r.deviceID(r.args[0])
	if err != nil {
		return err
	}
	d, err := r.Revoke(r, admin.Operator(), id)
	if err != nil {
		return err
	}
	return r.print(d, "revoked: when it comes again it brings what it had not sent and empties itself; trio admin devices "+d.Member.String()+" says whether it has")
}

func (r *adminRun) unsent() error {
	d, err := r.deviceID(r.args[0])
	if err != nil {
		return err
	}
	return printAll(r, "CHANGE DOCUMENT ARRIVED TAKEN DISCARDED WHAT", func(p admin.Page) (admin.List[admin.Kept], error) {
		return r.Unsent(r, admin.Operator(), d, p)
	}, func(k admin.Kept) []any {
		return []any{k.ID, k.Document, when(k.Arrived), when(k.Taken), when(k.Aside), k.What}
	})
}

func (r *adminRun) accept() error {
	d, err := r.deviceID(r.args[0])
	if err != nil {
		return err
	}
	var done admin.Accepted
	for next := ""; ; {
		a, err := r.Accept(r, admin.Operator(), d, admin.Page{After: next})
		done.Taken += a.Taken
		done.Refused = append(done.Refused, a.Refused...)
		if err != nil {
			return fmt.Errorf("%d taken over, then: %w", done.Taken, err)
		}
		if next = a.Next; next == "" {
			break
		}
	}
	if r.json {
		return r.print(done, nil)
	}
	fmt.Fprintf(r.out, "%d taken over, %d stay apart\n", done.Taken, len(done.Refused))
	for _, x := range done.Refused {
		fmt.Fprintf(r.out, "change %d of %s: %s\n", x.ID, shown(string(x.Document)), shown(x.Why))
	}
	return nil
}

func (r *adminRun) discard() error {
	d, err := r.deviceID(r.args[0])
	if err != nil {
		return err
	}
	done, err := r.Discard(r, admin.Operator(), d)
	if err != nil {
		return fmt.Errorf("%d set aside, then: %w", done.Discarded, err)
	}
	return r.print(done, fmt.Sprintf("%d set aside", done.Discarded))
}

func (r *adminRun) restored() error {
	if err := r.Restored(r); err != nil {
		return err
	}
	if r.json {
		return nil
	}
	_, err := fmt.Fprint(r.out, `Cursors of before are refused from the next start of the server on. Devices bring back by themselves what the backup lacks.
hint: a device that was made since the backup is told to sign in again: trio admin readmit MEMBER DEVICE lets it in with all that
hint: is on it; when it is gone, trio admin adopt MEMBER DEVICE has what it wrote come back by the member's other devices.
`)
	return err
}

func (r *adminRun) readmit() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	d, err := r.deviceID(r.args[1])
	if err != nil {
		return err
	}
	token, err := r.Readmit(r, m, d)
	if err != nil {
		return err
	}
	return r.print(map[string]string{"token": token}, token)
}

func (r *adminRun) remember() error {
	t, err := r.companyID()
	if err != nil {
		return err
	}
	id, err := r.memberID(r.args[1])
	if err != nil {
		return err
	}
	m, err := r.CreateMember(r, admin.Operator(), t, admin.NewMember{ID: id, Name: r.args[2]})
	if err != nil {
		return err
	}
	return r.print(m, m.ID)
}

func (r *adminRun) adopt() error {
	m, err := r.memberID(r.args[0])
	if err != nil {
		return err
	}
	d, err := r.deviceID(r.args[1])
	if err != nil {
		return err
	}
	return r.Adopt(r, m, d)
}
