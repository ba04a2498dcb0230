package fit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// goTest runs tests of the ranking room in a build for another machine, or this one, and returns what they print; ok is
// false when it cannot be run here.
func goTest(t *testing.T, env, args []string) (out string, err error) {
	c := exec.Command("go", append([]string{"test", "-count=1", "-v"}, args...)...)
	c.Dir = "../../ranking"
	c.Env = append(os.Environ(), env...)
	b, err := c.CombinedOutput()
	return string(b), err
}

// wasmExec is the way to run a js/wasm test, if Node.js is here.
func wasmExec(t *testing.T) []string {
	if _, err := exec.LookPath("node"); err != nil {
		return nil
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return []string{"-exec", filepath.Join(strings.TrimSpace(string(root)), "lib/wasm/go_js_wasm_exec")}
}

var speedLine = regexp.MustCompile(`speed: rank ([0-9.]+) tap ([0-9.]+) allocations ([0-9]+) bytes ([0-9]+) least ([0-9.]+) ([0-9.]+)`)

// benchMachine measures what a device feels, and that all builds agree.
func benchMachine(t *testing.T, r *report) {
	number := func(s string) (v float64) {
		if _, err := fmt.Sscan(s, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	out, err := goTest(t, nil, []string{"-run", "^TestSpeed$", "-args", "-speed"})
	m := speedLine.FindStringSubmatch(out)
	if err != nil || m == nil {
		t.Errorf("ranking was not timed: %v: %s", err, out)
		return
	}
	r.add("5,000 contacts, both lists, p50 in ms", "%.2f", number(m[1])/1000, "<=", 2)
	r.note("the fastest of 101, which others on the machine disturb least", fmt.Sprintf("%.2f, after a tap %.3f", number(m[5])/1000, number(m[6])/1000))
	r.add("both lists after a tap, warm, p50 in ms", "%.3f", number(m[2])/1000, "<=", .2)
	r.add("allocations of a warm ranker", "%.0f", number(m[3]), "<=", 0)
	r.add("bytes a contact", "%.0f", number(m[4]), "<=", 256)
	wasm := wasmExec(t)
	if wasm == nil {
		r.note("5,000 contacts as wasm in Node.js", "no Node.js here")
	} else {
		js := []string{"GOOS=js", "GOARCH=wasm"}
		out, err := goTest(t, js, append(wasm, "-run", "^TestSpeed$", ".", "-args", "-speed"))
		m := speedLine.FindStringSubmatch(out)
		if err != nil || m == nil {
			t.Errorf("ranking as wasm was not timed: %v: %s", err, out)
			return
		}
		r.add("5,000 contacts, both lists, as wasm in Node.js, p50 in ms", "%.2f", number(m[1])/1000, "<=", 5)
		r.add("both lists after a tap, as wasm, p50 in ms", "%.3f", number(m[2])/1000, "<=", .2)
		r.note("the fastest of 101 as wasm", fmt.Sprintf("%.2f, after a tap %.3f", number(m[5])/1000, number(m[6])/1000))
	}

	equal, ran := 0, 0
	digest := func(name string, env, how []string) {
		ran++
		if out, err := goTest(t, env, append(how, "-short", "-run", "^TestGolden", ".")); err != nil {
			t.Logf("%s: %s", name, out)
			return
		}
		equal++
	}
	builds := []string{}
	run := func(name string, env, how []string) {
		builds = append(builds, name)
		digest(name, env, how)
	}
	run("this machine", nil, nil)
	if wasm != nil {
		run("wasm", []string{"GOOS=js", "GOARCH=wasm"}, wasm)
	}
	if isAMD64() {
		run("amd64 v3", []string{"GOAMD64=v3"}, nil)
		run("386", []string{"GOARCH=386", "CGO_ENABLED=0"}, nil)
	}
	for arch, qemu := range map[string]string{"arm64": "qemu-aarch64", "arm": "qemu-arm", "riscv64": "qemu-riscv64", "s390x": "qemu-s390x", "ppc64le": "qemu-ppc64le"} {
		for _, name := range []string{qemu + "-static", qemu} {
			if path, err := exec.LookPath(name); err == nil {
				run(arch, []string{"GOARCH=" + arch, "CGO_ENABLED=0"}, []string{"-exec", path})
				break
			}
		}
	}
	r.add("builds with the same digests: "+strings.Join(builds, ", "), "%.0f", float64(equal), ">=", float64(ran))

	count := func(what, name string, args ...string) {
		got := 1.0
		if out, err := goTest(t, nil, append([]string{"-run", "^" + name + "$", "."}, args...)); err != nil {
			t.Logf("%s", out)
			got = 0
		}
		r.add(what, "%.0f", got, ">=", 1)
	}
	count("any order, doubling and split of entries: same facts, same three, 10,000 cases", "TestAnyOrderDuplicationAndSplitOfEntriesGivesTheSameThree")
	days := *memberDays
	count(fmt.Sprintf("no rule broken, every pick explained by terms that add up, %d member-days", days),
		"TestNoRuleIsBrokenAndEveryPickIsExplainedIn100000MemberDays", "-args", "-memberdays", fmt.Sprint(days))

	pb := plainPlaybook()
	w := newWorld(1)
	w.people(40, 9)
	pb.Reorder = Reorder(pb.Reorder, w.histories(), simDay0-1)
	r.add("numbers of a fitted playbook, KB of 8 bytes each", "%.1f", float64(numbers(reflect.ValueOf(pb).Elem()))*8/1024, "<=", 16)
}

func isAMD64() bool {
	out, err := exec.Command("go", "env", "GOARCH").Output()
	return err == nil && strings.TrimSpace(string(out)) == "amd64"
}

// numbers counts those of a value that are not zero.
func numbers(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			n += numbers(v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			n += numbers(v.Index(i))
		}
	default:
		if !v.IsZero() {
			n++
		}
	}
	return n
}
