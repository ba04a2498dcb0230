package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"trio/replica"
	"trio/replica/device"
)

// export writes a file of the book. One that is there is not overwritten: it may be the only copy of something.
func (a *app) export(ctx context.Context, path, what string) error {
	f, err := (&device.Device{R: a.Replica}).Export(ctx, what)
	if err != nil {
		return err
	}
	if what == "unsent" && f.Changes == 0 {
		fmt.Fprintln(a.out, "nothing is only on this device: no file was written")
		return nil
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &userError{msg: path + " is there already", hint: "choose another name, or remove it"}
	}
	if err != nil {
		return err
	}
	_, err = out.Write(f.Data)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Remove(path) //nolint:errcheck // it is not whole
		return err
	}
	switch what {
	case "unsent", "all":
		fmt.Fprintf(a.out, "%d changes in %s: bring it on another device of yours with trio device bring %s\n", f.Changes, path, quoted(filepath.Base(path)))
	default:
		fmt.Fprintf(a.out, "%d lines of the book in %s\n", f.Changes, path)
	}
	return nil
}

// bring takes a file in that another device of the member exported.
func (a *app) bring(ctx context.Context, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, replica.MaxFile+1))
	if err != nil {
		return err
	}
	n, err := a.Bring(ctx, b)
	switch {
	case errors.Is(err, replica.ErrNotFile):
		return &userError{msg: filepath.Base(path) + " is no file that trio device export, or the app, saved", hint: "contacts and orders come in with " + a.self + " import " + quoted(path), err: err}
	case errors.Is(err, replica.ErrOtherBook):
		return &userError{msg: err.Error(), hint: "bring it on a device of that member", err: err}
	case err != nil:
		return err
	}
	fmt.Fprintf(a.out, "%d changes came in, %d were here already\n", n.New, n.Same)
	if n.Waiting > 0 {
		fmt.Fprintf(a.out, "%d wait for others that came before them: they follow with the next sync, or with an earlier file\n", n.Waiting)
	}
	if n.Aside > 0 {
		fmt.Fprintf(a.out, "%d do not fit into the book and were set aside: trio device status says why\n", n.Aside)
	}
	return nil
}
