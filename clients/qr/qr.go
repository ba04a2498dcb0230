// Package qr draws a link as a QR code: as SVG for a page, and as half blocks for a terminal. What the modules are is
// the matter of boombuler/barcode; this package only draws them, with the quiet zone of four modules that readers need.
package qr

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// MaxText bounds what is drawn, in bytes: at level M that is a code of 97 modules, the most that a phone reads at ease.
const MaxText = 600

// quiet is the white margin around a code, in modules.
const quiet = 4

// Code is a square of dark and light modules.
type Code struct {
	size int
	dark []bool // row by row
}

// New returns the code of a text, which a reader can mend when 15% of it cannot be seen.
func New(text string) (*Code, error) {
	if text == "" || len(text) > MaxText {
		return nil, fmt.Errorf("text of %d bytes: a QR code takes 1 to %d", len(text), MaxText)
	}
	b, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	n := b.Bounds().Dx()
	c := &Code{size: n, dark: make([]bool, n*n)}
	for i := range c.dark {
		c.dark[i] = color.GrayModel.Convert(b.At(i%n, i/n)).(color.Gray).Y < 128
	}
	return c, nil
}

// SVG draws a text as a QR code; see New and Code.SVG.
func SVG(text string) (string, error) {
	c, err := New(text)
	if err != nil {
		return "", err
	}
	return c.SVG(), nil
}

// Size returns how many modules stand in a row, the quiet zone included.
func (c *Code) Size() int { return c.size + 2*quiet }

// Dark reports whether a module is dark; (0, 0) is the upper left one of the quiet zone. Outside all is light.
func (c *Code) Dark(x, y int) bool {
	x, y = x-quiet, y-quiet
	return x >= 0 && y >= 0 && x < c.size && y < c.size && c.dark[y*c.size+x]
}

// SVG draws the code in black on white, as wide as its place is. It needs nothing from elsewhere and holds no script.
func (c *Code) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" role="img" aria-label="QR code" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path fill="#000" d="`, c.Size())
	for y := range c.Size() {
		for x := 0; x < c.Size(); x++ {
			from := x
			for c.Dark(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return b.String()
}

// Colours of a line of half blocks: black on white, whatever a terminal's own are.
const (
	blackOnWhite = "\x1b[38;5;16;48;5;231m"
	asBefore     = "\x1b[0m"
)

// Text draws the code in half blocks, two rows of modules a line. With colour it is black on white in any terminal; without
// it, blocks are the light modules, as most terminals are dark.
func (c *Code) Text(colour bool) string {
	blocks := []string{"█", "▄", "▀", " "} // light: both, lower, upper, none
	if colour {
		blocks = []string{" ", "▀", "▄", "█"} // dark: none, upper, lower, both
	}
	var b strings.Builder
	for y := 0; y < c.Size(); y += 2 {
		if colour {
			b.WriteString(blackOnWhite)
		}
		for x := range c.Size() {
			i := 0
			if c.Dark(x, y) {
				i++
			}
			if c.Dark(x, y+1) {
				i += 2
			}
			b.WriteString(blocks[i])
		}
		if colour {
			b.WriteString(asBefore)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
