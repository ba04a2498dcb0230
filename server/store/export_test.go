package store

import (
	"context"
	"errors"
	"fmt"
)

// MakeLayout makes an empty database as an older build would have left it.
func MakeLayout(path string, version int) error {
	c, err := dial(path, "", []pragma{{"journal_mode", "wal"}})
	if err != nil {
		return err
	}
	for _, layout := range layouts[:version] {
		err = errors.Join(err, layout(c))
	}
	return errors.Join(err, c.exec(fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)), c.Close())
}

// Hold keeps the committer busy until release is called.
func (s *SQLite) Hold(ctx context.Context) (release func()) {
	holds, free := make(chan struct{}), make(chan struct{})
	go s.do(ctx, 1<<30, func(*writer) error { //nolint:errcheck // it does nothing
		close(holds)
		<-free
		return nil
	})
	<-holds
	return func() { close(free) }
}
