package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"trio/ranking/playbook"
	"trio/server/admin"
	"trio/server/store"
)

// publishCommands are those of trio playbook that are about what a server has.
func publishCommands() []adminCommand {
	return []adminCommand{
		{"", "publish", "FILE", "company after force", "make FILE (- is standard input) the company's playbook. It gets the next version; devices that are connected have it at once, " +
			"others when they connect. What was learnt on top of the one before is carried over, as the version after it. --after N: only while N is the newest, or the newest that " +
			"people wrote; --force: also when contents are gone or have other places, numbers are learnt ones, or nothing is changed", (*adminRun).publish},
		{"", "history", "", "company", "what was published, the newest first", (*adminRun).history},
		{"", "show", "", "company version learnt", "print what was published, byte for byte: the newest that people wrote, to change and publish; --learnt: the newest of all, with " +
			"learnt numbers, as devices have it; --version N: that one", (*adminRun).showPlaybook},
	}
}

func publishHelp(w io.Writer) {
	fmt.Fprint(w, "usage: trio playbook COMMAND [--data DIR] [--config FILE] [--json] [ARGUMENT ...] [--FLAG VALUE ...]\n\n")
	listCommands(w, publishCommands())
	fmt.Fprint(w, "--company is the company's number; it can be left out where there is one only. The server may run meanwhile.\n")
}

// publishing is one of the commands, for trio playbook.
func publishing(name string) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		return adminProgram{"trio playbook", publishCommands(), publishHelp}.run(ctx, append([]string{name}, args...))
	}
}

// ofCompany is the company that is named, or the only one.
func (r *adminRun) ofCompany() (store.Tenant, error) {
	if r.adminFlags.company != nil {
		return store.Tenant(*r.adminFlags.company), nil
	}
	all, err := r.Companies(r, admin.Operator(), admin.Page{Limit: 2})
	if err != nil {
		return 0, err
	}
	switch len(all.Items) {
	case 0:
		return 0, &wrong{"there is no company yet", "trio admin company NAME makes one", 1}
	case 1:
		return all.Items[0].ID, nil
	}
	return 0, &wrong{"there are several companies", "say which one: --company N; trio admin companies lists them", 2}
}

// versionFlag reads a version; 0 for none.
func versionFlag(name string, n *int64, least int64) (uint32, error) {
	if n == nil {
		return 0, nil
	}
	if *n < least || *n > math.MaxUint32 {
		return 0, &wrong{fmt.Sprintf("--%s is %d", name, *n), "trio playbook history lists the versions", 2}
	}
	return uint32(*n), nil
}

func (r *adminRun) publish() error {
	t, err := r.ofCompany()
	if err != nil {
		return err
	}
	how := admin.Publishing{Force: r.force}
	after, err := versionFlag("after", r.after, 0)
	if err != nil {
		return err
	}
	if r.after != nil {
		how.After = &after
	}
	name := r.args[0]
	b, err := playbookFile(name)
	if err != nil {
		return err
	}
	p, err := r.PublishPlaybook(r, admin.Operator(), t, b, how)
	if bad, ok := errors.AsType[*admin.BadPlaybook](err); ok {
		return fmt.Errorf("nothing is published: %w", tellProblems(name, bad.Problems))
	}
	if err != nil {
		return err
	}
	tellWarnings(p.Warnings)
	if p.Unchanged {
		return r.print(p, fmt.Sprintf("nothing is changed: version %d says the same already, and nothing is published (--force publishes it all the same)", p.Version))
	}
	said := fmt.Sprintf("version %d, %d bytes: devices that are connected have it in moments, others when they come", p.Version, p.Bytes)
	if p.Carried != nil {
		said += fmt.Sprintf("\nversion %d carries over what was learnt: it is the same with these numbers, and what devices end on", p.Carried.Version)
	} else if p.NotCarried != "" {
		said += "\nwhat was learnt is not carried over: " + p.NotCarried
	}
	return r.print(p, said)
}

func (r *adminRun) showPlaybook() error {
	t, err := r.ofCompany()
	if err != nil {
		return err
	}
	version, err := versionFlag("version", r.version, 1)
	if err != nil {
		return err
	}
	d, err := r.PlaybookOf(r, admin.Operator(), t, version, r.learnt)
	if err != nil {
		return err
	}
	if r.json {
		return r.print(d, nil)
	}
	if d.Learnt > 0 {
		fmt.Fprintf(os.Stderr, "note: this is version %d, which people wrote; version %d adds learnt numbers (--learnt shows it), which are carried over to what you publish\n", d.Version, d.Learnt)
	}
	written, learnt := d.Fitted, d.Version
	if d.Learnt > 0 {
		written, learnt = d.Version, d.Learnt
	}
	if written > 0 && learnt > 0 {
		if err := r.tellValues(t, written, learnt); err != nil {
			return err
		}
	}
	_, err = r.out.Write(d.Doc)
	return err
}

// tellValues says what a success is worth by orders, where that is not what people wrote. A version that is not here, or is of
// another build, says nothing.
func (r *adminRun) tellValues(t store.Tenant, written, learnt uint32) error {
	var docs [2]*playbook.Doc
	for i, version := range [...]uint32{written, learnt} {
		d, err := r.PlaybookOf(r, admin.Operator(), t, version, false)
		if _, ok := errors.AsType[*admin.Error](err); ok {
			return nil
		}
		if err != nil {
			return err
		}
		if docs[i], err = playbook.Parse(d.Doc); err != nil {
			return nil //nolint:nilerr // what is shown is bytes
		}
	}
	for _, d := range playbook.Diff(docs[0], docs[1]) {
		if d.Fitted && strings.HasSuffix(d.Path, ".value_cents") {
			fmt.Fprintf(os.Stderr, "note: %s is %s, learnt from what orders bring at a margin of %d %%; people wrote %s (trio playbook fit --dry-run says more)\n",
				d.Path, d.New, docs[1].Ranking.Margin, d.Old)
		}
	}
	return nil
}

func (r *adminRun) history() error {
	t, err := r.ofCompany()
	if err != nil {
		return err
	}
	if !r.json {
		first, err := r.Playbooks(r, admin.Operator(), t, admin.Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(first.Items) == 0 {
			fmt.Fprintf(r.out, "no playbook is published yet: devices go by the one that they come with, version %d; trio playbook publish FILE makes yours\n", playbook.Default().Version)
			return r.ahead(t)
		}
	}
	if err := printAll(r, "VERSION PUBLISHED BY FITTED BYTES HASH", func(p admin.Page) (admin.List[admin.Playbook], error) {
		return r.Playbooks(r, admin.Operator(), t, p)
	}, func(p admin.Playbook) []any {
		return []any{p.Version, when(p.Published), p.By, bound(int(p.Fitted)), p.Bytes, p.Hash[:16]}
	}); err != nil || r.json {
		return err
	}
	return r.ahead(t)
}

// ahead says when devices may hold versions that are not here.
func (r *adminRun) ahead(t store.Tenant) error {
	ahead, err := r.PlaybookAhead(r, admin.Operator(), t)
	if err == nil && ahead > 0 {
		fmt.Fprintf(r.out, "Devices may hold versions up to %d that are not here (a backup was put back), and go on by them: the next one that is published is version %d.\n", ahead, ahead+1)
	}
	return err
}
