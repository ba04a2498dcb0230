package replica

import (
	"context"
	"fmt"
	"io"
	"strings"

	"trio/crdt"
)

// dumps are the tables that depend on nothing but the set of changes, in a form without this device's row numbers.
var dumps = []string{
	`SELECT 'document', name, hex(heads), max_op FROM documents WHERE max_op > 0 ORDER BY name`,
	`SELECT 'register', d.name, key, ctr, hex(a.actor), kind, num, hex(str) FROM registers g
		JOIN documents d ON d.id=g.doc JOIN actors a ON a.id=g.actor ORDER BY d.name, key, ctr, a.actor`,
	`SELECT 'contact', hex(id), name, said, stage, company, phones, emails, tags, consent, snooze, birthday, note, hex(household),
		hex(root), source, created, deleted, search FROM contacts ORDER BY id`,
	`SELECT 'entry', hex(e.id), hex(contact), at, day, kind, hex(a.actor), body FROM entries e JOIN actors a ON a.id=e.actor ORDER BY e.id`,
	`SELECT 'facts', hex(contact), hex(facts) FROM facts ORDER BY contact`,
}

// Dump writes everything that follows from the changes, a line a row. Two devices with the same changes write the same,
// and Rebuild does not alter a byte of it.
func (r *Replica) Dump(ctx context.Context, w io.Writer) error {
	if err := r.here(); err != nil {
		return err
	}
	for _, q := range dumps {
		rows, err := r.rdb.QueryContext(ctx, q)
		if err != nil {
			return err
		}
		defer rows.Close()
		cols, err := rows.Columns()
		if err != nil {
			return err
		}
		vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		for rows.Next() {
			if err := rows.Scan(ptrs...); err != nil {
				return err
			}
			if _, err := fmt.Fprintln(w, strings.TrimSuffix(fmt.Sprintln(vals...), "\n")); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close()
	}
	return nil
}

// Changes calls f with every change of a document, each after those that it depends on; chunk is the uncompressed change
// chunk.
func (r *Replica) Changes(ctx context.Context, doc crdt.DocName, f func(chunk []byte) error) error {
	return r.changesOf(ctx, doc, f)
}
