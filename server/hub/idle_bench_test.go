//go:build linux

package hub_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/ranking/playbook"
	"trio/server/hub"
	"trio/server/store"
)

// idleEnv has this test binary act as the devices of BenchmarkIdle: its value is the server's URL; a line of standard
// input is a device to connect (member, device, token), the end of it is the end of all connections.
const idleEnv = "TRIO_HUB_TEST_IDLE"

func TestMain(m *testing.M) {
	if url := os.Getenv(idleEnv); url != "" {
		if err := idleDevices(url, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// idleDevices connects devices, has each greeted and brought up to date, writes a line when all are, and keeps them.
func idleDevices(url string, in io.Reader, out io.Writer) error {
	var wg sync.WaitGroup
	errs := make(chan error, 1)
	limit := make(chan struct{}, 64)
	lines := bufio.NewScanner(in)
	n := 0
	var mu sync.Mutex
	var all []*websocket.Conn // or they would be collected, and closed
	for lines.Scan() && lines.Text() != "" {
		f := strings.Fields(lines.Text())
		n++
		// More than one source address: each has 28,000 ports.
		from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+n%4))}
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			err := func() error {
				d := websocket.Dialer{NetDial: (&net.Dialer{LocalAddr: from, Timeout: time.Minute}).Dial, ReadBufferSize: 512, WriteBufferSize: 512}
				ws, _, err := d.Dial(url, http.Header{"Authorization": {"Bearer " + f[2]}})
				if err != nil {
					return err
				}
				var hello wire.Hello
				hello.Version = wire.Version
				if err := hello.Member.UnmarshalText([]byte(f[0])); err != nil {
					return err
				}
				if err := hello.Device.UnmarshalText([]byte(f[1])); err != nil {
					return err
				}
				b, err := wire.Encode(&hello)
				if err != nil {
					return err
				}
				if err := ws.WriteMessage(websocket.BinaryMessage, b); err != nil {
					return err
				}
				if _, _, err := ws.ReadMessage(); err != nil { // the Welcome; there is nothing else to be sent
					return err
				}
				mu.Lock()
				all = append(all, ws)
				mu.Unlock()
				return nil
			}()
			if err != nil {
				select {
				case errs <- err:
				default:
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	fmt.Fprintln(out, "connected", n)
	lines.Scan()
	for _, ws := range all {
		_ = ws.Close()
	}
	return nil
}

// BenchmarkIdle has the server hold 10,000 devices that have nothing to say, and measures what its process takes for each
// while they are there and once they have left. The devices are another process.
func BenchmarkIdle(b *testing.B) {
	const devices = 10000
	var nofile syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &nofile); err != nil || nofile.Cur < devices+500 {
		b.Skipf("%d files may be open here, which is too few", nofile.Cur)
	}
	ctx := b.Context()
	st, tenant := newStore(b, filepath.Join(b.TempDir(), "trio.db"))
	defer st.Close()
	var list bytes.Buffer
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range devices / 50 {
				m, err := st.CreateMember(ctx, store.Member{Tenant: tenant, Name: "member"})
				var d store.Device
				var token string
				if err == nil {
					d, token, err = st.CreateDevice(ctx, m, "phone")
				}
				if err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				fmt.Fprintln(&list, crdt.MemberID(m), d.ID, token)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	var log logs
	h := hub.New(hub.Config{Store: st, Log: slog.New(slog.NewTextHandler(&log, nil))})
	defer h.Shutdown(context.WithoutCancel(ctx)) //nolint:errcheck // all have left
	srv := httptest.NewServer(h)
	defer srv.Close()

	for b.Loop() {
		before := residentBytes(b)
		heap, stack := heapAndStacks()
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), idleEnv+"=ws"+strings.TrimPrefix(srv.URL, "http"))
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		start := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := in.Write(append(bytes.Clone(list.Bytes()), '\n')); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != fmt.Sprintln("connected", devices) {
			b.Fatal(line, err)
		}
		b.ReportMetric(devices/time.Since(start).Seconds(), "connects/s")
		if n := h.Connections(); n != devices {
			b.Fatalf("%d connections, want %d", n, devices)
		}
		b.ReportMetric(float64(residentBytes(b)-before)/devices, "B/idle-device")
		h2, s2 := heapAndStacks()
		b.ReportMetric((h2-heap)/devices, "heap-B/device")
		b.ReportMetric((s2-stack)/devices, "stack-B/device")
		b.ReportMetric(float64(runtime.NumGoroutine())/devices, "goroutines/device")
		published(b, st, tenant, &log, devices)
		b.ReportMetric(float64(residentBytes(b)-before)/devices, "B/idle-device-published")
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); h.Connections() > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Fatalf("%d connections are still there", h.Connections())
			}
		}
		b.ReportMetric(float64(residentBytes(b)-before)/devices, "B/device-gone")
	}
}

// heapAndStacks returns the bytes in use, to be read after residentBytes.
func heapAndStacks() (heap, stacks float64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

// published publishes the default playbook to devices that are connected, and measures what the server's process takes until
// it has been written to all of them.
func published(b *testing.B, st *store.SQLite, t store.Tenant, log *logs, devices int) {
	b.Helper()
	heads, err := st.PlaybookHeads(b.Context(), []store.Tenant{t})
	if err != nil {
		b.Fatal(err)
	}
	d := playbook.Default()
	d.Version = heads[t].Taken + 1
	cpu, start := processorTime(b), time.Now()
	_, err = st.PublishPlaybook(b.Context(), store.Playbook{Tenant: t, Version: d.Version, Hash: d.Hash(), By: "Ann", Doc: d.Encode()}, heads[t].Version)
	if err != nil {
		b.Fatal(err)
	}
	for want := fmt.Sprintf("version=%d connections=%d", d.Version, devices); !strings.Contains(log.String(), want); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > time.Minute {
			b.Fatal("the playbook was not sent to all")
		}
	}
	b.ReportMetric(time.Since(start).Seconds(), "s/publish")
	b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(devices), "µs-cpu/published-device")
}

// processorTime returns what this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentBytes returns the resident set of this process after what is garbage has gone.
func residentBytes(b *testing.B) int64 {
	b.Helper()
	for range 3 {
		runtime.GC()
	}
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
