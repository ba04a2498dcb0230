package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"trio/crdt"
	"trio/crdt/automerge"
	"trio/crdt/wire"
)

// Ground is a server's data folder of which nobody else knows. All methods but Serve are called while no server has it open.
type Ground interface {
	// Enrol makes members with so many devices each.
	Enrol(ctx context.Context, members, devices int) ([][]Access, error)
	// Append stores changes of a member, as if devices had pushed them.
	Append(ctx context.Context, m crdt.MemberID, items []wire.Item) error
	// Fold has what is stored of a member be as a server makes it in quiet hours.
	Fold(ctx context.Context, m crdt.MemberID) error
	// Holds returns the hashes of all changes that are stored of a member.
	Holds(ctx context.Context, m crdt.MemberID) (map[automerge.Hash]bool, error)
	// Serve starts a server process and returns once its port is open.
	Serve(ctx context.Context) (*Server, error)
}

// Server is a server process.
type Server struct {
	URL   string // of the sync endpoint, ws://
	PID   int
	Began time.Time                   // when the process was started
	Rest  func(context.Context) error // returns once it has collected its garbage
	Stop  func() error                // in good order
	Kill  func() error                // at once, as kill -9 does
}

// Config of a Run. Zero fields have the defaults stated behind them.
type Config struct {
	Out    io.Writer
	Ground Ground
	Dir    string   // for the databases of real devices
	Seed   uint64   // of the made-up documents: 0 is a seed like any other
	Rows   []string // names of the rows to measure: all
	Small  bool     // a tenth of the load and fewer rounds: to see that it works, not how fast; only what may never happen is ErrMissed
}

// row is one line of the table.
type row struct {
	name    string
	work    string
	measure func(context.Context) ([]figure, error)
}

// figure is one number with what it must be below.
type figure struct {
	what  string
	value float64
	unit  string // "" is a count
	limit float64
	open  bool // nothing is demanded
}

func (f figure) met() bool {
	return f.value < f.limit || f.limit == 0 && f.value == 0
}

// counts reports whether the figure says whether all is well: in a small run no time or size does, but what may never be does.
func (f figure) counts(small bool) bool { return !small || f.limit == 0 }

func (f figure) String() string { return text(f.value, f.unit) }

func text(v float64, unit string) string {
	s := ""
	switch {
	case math.Abs(v-math.Round(v)) < 1e-9 || math.Abs(v) >= 1000:
		s = group(int64(math.Round(v)))
	case math.Abs(v) >= 100:
		s = fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		s = fmt.Sprintf("%.1f", v)
	case math.Abs(v) >= .1:
		s = fmt.Sprintf("%.2f", v)
	default:
		s = fmt.Sprintf("%.3f", v)
	}
	if unit != "" {
		s += " " + unit
	}
	return s
}

// group writes a number with a comma before each three digits.
func group(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// ErrMissed says that a number of the table is not what it must be.
var ErrMissed = errors.New("not all numbers are what they must be")

// Rows returns the names of the rows with what each measures.
func Rows() (list [][2]string) {
	for _, w := range (&run{}).rows() {
		list = append(list, [2]string{w.name, w.work})
	}
	return list
}

// Run measures row after row and prints each line of the table when it is known. An error is ErrMissed when a number is
// not what it must be, else what went wrong.
func Run(ctx context.Context, cfg Config) error {
	r := &run{Config: cfg}
	defer r.stop() //nolint:errcheck // it was stopped, or the error that led here counts
	fmt.Fprintf(r.Out, "%-52s %-34s %14s   %-16s\n", "work", "", "measured", "must be")
	missed := false
	for _, w := range r.rows() {
		if len(r.Rows) > 0 && !slices.Contains(r.Rows, w.name) {
			continue
		}
		figures, err := w.measure(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		work := w.work
		for _, f := range figures {
			must, met := "", ""
			switch {
			case f.open:
			case f.limit == 0:
				must = text(0, f.unit)
			default:
				must = "< " + text(f.limit, f.unit)
			}
			if !f.open && !f.met() {
				met = "missed"
				missed = missed || f.counts(r.Small)
			}
			fmt.Fprintln(r.Out, strings.TrimRight(fmt.Sprintf("%-52s %-34s %14s   %-16s %s", work, f.what, f, must, met), " "))
			work = ""
		}
	}
	if missed {
		return ErrMissed
	}
	return nil
}

// run is a Run under way.
type run struct {
	Config
	server *Server
}

// scale is n, or a tenth of it for a small run.
func (r *run) scale(n int) int {
	if r.Small {
		return max(n/10, 1)
	}
	return n
}

// serve starts the server unless it runs.
func (r *run) serve(ctx context.Context) (err error) {
	if r.server == nil {
		r.server, err = r.Ground.Serve(ctx)
	}
	return err
}

func (r *run) stop() error {
	s := r.server
	if r.server = nil; s == nil {
		return nil
	}
	return s.Stop()
}

func (r *run) kill() error {
	s := r.server
	r.server = nil
	return s.Kill()
}

// each runs f for all of n, so many at a time, and returns the first error.
func each(n, atOnce int, f func(i int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	next := make(chan int)
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
				}
			}
		})
	}
	for i := range n {
		mu.Lock()
		err := first
		mu.Unlock()
		if err != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return first
}

// percentile returns the value below which that share of the list is, in ms.
func percentile(list []time.Duration, share float64) float64 {
	if len(list) == 0 {
		return math.NaN()
	}
	slices.Sort(list)
	return ms(list[int(share*float64(len(list)-1))])
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
