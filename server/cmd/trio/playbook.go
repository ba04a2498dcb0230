package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"trio/ranking"
	"trio/ranking/playbook"
)

const playbookUsage = `trio playbook is about what a company tells its promoters' devices: moments, wording, goals, content, first days

usage: trio playbook COMMAND [ARGUMENT ...]
`

// playbookCommand is one of trio playbook's.
type playbookCommand struct {
	name, args, help string
	run              func(context.Context, []string) error
}

func playbookCommands() []playbookCommand {
	return []playbookCommand{
		{"default", "", "prints a playbook to begin with", playbookDefault},
		{"check", "FILE", "says what is wrong with one, by line, and what to do", playbookCheck},
		{"fit", "", "has companies' playbooks learn now from what members logged, as every night", fitPlaybooks},
		{"diff", "OLD NEW", "says what a new one changes, and what the log would not survive", playbookDiff},
		{"schema", "", "prints the JSON Schema, for editors that help while you write", playbookSchema},
		{"publish", "FILE", "makes one the company's: devices go by it from then on", publishing("publish")},
		{"history", "", "what was published, the newest first", publishing("history")},
		{"show", "", "prints what was published, byte for byte", publishing("show")},
	}
}

// playbooks is trio playbook.
func playbooks(ctx context.Context, args []string) error {
	all := playbookCommands()
	help := func(to io.Writer) {
		fmt.Fprint(to, playbookUsage+"\n")
		for _, c := range all {
			fmt.Fprintf(to, "  %-20s %s\n", strings.TrimSpace(c.name+" "+c.args), c.help)
		}
		fmt.Fprint(to, "\nA FILE of - is standard input. trio playbook COMMAND -h tells more.\n")
	}
	if len(args) == 0 {
		help(os.Stderr)
		return errUsage
	}
	if args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		help(os.Stdout)
		return nil
	}
	for _, c := range all {
		if c.name == args[0] {
			return c.run(ctx, args[1:])
		}
	}
	return &wrong{fmt.Sprintf("command %q is not known", args[0]), "see trio playbook -h", 2}
}

// playbookFlags returns the flags of a command, with its help.
func playbookFlags(name, args, about string) *flag.FlagSet {
	fs := flag.NewFlagSet("trio playbook "+name, flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprintf(fs.Output(), "usage: %s\n\n%s\n", strings.TrimSpace("trio playbook "+name+" "+args), about)
		fs.PrintDefaults()
	}
	return fs
}

func playbookDefault(_ context.Context, args []string) error {
	fs := playbookFlags("default", "[> FILE]", "prints the playbook that a company begins with. Write it to a file, put your own words in, and check it.")
	if err := parseAll(fs, args); err != nil {
		return err
	}
	_, err := os.Stdout.Write(playbook.Default().Encode())
	return err
}

func playbookSchema(_ context.Context, args []string) error {
	fs := playbookFlags("schema", "[> FILE]", "prints the JSON Schema of playbooks (draft 2020-12): what each field says, and in which unit.\n"+
		"Editors that know it help while you write: begin your file with { \"$schema\": \"./playbook.schema.json\", …")
	if err := parseAll(fs, args); err != nil {
		return err
	}
	_, err := os.Stdout.Write(playbook.Schema())
	return err
}

// readPlaybook reads a playbook from a file and prints what is wrong with it.
func readPlaybook(path string) (*playbook.Doc, error) {
	b, err := playbookFile(path)
	if err != nil {
		return nil, err
	}
	d, err := playbook.Parse(b)
	var ps playbook.Problems
	if !errors.As(err, &ps) {
		return d, err
	}
	return nil, tellProblems(path, ps)
}

// playbookFile reads a file that may be a playbook: one byte more than it may have, so that Parse says so.
func playbookFile(path string) ([]byte, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, &wrong{err.Error(), "name a playbook; trio playbook default prints one to begin with", 2}
		}
		defer f.Close()
	}
	b, err := io.ReadAll(io.LimitReader(f, playbook.MaxBytes+1))
	if err != nil {
		return nil, &wrong{fmt.Sprintf("%s cannot be read: %v", path, err), "name a file", 2}
	}
	return b, nil
}

// tellProblems prints what is wrong with a playbook, and returns how much it is.
func tellProblems(path string, ps playbook.Problems) error {
	for _, p := range ps {
		fmt.Printf("%s:%d:%d: %s\n  %s\n", path, p.Line, p.Column, p.Said(), p.Remedy)
	}
	what := "is one thing"
	if n := len(ps); n >= playbook.MaxProblems {
		what = fmt.Sprintf("are %d things or more", n)
	} else if n > 1 {
		what = fmt.Sprintf("are %d things", n)
	}
	return &wrong{fmt.Sprintf("there %s wrong with %s", what, path), "mend what is said above, then check again", 1}
}

// exactly takes so many arguments behind the flags.
func exactly(fs *flag.FlagSet, want ...string) error {
	if n := fs.NArg(); n < len(want) {
		return &wrong{strings.ToLower(want[n]) + " is missing", fmt.Sprintf("see %s -h", fs.Name()), 2}
	} else if n > len(want) {
		return &wrong{fmt.Sprintf("argument %q is not expected", fs.Arg(len(want))), fmt.Sprintf("flags stand before the files; see %s -h", fs.Name()), 2}
	}
	return nil
}

func playbookCheck(_ context.Context, args []string) error {
	fs := playbookFlags("check", "FILE", "says what is wrong with a playbook: FILE:line:column: reason, and below what to do. The exit status is 1 then.\n"+
		"Of a sound one it prints the version, the hash, the triggers, the languages, and what is worth a second look.")
	if err := parse(fs, args); err != nil {
		return err
	}
	if err := exactly(fs, "the file"); err != nil {
		return err
	}
	path := fs.Arg(0)
	d, err := readPlaybook(path)
	if err != nil {
		return err
	}
	var on [2][]string // suggested, automated
	var off []string
	for t := range ranking.NumTriggers {
		switch r := &d.Ranking.Rules[t]; {
		case r.Stages == 0:
			off = append(off, t.String())
		case r.Automate:
			on[1] = append(on[1], t.String())
		default:
			on[0] = append(on[0], t.String())
		}
	}
	languages := strings.Join(d.Languages, ", ")
	if len(d.Drafts) > 0 {
		languages += "; begun: " + strings.Join(d.Drafts, ", ")
	}
	fmt.Printf("%s is sound\n", path)
	line := func(name, format string, args ...any) { fmt.Printf("  %-10s %s\n", name, fmt.Sprintf(format, args...)) }
	line("version", "%d, %q", d.Version, d.Name)
	line("hash", "%x", d.Hash())
	line("triggers", "%d on, %d of them automated, %d off", len(on[0])+len(on[1]), len(on[1]), len(off))
	if len(on[1]) > 0 {
		line("", "automated: %s", strings.Join(on[1], ", "))
	}
	if len(off) > 0 {
		line("", "off: %s", strings.Join(off, ", "))
	}
	line("languages", "%s", languages)
	line("goals", "%d metrics, %d badges", len(d.Goals.Metrics), len(d.Goals.Badges))
	line("content", "%d pieces; %d steps for newcomers", len(d.Pieces), len(d.Newcomer.Steps))
	tellWarnings(d.Warnings())
	return nil
}

// tellWarnings prints what is worth a second look in a sound playbook.
func tellWarnings(all []playbook.Warning) {
	for _, w := range all {
		fmt.Fprintf(os.Stderr, "warning: %s: %s\n", w.Path, w.Text)
	}
}

func playbookDiff(_ context.Context, args []string) error {
	fs := playbookFlags("diff", "[--numbers] OLD NEW", "says what a new playbook changes, for somebody who is about to publish it. What members, links or the log would not\n"+
		"survive comes first, as a warning.")
	numbers := fs.Bool("numbers", false, "each number that trio fits, too")
	if err := parse(fs, args); err != nil {
		return err
	}
	if err := exactly(fs, "the old file", "the new file"); err != nil {
		return err
	}
	older, err := readPlaybook(fs.Arg(0))
	if err != nil {
		return err
	}
	newer, err := readPlaybook(fs.Arg(1))
	if err != nil {
		return err
	}
	printDiff(os.Stdout, playbook.Diff(older, newer), *numbers)
	return nil
}

// printDiff writes differences for people: warnings first, one line for all fitted numbers unless they are asked for.
func printDiff(to io.Writer, all []playbook.Difference, numbers bool) {
	warnings, fitted := 0, 0
	for _, d := range all {
		if d.Fitted && d.Warning == "" && !numbers {
			fitted++
			continue
		}
		if d.Warning != "" {
			warnings++
			fmt.Fprint(to, "WARNING ")
		}
		switch short := len(d.Old)+len(d.New) < 60; {
		case d.Old == "" && d.New == "":
			fmt.Fprintf(to, "%s is changed\n", d.Path)
		case d.Old == "":
			fmt.Fprintf(to, "%s is new: %s\n", d.Path, d.New)
		case d.New == "":
			fmt.Fprintf(to, "%s is gone: %s\n", d.Path, d.Old)
		case short:
			fmt.Fprintf(to, "%s: %s, now %s\n", d.Path, d.Old, d.New)
		default:
			fmt.Fprintf(to, "%s:\n  - %s\n  + %s\n", d.Path, d.Old, d.New)
		}
		if d.Warning != "" {
			fmt.Fprintf(to, "  %s\n", d.Warning)
		}
	}
	if fitted > 0 {
		fmt.Fprintf(to, "%d of the numbers that trio fits, a staircase counted once (--numbers shows them)\n", fitted)
	}
	some := fmt.Sprintf("%d differences", len(all))
	if len(all) == 1 {
		some = "1 difference"
	}
	switch {
	case len(all) == 0:
		fmt.Fprintln(to, "no differences")
	case warnings > 0:
		fmt.Fprintf(to, "%s, %d of them with a warning\n", some, warnings)
	default:
		fmt.Fprintln(to, some)
	}
}
