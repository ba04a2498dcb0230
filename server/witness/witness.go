package witness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"trio/crdt/automerge"
)

// Command is the hidden command of the program under which it is Main.
const Command = "reference-child"

// Limits of a child.
const (
	// maxMemory is of its address space, in bytes. 200,000 log entries take it a tenth of that.
	maxMemory = 8 << 30
	// tired is how much CPU time it uses, in seconds, before it gives way to a new one, and maxCPU where the system ends it.
	tired  = 60
	maxCPU = 180
	// maxTime is for one document.
	maxTime = 3 * time.Minute
	// maxSaid bounds what is said of one document.
	maxSaid = 5
	// maxAnswer bounds what a child may answer, in bytes: as much as a document of that size could hold.
	maxAnswer = 1 << 30
)

// A Witness is a pool of children. Its methods may be called by several goroutines.
type Witness struct {
	program string
	env     []string
	free    chan *child // nil stands for one that is not started

	mu    sync.Mutex
	total Total
}

// Total counts what a Witness has seen.
type Total struct {
	Documents, Values, Died int
	Findings                int
}

// New returns a Witness with up to n children, none of which is started yet. program is what to run them as, with env added
// to their environment.
func New(program string, n int, env ...string) (*Witness, error) {
	if err := available(); err != nil {
		return nil, err
	}
	w := &Witness{program: program, env: env, free: make(chan *child, max(n, 1))}
	for range cap(w.free) {
		w.free <- nil
	}
	return w, nil
}

// Total returns what was seen so far.
func (w *Witness) Total() Total {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.total
}

// Close ends the children.
func (w *Witness) Close() {
	for range cap(w.free) {
		if c := <-w.free; c != nil {
			c.end()
		}
	}
}

// report is what a child says of a document.
type report struct {
	Err    string // it could not be loaded
	Heads  []string
	Values map[string]string
	Last   bool // the child ends
}

// child is a running process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.Closer
	dec    *gob.Decoder
	stderr *tail
}

// Look has the engine load a document that consists of these changes, in an order in which each comes after those it builds
// on, and returns what it says otherwise than we do; nothing when both say the same.
func (w *Witness) Look(ctx context.Context, changes []*automerge.Change) []string {
	var found []string
	ours := automerge.NewDoc()
	if err := ours.Apply(changes...); err != nil {
		return w.count(0, false, []string{fmt.Sprintf("our own engine does not load it: %v", err)})
	}
	var c *child
	select {
	case c = <-w.free:
	case <-ctx.Done():
		return nil
	}
	rep, err := c.ask(ctx, w, changes)
	died := err != nil
	if ctx.Err() != nil {
		died, found = true, nil
	} else if died {
		found = []string{fmt.Sprintf("automerge-go: %v", err)}
	}
	if died || rep.report.Last {
		rep.child.end()
		w.free <- nil
	} else {
		w.free <- rep.child
	}
	if died {
		return w.count(0, true, found)
	}
	if rep.report.Err != "" {
		return w.count(0, false, []string{"automerge-go: " + rep.report.Err})
	}
	return w.count(len(rep.report.Values), false, compare(ours, &rep.report))
}

func (w *Witness) count(values int, died bool, found []string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total.Documents++
	w.total.Values += values
	w.total.Findings += len(found)
	if died {
		w.total.Died++
	}
	return found
}

// answer is a report, and who made it.
type answer struct {
	child  *child
	report report
}

// ask hands a document to a child, which is started if there is none.
func (c *child) ask(ctx context.Context, w *Witness, changes []*automerge.Change) (a answer, err error) {
	if c == nil {
		if c, err = w.start(); err != nil {
			return answer{}, err
		}
	}
	a.child = c
	n := 0
	for _, ch := range changes {
		n += ch.Len()
	}
	out := bufio.NewWriterSize(c.in, 64<<10)
	done := make(chan error, 1)
	go func() {
		_, err := out.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
		for _, ch := range changes {
			if err == nil {
				_, err = out.Write(ch.Raw())
			}
		}
		if err == nil {
			err = out.Flush()
		}
		if e := c.dec.Decode(&a.report); e != nil || err != nil {
			err = errors.Join(e, err)
		}
		done <- err
	}()
	late := time.NewTimer(maxTime)
	defer late.Stop()
	select {
	case err = <-done:
		if err != nil {
			err = fmt.Errorf("its process ended over it: %s", c.epitaph())
		}
	case <-late.C:
		c.kill()
		<-done
		err = fmt.Errorf("it is not done with it after %v", maxTime)
	case <-ctx.Done():
		c.kill()
		<-done
		err = ctx.Err()
	}
	return a, err
}

func (w *Witness) start() (*child, error) {
	c := &child{cmd: exec.Command(w.program, Command), stderr: &tail{}}
	c.cmd.Env = append(os.Environ(), w.env...)
	c.cmd.Stderr = c.stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.out = out
	c.dec = gob.NewDecoder(io.LimitReader(out, maxAnswer))
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("its process did not start: %w", err)
	}
	return c, nil
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended
}

// epitaph waits for a child that has ended and says how.
func (c *child) epitaph() string {
	c.kill()
	_ = c.cmd.Wait() // the state says it
	s := c.cmd.ProcessState.String()
	if line := c.stderr.line(); line != "" {
		s += ": " + line
	}
	return s
}

func (c *child) end() {
	if c == nil {
		return
	}
	_ = c.in.Close() // it reads the end and ends
	timer := time.AfterFunc(5*time.Second, c.kill)
	defer timer.Stop()
	_ = c.cmd.Wait() // it may have been waited for
}

// compare says where the report differs from our document.
func compare(ours *automerge.Doc, r *report) (found []string) {
	say := func(format string, args ...any) {
		if len(found) < maxSaid {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	var heads []string
	for _, h := range ours.Heads() {
		heads = append(heads, h.String())
	}
	slices.Sort(heads)
	slices.Sort(r.Heads)
	if !slices.Equal(heads, r.Heads) {
		say("automerge-go has heads %v, ours are %v", r.Heads, heads)
	}
	keys := ours.Keys()
	seen := map[string]bool{}
	for _, key := range keys {
		seen[key] = true
		theirs, ok := r.Values[key]
		if !ok {
			theirs = "nothing"
		}
		if mine := winner(ours.Conflicts(key)); mine != theirs {
			say("key %.100q: automerge-go reads %.100s, ours is %.100s", key, theirs, mine)
		}
	}
	for key, v := range r.Values {
		if !seen[key] {
			say("key %.100q: automerge-go reads %.100s, ours is nothing", key, v)
		}
	}
	return found
}

// winner is what readers of a key see. Neither engine's program tells of conflicts in a form that the other has; which of the
// values wins shows that both see the same.
func winner(visible []automerge.Entry) string {
	e, ok := automerge.Winner(visible)
	switch {
	case !ok:
		return "nothing"
	case e.IsObject():
		return fmt.Sprint("object ", e.Action)
	}
	return show(e.Value)
}

func show(v automerge.Value) string { return fmt.Sprintf("%v:%d:%q", v.Kind, v.Num, v.Str) }

// tail keeps the last bytes of what a process says.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.b) < 4<<10 { // the first lines say it: what follows is the stack
		t.b = append(t.b, p[:min(len(p), 4<<10-len(t.b))]...)
	}
	return len(p), nil
}

// line returns the first line that says something.
func (t *tail) line() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range bytes.Lines(t.b) {
		if s := strings.TrimSpace(string(l)); s != "" {
			return s
		}
	}
	return ""
}
