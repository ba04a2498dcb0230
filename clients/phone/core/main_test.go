//go:build js

package main

import (
	"errors"
	"runtime"
	"strings"
	"syscall/js"
	"testing"

	"github.com/google/uuid"
)

// The core runs without names and lines of functions. What Go's runtime decides by must be there: these tests are run on a program that
// was stripped as the core is (make wasm).

// recovered returns the text of the panic in f.
func recovered(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() {
		switch e := recover().(type) {
		case nil:
			t.Error("no panic")
		case error:
			text = e.Error()
		default:
			t.Errorf("a panic with %T", e)
		}
	}()
	f()
	return ""
}

type value struct{ n int }

func (v value) Number() int { return v.n }

type numbered interface{ Number() int }

func TestAPanicIsRecovered(t *testing.T) {
	var none *value
	var list []int
	all := map[bool]numbered{true: none}
	at := len(t.Name())
	for what, f := range map[string]func(){
		"nil pointer":        func() { at += none.n },
		"index out of range": func() { at += list[at] },
		"called using nil":   func() { at += all[none == nil].Number() }, // the method's wrapper asks the runtime what it is called
		"divide by zero":     func() { at /= len(list) },
		"interface":          func() { at += any(t.Name()).(numbered).Number() },
		"of our own":         func() { panic(errors.New("of our own")) },
	} {
		if got := recovered(t, f); !strings.Contains(got, what) {
			t.Errorf("the panic says %q, want %q", got, what)
		}
	}
}

// deep holds a pointer in each frame while stacks move and the collector walks over them.
func deep(n int) *value {
	v := &value{n}
	if n%500 == 0 {
		runtime.GC()
	}
	if n > 0 {
		defer func() { v.n++ }()
		if below := deep(n - 1); below.n != n-1+min(n-1, 1) {
			panic(errors.New("a frame lost what it had"))
		}
	}
	return v
}

func TestStacksAreWalked(t *testing.T) {
	const n = 3000
	ended := make(chan int)
	for range 3 {
		go func() { ended <- deep(n).n }()
	}
	for range 3 {
		if got := <-ended; got != n+1 {
			t.Errorf("got %d, want %d", got, n+1)
		}
	}
}

func TestGoexitRunsWhatWasDeferred(t *testing.T) {
	ended := make(chan bool, 1)
	go func() {
		defer func() { ended <- recover() == nil }()
		runtime.Goexit()
	}()
	if !<-ended {
		t.Error("a goroutine that ends has a panic")
	}
}

// Whoever leaves in two tabs at a time closes the data twice: the second one finds it closed.
func TestClosedTwice(t *testing.T) {
	c := &core{object: js.Global().Get("Object").New()}
	_, err := c.open([]js.Value{js.ValueOf(map[string]any{
		"path": ":memory:", "member": uuid.NewString(), "device": uuid.NewString(), "url": "ws://127.0.0.1:1/v1/sync", "token": "x",
	})})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error)
	for range 2 {
		go func() { closed <- c.close() }()
	}
	for range 2 {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
}
