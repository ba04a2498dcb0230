package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/server/intake"
	"trio/server/store"
	"trio/server/witness"
)

// verify is trio verify.
func verify(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("trio verify", flag.ContinueOnError)
	d := addDataFlags(fs)
	reference := fs.Bool("reference", false, "have automerge-go load every document too and compare, in a process of its own (builds with cgo)")
	workers := fs.Int("workers", 0, "members looked at at a time (default: one a processor)")
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), `trio verify reads all of the server's data and says what is wrong with it; the server may run meanwhile

usage: trio verify [--data DIR | --config FILE] [--reference] [FILE]

With FILE it is about a backup. For each member the chain over all changes is computed again, every hash, what each change
builds on, the tables made of them, and the feed; of playbooks the hash. One line for each thing that is wrong goes to standard output; status 1 says
that there are some, 0 that there are none.

`)
		fs.PrintDefaults()
	}
	if err := parse(fs, args); err != nil {
		return err
	}
	var path string
	var err error
	switch fs.NArg() {
	case 0:
		if path, err = d.database("verify"); err != nil {
			return err
		}
		if err := checkRestored(filepath.Dir(path)); err != nil {
			return err
		}
	case 1:
		if path, err = filepath.Abs(fs.Arg(0)); err != nil {
			return err
		}
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return &wrong{fmt.Sprintf("there is no file %s", path), "name a backup; the server's folder is named by --data", 1}
		}
	default:
		return &wrong{fmt.Sprintf("argument %q is not expected", fs.Arg(1)), "flags stand before the file; see trio verify -h", 2}
	}
	if *workers < 0 {
		return &wrong{fmt.Sprintf("workers is %d", *workers), "want 1 or more", 2}
	}
	began := time.Now()
	tick := ticker(os.Stderr)
	v := store.Verify{
		Path: path, Workers: *workers, Project: intake.Project,
		Progress: func(s store.Verified) { tick("%d of %d members, %d changes", s.Members, s.Of, s.Changes) },
		Problem: func(p store.Problem) {
			tick("")
			fmt.Println(p)
		},
	}
	var w *witness.Witness
	if *reference {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		if w, err = witness.New(program, runtime.GOMAXPROCS(0)); err != nil {
			return &wrong{err.Error(), "or leave --reference out: all else is looked at without it", 1}
		}
		defer w.Close()
		var mu sync.Mutex
		v.Document = func(ctx context.Context, m crdt.MemberID, doc crdt.DocName, changes []*automerge.Change) {
			for _, text := range w.Look(ctx, changes) {
				mu.Lock()
				tick("")
				fmt.Println(store.Problem{Member: m, Doc: doc, Text: text})
				mu.Unlock()
			}
		}
	}
	s, err := v.Run(ctx)
	tick("")
	took := time.Since(began)
	if err != nil && s.Members == 0 {
		return unopened(err)
	}
	fmt.Fprintf(os.Stderr, "%s, %s, %s, %s, %.1f MB, %s of the feed, in %.1f s\n",
		counted(s.Members, "member"), counted(s.Documents, "document"), counted(s.Changes, "change"), counted(s.Segments, "segment"), float64(s.Bytes)/1e6, counted(s.Records, "record"), took.Seconds())
	if w != nil {
		r := w.Total()
		s.Problems += r.Findings
		fmt.Fprintf(os.Stderr, "automerge-go has loaded %d documents and read %d values; it ended over %d of them\n", r.Documents, r.Values, r.Died)
	}
	switch {
	case err != nil:
		return unopened(err)
	case s.Problems > 0:
		return &wrong{
			fmt.Sprintf("the data is damaged: see the %d lines above", s.Problems),
			"keep a copy of the folder; restore the newest backup that trio verify finds sound (trio restore FILE): devices bring back what it lacks", 1,
		}
	}
	fmt.Println("All is sound.")
	return nil
}

// unopened says what to do about a database of a newer build.
func unopened(err error) error {
	if errors.Is(err, store.ErrNewer) {
		return &wrong{err.Error(), "take the build that wrote it", 1}
	}
	return err
}
