package qr_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"trio/clients/qr"
	"trio/crdt/npmtest"
)

// reader is a reader of another make (js/read.mjs), which looks for codes as in photos.
type reader struct {
	*npmtest.Child
	answers *json.Decoder
}

// startReader starts one that ends with the test.
func startReader(t *testing.T) *reader {
	t.Helper()
	npmtest.Need(t, "qr")
	c, err := npmtest.Start(filepath.Join("js", "read.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return &reader{c, json.NewDecoder(c.Out)}
}

// read returns what the code in a picture says.
func (r *reader) read(t *testing.T, what string, img *image.Gray) string {
	t.Helper()
	var a struct{ Text, Error string }
	err := json.NewEncoder(r.In).Encode(map[string]any{"width": img.Rect.Dx(), "height": img.Rect.Dy(), "gray": img.Pix})
	if err == nil {
		err = r.answers.Decode(&a)
	}
	if err != nil || a.Error != "" {
		t.Fatalf("%s: %v %s\n%s", what, err, a.Error, r.Said())
	}
	return a.Text
}

// scale is how many pixels of a picture a module is wide.
const scale = 4

// painted is a picture of modules.
func painted(size int, dark func(x, y int) bool) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, size*scale, size*scale))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	for y := range size {
		for x := range size {
			if dark(x, y) {
				draw.Draw(img, image.Rect(x*scale, y*scale, (x+1)*scale, (y+1)*scale), image.Black, image.Point{}, draw.Src)
			}
		}
	}
	return img
}

var run = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)

// fromSVG paints what the SVG draws.
func fromSVG(t *testing.T, svg string) *image.Gray {
	t.Helper()
	var doc struct {
		ViewBox string `xml:"viewBox,attr"`
		Paths   []struct {
			Fill string `xml:"fill,attr"`
			D    string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal([]byte(svg), &doc); err != nil || len(doc.Paths) != 2 || doc.Paths[1].Fill != "#000" {
		t.Fatalf("%v: %s", err, svg)
	}
	var size int
	if _, err := fmt.Sscanf(doc.ViewBox, "0 0 %d", &size); err != nil {
		t.Fatal(err)
	}
	dark := map[image.Point]bool{}
	d := doc.Paths[1].D
	for _, m := range run.FindAllStringSubmatch(d, -1) {
		var x, y, n int
		fmt.Sscan(m[1]+" "+m[2]+" "+m[3], &x, &y, &n) //nolint:errcheck // they are digits
		if m[3] != m[4] {
			t.Fatalf("not a bar: %s", m[0])
		}
		for i := range n {
			dark[image.Pt(x+i, y)] = true
		}
	}
	if left := run.ReplaceAllString(d, ""); left != "" {
		t.Fatalf("not a bar: %s", left)
	}
	return painted(size, func(x, y int) bool { return dark[image.Pt(x, y)] })
}

// fromText paints what a terminal shows: light on dark without colour, as its colours say with it.
func fromText(text string) *image.Gray {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	upper, lower := map[rune]bool{'▀': true, '█': true}, map[rune]bool{'▄': true, '█': true}
	colour := strings.HasPrefix(lines[0], "\x1b[38;5;16;48;5;231m")
	var cells [][]rune
	for _, l := range lines {
		cells = append(cells, []rune(strings.TrimSuffix(strings.TrimPrefix(l, "\x1b[38;5;16;48;5;231m"), "\x1b[0m")))
	}
	return painted(len(cells[0]), func(x, y int) bool {
		ink := upper
		if y%2 == 1 {
			ink = lower
		}
		return ink[cells[y/2][x]] == colour
	})
}

// TestRead: a reader of another make reads what is drawn, in every form.
func TestRead(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	texts := []string{"https://trio.example.com/join#K7QF-9M2X-PD4R", "http://127.0.0.1:8787/join#0000-0000-0000", "A", "1234567"}
	for range 20 {
		b := []byte("https://h.example/join#")
		for range rnd.IntN(qr.MaxText - len(b)) {
			b = append(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHJKMNPQRSTVWXYZ0123456789-_./#%"[rnd.IntN(64)])
		}
		texts = append(texts, string(b))
	}
	texts = append(texts, strings.Repeat("x", qr.MaxText))
	r := startReader(t)
	for _, text := range texts {
		c, err := qr.New(text)
		if err != nil {
			t.Fatal(err)
		}
		for what, img := range map[string]*image.Gray{
			"modules": painted(c.Size(), c.Dark), "SVG": fromSVG(t, c.SVG()),
			"half blocks": fromText(c.Text(false)), "half blocks in colour": fromText(c.Text(true)),
		} {
			if got := r.read(t, what, img); got != text {
				t.Errorf("seed %d: %s of %q reads %q", seed, what, text, got)
			}
		}
	}
}

// TestWorn: a code of which a part is covered is still read.
func TestWorn(t *testing.T) {
	const text = "https://trio.example.com/join#K7QF-9M2X-PD4R"
	c, err := qr.New(text)
	if err != nil {
		t.Fatal(err)
	}
	img := painted(c.Size(), c.Dark)
	mid := c.Size() * scale / 2
	draw.Draw(img, image.Rect(mid-2*scale, mid-2*scale, mid+2*scale, mid+2*scale), image.NewUniform(color.White), image.Point{}, draw.Src)
	if got := startReader(t).read(t, "worn", img); got != text {
		t.Errorf("reads %q", got)
	}
}

func TestTooMuch(t *testing.T) {
	for _, text := range []string{"", strings.Repeat("x", qr.MaxText+1)} {
		if _, err := qr.New(text); err == nil || !strings.Contains(err.Error(), "1 to 600") {
			t.Errorf("%d bytes: %v", len(text), err)
		}
	}
}
