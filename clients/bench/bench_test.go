package bench

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{0, "", "0"},
		{142502, "B", "142,502 B"},
		{-1234567, "", "-1,234,567"},
		{0.0934, "ms", "0.093 ms"},
		{0.5, "s", "0.50 s"},
		{11.94, "KB", "11.9 KB"},
		{250.5, "ms", "250 ms"},
		{1234.4, "ms", "1,234 ms"},
	} {
		if got := text(c.v, c.unit); got != c.want {
			t.Errorf("text(%v, %q) = %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestFigureIsMet(t *testing.T) {
	for _, c := range []struct {
		f    figure
		want bool
	}{
		{figure{value: 4.9, limit: 5}, true},
		{figure{value: 5, limit: 5}, false},
		{figure{value: 0}, true},
		{figure{value: 1}, false}, // one lost change is one too many
	} {
		if got := c.f.met(); got != c.want {
			t.Errorf("%+v: met %v, want %v", c.f, got, c.want)
		}
	}
}

func TestEachEndsAtTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	done := make(chan error)
	go func() {
		done <- each(1000, 8, func(i int) error {
			if i == 3 {
				return broken
			}
			return nil
		})
	}()
	select {
	case err := <-done:
		if !errors.Is(err, broken) {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it hangs")
	}
}

// noGround fails at once: what went wrong is to be told with the row's name, and nothing is to hang.
type noGround struct{ Ground }

func (noGround) Enrol(context.Context, int, int) ([][]Access, error) {
	return nil, errors.New("no room")
}

func TestRunTellsWhichRowFailed(t *testing.T) {
	for _, r := range Rows() {
		if r[0] == "device" {
			continue // has no server
		}
		var out bytes.Buffer
		err := Run(t.Context(), Config{Out: &out, Ground: noGround{}, Dir: t.TempDir(), Rows: []string{r[0]}, Small: true})
		if err == nil || !strings.Contains(err.Error(), r[0]) || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: %v", r[0], err)
		}
	}
}
