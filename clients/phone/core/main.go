//go:build js

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall/js"

	"trio/replica"
	"trio/replica/device"
)

// core is what the worker has open.
type core struct {
	object js.Value
	r      *replica.Replica
	d      *device.Device
	sync   *replica.Syncer
	stop   context.CancelFunc
	ended  chan struct{} // closed when syncing has stopped

	closing sync.Mutex // who closes waits for syncing to stop, and another may close meanwhile
}

func main() {
	c := &core{object: js.Global().Get("Object").New()}
	c.method("open", c.open)
	c.method("call", c.call)
	c.method("importFile", c.importFile)
	c.values("exportFile", c.exportFile)
	c.method("close", func([]js.Value) (string, error) { return "", c.close() })
	c.object.Set("wake", js.FuncOf(func(js.Value, []js.Value) any {
		if c.sync != nil {
			c.sync.Wake()
		}
		return nil
	}))
	js.Global().Set("trioCore", c.object)
	select {} // it lives as long as its worker
}

// method makes f a function that returns a promise of a text.
func (c *core) method(name string, f func(args []js.Value) (string, error)) {
	c.values(name, func(args []js.Value) (any, error) { return f(args) })
}

// values makes f a function that returns a promise. f runs in a goroutine of its own, as it may wait.
func (c *core) values(name string, f func(args []js.Value) (any, error)) {
	promise, failure := js.Global().Get("Promise"), js.Global().Get("Error")
	c.object.Set(name, js.FuncOf(func(_ js.Value, args []js.Value) any {
		var start js.Func
		start = js.FuncOf(func(_ js.Value, then []js.Value) any {
			defer start.Release()
			go func() {
				if out, err := f(args); err != nil {
					then[1].Invoke(failure.New(err.Error()))
				} else {
					then[0].Invoke(out)
				}
			}()
			return nil
		})
		return promise.New(start)
	}))
}

// text returns an argument, or a field of one, "" when it is not a text.
func text(v js.Value, field string) string {
	if v.Type() != js.TypeObject {
		return ""
	}
	if v = v.Get(field); v.Type() != js.TypeString {
		return ""
	}
	return v.String()
}

func (c *core) open(args []js.Value) (string, error) {
	if c.r != nil {
		return "", errors.New("the data is open already")
	}
	if len(args) == 0 {
		return "", errors.New("open needs an object that says what to open")
	}
	cfg := replica.Config{Path: text(args[0], "path")}
	if s := text(args[0], "member"); s != "" {
		if err := cfg.Member.UnmarshalText([]byte(s)); err != nil {
			return "", fmt.Errorf("member: %w", err)
		}
	}
	if s := text(args[0], "device"); s != "" {
		if err := cfg.Device.UnmarshalText([]byte(s)); err != nil {
			return "", fmt.Errorf("device: %w", err)
		}
	}
	cfg.Adopt = true // which device this is says the access that lies beside the data: it is the newer one
	ctx, stop := context.WithCancel(context.Background())
	r, err := replica.Open(ctx, cfg)
	if err != nil {
		stop()
		return "", err
	}
	c.r, c.d, c.stop, c.ended = r, &device.Device{R: r}, stop, make(chan struct{})
	changed, _ := r.Watch()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-changed:
				if f := c.object.Get("onchange"); f.Type() == js.TypeFunction {
					f.Invoke()
				}
			}
		}
	}()
	url, token := text(args[0], "url"), text(args[0], "token")
	if url == "" || token == "" {
		close(c.ended)
		return "", nil
	}
	c.sync = r.NewSyncer(replica.SyncerConfig{URL: url, Token: token, App: "trio phone"})
	c.d.Sync = func() device.Sync {
		st := c.sync.State()
		s := device.Sync{Connected: st.Connected, Level: st.Level, Since: st.Since, Final: st.Final}
		if st.Err != nil {
			s.Trouble = st.Err.Error()
		}
		return s
	}
	go func() {
		defer close(c.ended)
		_ = c.sync.Run(ctx) // its state says how it ended
	}()
	return "", nil
}

func (c *core) call(args []js.Value) (string, error) {
	if c.d == nil {
		return "", errors.New("no data is open")
	}
	var s [3]string
	for i := range s {
		if i < len(args) && args[i].Type() == js.TypeString {
			s[i] = args[i].String()
		}
	}
	return c.d.Call(context.Background(), s[0], s[1], s[2])
}

func (c *core) importFile(args []js.Value) (string, error) {
	switch {
	case c.d == nil:
		return "", errors.New("no data is open")
	case len(args) != 3 || args[0].Type() != js.TypeString || args[1].Type() != js.TypeString || !args[2].InstanceOf(js.Global().Get("Uint8Array")):
		return "", errors.New("importFile takes a name, a calling code and bytes")
	}
	file := make([]byte, args[2].Length())
	js.CopyBytesToGo(file, args[2])
	return c.d.Import(context.Background(), args[0].String(), args[1].String(), file)
}

// exportFile returns {name, type, changes, data}.
func (c *core) exportFile(args []js.Value) (any, error) {
	switch {
	case c.d == nil:
		return nil, errors.New("no data is open")
	case len(args) != 1 || args[0].Type() != js.TypeString:
		return nil, errors.New("exportFile takes the sort of file")
	}
	f, err := c.d.Export(context.Background(), args[0].String())
	if err != nil {
		return nil, err
	}
	data := js.Global().Get("Uint8Array").New(len(f.Data))
	js.CopyBytesToJS(data, f.Data)
	return map[string]any{"name": f.Name, "type": f.Type, "changes": f.Changes, "data": data}, nil
}

func (c *core) close() error {
	c.closing.Lock()
	defer c.closing.Unlock()
	if c.r == nil {
		return nil
	}
	c.stop()
	<-c.ended
	err := c.r.Close()
	c.r, c.d, c.sync = nil, nil, nil
	return err
}
