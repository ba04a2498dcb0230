package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"trio/server/learn"
	"trio/server/ops"
	"trio/server/store"
)

// learnNightly has the companies' playbooks learn every night, until ctx ends.
func learnNightly(ctx context.Context, st *store.SQLite, c *config, m *ops.Metrics, log *slog.Logger) {
	for _, o := range learn.Outcomes {
		m.FitOutcomes(string(o))
	}
	if c.FitAt < 0 {
		return
	}
	n := learn.Nightly{
		Learner: learn.Learner{Store: st, Shelf: learn.InStore(st, learn.ByNight), Rest: learn.Gently(3)},
		At:      c.FitAt, Zone: time.Local, Log: log,
		Told:  func(r *learn.Report) { m.Fitted(string(r.Outcome)) },
		Ended: m.NightEnded,
	}
	n.Run(ctx)
}

const fitAbout = `has companies' playbooks learn now from what their members logged, as the server does every night, and says what was
found and what became of it. The server may run meanwhile: devices are sent what is published. Without --company, all companies.
`

// fitPlaybooks is trio playbook fit.
func fitPlaybooks(ctx context.Context, args []string) error {
	fs := playbookFlags("fit", "[--data DIR] [--config FILE] [--company N ...] [--dry-run] [--json]", fitAbout)
	data := fs.String("data", "", "`folder` of the server's data, unless that of the settings")
	file := fs.String("config", "", "`file` with the server's settings")
	dry := fs.Bool("dry-run", false, "publish nothing")
	asJSON := fs.Bool("json", false, "print one JSON object a company")
	var only []store.Tenant
	fs.Func("company", "`number` of a company; may be given several times", func(s string) error {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 1 {
			return errors.New("want a company's number: trio admin companies lists them")
		}
		only = append(only, store.Tenant(n))
		return nil
	})
	if err := parseAll(fs, args); err != nil {
		return err
	}
	c, err := adminSettings(*data, *file)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Data, dbName)); errors.Is(err, os.ErrNotExist) {
		return &wrong{fmt.Sprintf("there is no server's data in %s", c.Data), "name the folder: trio playbook fit --data DIR", 1}
	}
	st, err := openStore(ctx, c.Data, nil, true)
	if err != nil {
		return plainly(err, c.Data)
	}
	err = fitStore(ctx, st.SQLite, only, *dry, *asJSON)
	return plainly(errors.Join(err, st.Close()), c.Data)
}

func fitStore(ctx context.Context, st *store.SQLite, only []store.Tenant, dry, asJSON bool) error {
	all, err := st.Tenants(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return &wrong{"there is no company yet", "trio admin company NAME makes one", 1}
	}
	for _, t := range only {
		if !slices.ContainsFunc(all, func(c store.Company) bool { return c.ID == t }) {
			return &wrong{fmt.Sprintf("there is no company %d", t), "trio admin companies lists them", 2}
		}
	}
	l := learn.Learner{Store: st, Shelf: learn.InStore(st, learn.ByCommand)}
	var said error
	err = l.All(ctx, only, dry, func(r *learn.Report) {
		if asJSON {
			said = errors.Join(said, json.NewEncoder(os.Stdout).Encode(r))
		} else {
			said = errors.Join(said, r.Write(os.Stdout))
		}
	})
	return errors.Join(err, said)
}
