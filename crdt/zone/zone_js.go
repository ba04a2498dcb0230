package zone

import (
	"strconv"
	"strings"
	"sync"
	"syscall/js"
)

// Asking Intl costs microseconds, so it is asked for pieces of six days: where their ends agree, no clock was changed in
// between. (The shortest time between two changes in a zone that ever was is four weeks, around Ramadan in Morocco.)
const piece = 1 << 29 // ms

func load(name string) (z *Zone, err error) {
	defer func() {
		if recover() != nil { // RangeError: the browser knows no such zone
			z, err = nil, unknown(name)
		}
	}()
	format := js.Global().Get("Intl").Get("DateTimeFormat").New("en-US", map[string]any{
		"timeZone": name, "hourCycle": "h23", "era": "short",
		"year": "numeric", "month": "numeric", "day": "numeric", "hour": "numeric", "minute": "numeric", "second": "numeric",
	})
	// Intl does not mind capitals, and the tables of other machines do.
	if its := format.Call("resolvedOptions").Get("timeZone").String(); its != name && strings.EqualFold(its, name) {
		return nil, unknown(name)
	}
	c := &clock{format: format, at: map[int64]int{}, pieces: map[int64]change{}}
	return &Zone{name, c.offset}, nil
}

// clock is a zone as far as it was asked for.
type clock struct {
	sync.Mutex
	format js.Value
	at     map[int64]int // at the beginnings of pieces, s
	pieces map[int64]change
}

// change is the one change of a clock that a piece may have.
type change struct {
	at            int64 // ms; without one the end of the piece
	before, after int   // s
}

// maxPieces bounds what is kept: 200 years need fewer.
const maxPieces = 20_000

func (c *clock) offset(ms int64) int {
	c.Lock()
	defer c.Unlock()
	n := ms >> 29
	p, ok := c.pieces[n]
	if !ok {
		if len(c.pieces) >= maxPieces {
			clear(c.pieces)
			clear(c.at)
		}
		p = change{at: (n + 1) * piece, before: c.begin(n), after: c.begin(n + 1)}
		if p.before != p.after {
			from, to := n*piece, p.at // before holds at from, after at to
			for to-from > 1 {
				if mid := from + (to-from)/2; c.ask(mid) == p.before {
					from = mid
				} else {
					to = mid
				}
			}
			p.at = to
		}
		c.pieces[n] = p
	}
	if ms < p.at {
		return p.before
	}
	return p.after
}

func (c *clock) begin(n int64) int {
	s, ok := c.at[n]
	if !ok {
		s = c.ask(n * piece)
		c.at[n] = s
	}
	return s
}

// ask has an instant written as people at that place write it: "10/25/2026 A, 02:59:59".
func (c *clock) ask(ms int64) int {
	ms -= ((ms % 1000) + 1000) % 1000
	var n [6]int
	i, era := 0, true
	text := c.format.Call("format", ms).String()
	for k := 0; k < len(text); k++ {
		switch {
		case text[k] >= '0' && text[k] <= '9':
			end := k
			for end < len(text) && text[end] >= '0' && text[end] <= '9' {
				end++
			}
			if i < len(n) {
				n[i], _ = strconv.Atoi(text[k:end])
				i++
			}
			k = end
		case text[k] == 'B':
			era = false
		}
	}
	if i < len(n) || !era {
		return 0
	}
	shown := js.Global().Get("Date").Call("UTC", n[2], n[0]-1, n[1], n[3], n[4], n[5]).Float()
	return int((int64(shown) - ms) / 1000)
}

// Here returns how many seconds east of UTC the machine's own clock is at an instant (ms since 1970).
func Here(ms int64) int {
	return js.Global().Get("Date").New(ms).Call("getTimezoneOffset").Int() * -60
}
