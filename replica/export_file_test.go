package replica_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"trio/crdt"
	"trio/crdt/wire"
	"trio/replica"
)

// busy writes some things into a replica: people, edits of them, acts, a goal.
func busy(t testing.TB, r *replica.Replica, rnd *rand.Rand, steps int) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range steps {
		people, err := r.Contacts(ctx, "", 0, 100)
		check(err)
		n := rnd.IntN(6)
		if len(people) == 0 {
			n = 0
		}
		switch n {
		case 0:
			_, err = r.AddContact(ctx, replica.Fields{crdt.FieldName: fmt.Sprintf("P%d", rnd.IntN(1000)), crdt.FieldPhone + fmt.Sprintf("+346%08d", rnd.IntN(1e8)): ""})
		case 1, 2:
			err = r.EditContact(ctx, people[rnd.IntN(len(people))].ID, replica.Fields{crdt.FieldNote: fmt.Sprint(rnd.IntN(100)), crdt.FieldTag + "hot": "yes"})
		case 3, 4:
			_, err = r.Log(ctx, crdt.Entry{Kind: crdt.Call, Contact: people[rnd.IntN(len(people))].ID, Evidence: crdt.E1, Outcome: "answered"})
		default:
			err = r.SetProfile(ctx, crdt.ProfileName, fmt.Sprintf("Maya %d", rnd.IntN(9)))
		}
		check(err)
	}
}

func export(t testing.TB, r *replica.Replica, all bool) ([]byte, replica.FileHead) {
	t.Helper()
	b, head, err := r.Export(context.Background(), all)
	if err != nil {
		t.Fatal(err)
	}
	return b, head
}

// split makes files of the changes of one, in a random order, some of them in several.
func split(t testing.TB, rnd *rand.Rand, file []byte, parts int) (files [][]byte) {
	t.Helper()
	in := make([][]wire.Item, parts)
	head, err := replica.ReadFile(file, func(items []wire.Item) error {
		for _, it := range items {
			for n := 1 + rnd.IntN(2); n > 0; n-- {
				p := rnd.IntN(parts)
				in[p] = append(in[p], it)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, items := range in {
		rnd.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		files = append(files, fileOf(t, head, items))
	}
	return files
}

// fileOf lays a file out by hand.
func fileOf(t testing.TB, head replica.FileHead, items []wire.Item) []byte {
	t.Helper()
	b := append([]byte("TrioBook"), 1)
	b = append(append(b, head.Member[:]...), head.Device[:]...)
	varint := func(n int) {
		for ; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		b = append(b, byte(n))
	}
	varint(int(head.At.UnixMilli()))
	varint(len(head.Name))
	b = append(b, head.Name...)
	varint(len(items))
	if len(items) > 0 {
		f, err := wire.Encode(&wire.Push{ID: 7, Items: items})
		if err != nil {
			t.Fatal(err)
		}
		varint(len(f))
		b = append(b, f...)
	}
	return sealed(append(b, 0))
}

func sealed(b []byte) []byte {
	sum := sha256.Sum256(b)
	return append(b[:len(b):len(b)], sum[:]...)
}

// However the changes of two devices are spread over files, in whatever order these come and how often: who brought them all
// has, to the byte, what a device has that was given the whole at once.
func TestFilesInAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	member := crdt.MemberID(uuid.New())
	device := func() *replica.Replica {
		return open(t, replica.Config{Member: member, Device: crdt.DeviceID(uuid.New()), Now: func() time.Time { return noon }})
	}
	ctx := t.Context()
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		a, b, whole, pieces := device(), device(), device(), device()
		busy(t, a, rnd, 20)
		first, _ := export(t, a, false)
		if _, err := b.Bring(ctx, first); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		busy(t, a, rnd, 10) // both go on, each without the other
		busy(t, b, rnd, 10)
		fa, _ := export(t, a, true)
		fb, head := export(t, b, true)
		for _, f := range [][]byte{fa, fb} {
			if n, err := whole.Bring(ctx, f); err != nil || n.Waiting+n.Aside > 0 {
				t.Fatalf("seed %d: %+v, %v", seed, n, err)
			}
		}
		files := append(split(t, rnd, fa, 1+rnd.IntN(4)), split(t, rnd, fb, 1+rnd.IntN(4))...)
		files = append(files, files[rnd.IntN(len(files))])
		rnd.Shuffle(len(files), func(i, j int) { files[i], files[j] = files[j], files[i] })
		for _, f := range files {
			if _, err := pieces.Bring(ctx, f); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if got, want := dump(t, pieces), dump(t, whole); got != want {
			t.Fatalf("seed %d, round %d: brought in pieces it is\n%s\nas a whole\n%s", seed, round, got, want)
		}
		if n, err := pieces.Bring(ctx, fb); err != nil || n.New+n.Waiting+n.Aside > 0 || n.Same != head.Changes {
			t.Fatalf("seed %d: brought again %+v, %v", seed, n, err)
		}
		was := dump(t, pieces)
		if err := pieces.Rebuild(ctx); err != nil || dump(t, pieces) != was {
			t.Fatalf("seed %d: made anew it is another: %v", seed, err)
		}
		want, err := whole.UnsentCount(ctx)
		if n, err2 := pieces.UnsentCount(ctx); err != nil || err2 != nil || n != want || n == 0 {
			t.Fatalf("seed %d: %d changes are only here, want %d; %v, %v", seed, n, want, err, err2)
		}
	}
}

// What waits for a change that never came by a file is there when the server sends that change.
func TestWhatWaitsOutlivesTheApp(t *testing.T) {
	ctx := t.Context()
	member := crdt.MemberID(uuid.New())
	a := open(t, replica.Config{Member: member, Device: crdt.DeviceID(uuid.New())})
	busy(t, a, rand.New(rand.NewPCG(1, 1)), 12)
	file, head := export(t, a, false)
	var items []wire.Item
	if _, err := replica.ReadFile(file, func(some []wire.Item) error { items = append(items, some...); return nil }); err != nil {
		t.Fatal(err)
	}
	cfg := replica.Config{Path: t.TempDir() + "/r.db", Member: member, Device: crdt.DeviceID(uuid.New())}
	b := open(t, cfg)
	n, err := b.Bring(ctx, fileOf(t, head, items[1:]))
	if err != nil || n.Waiting == 0 || n.New+n.Waiting != len(items)-1 {
		t.Fatalf("%+v, %v", n, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, cfg)
	late := n.Waiting
	if n, err = b.Bring(ctx, fileOf(t, head, items[:1])); err != nil || n.New != 1+late || n.Waiting != 0 {
		t.Fatalf("%+v, %v; %d waited", n, err, late)
	}
	if dump(t, b) != dump(t, a) {
		t.Error("the two devices differ")
	}
}

func TestFileIsRefusedByName(t *testing.T) {
	ctx := t.Context()
	maya, ben := open(t, replica.Config{}), open(t, replica.Config{})
	for r, name := range map[*replica.Replica]string{maya: "Maya", ben: "Ben"} {
		if err := r.SetProfile(ctx, crdt.ProfileName, name); err != nil {
			t.Fatal(err)
		}
	}
	file, head := export(t, maya, false)
	if head.Name != "Maya" || head.Changes != 1 {
		t.Errorf("%+v", head)
	}
	was := dump(t, ben)
	if _, err := ben.Bring(ctx, file); !errors.Is(err, replica.ErrOtherBook) || !strings.Contains(err.Error(), "it is Maya's book, and this device has Ben's book") {
		t.Errorf("another member's file: %v", err)
	}
	for i := 0; i < len(file); i += 1 + len(file)/200 {
		if _, err := maya.Bring(ctx, file[:i]); !errors.Is(err, replica.ErrFile) && !errors.Is(err, replica.ErrNotFile) {
			t.Errorf("cut at %d: %v", i, err)
		}
		bad := bytes.Clone(file)
		bad[i] ^= 1
		if _, err := maya.Bring(ctx, bad); err == nil {
			t.Errorf("byte %d altered: it was taken", i)
		}
	}
	newer := bytes.Clone(file[:len(file)-sha256.Size])
	newer[8] = 2
	for want, bad := range map[string][]byte{
		"at most 32": make([]byte, replica.MaxFile+1), "no file of changes": []byte("PK\x03\x04"), "newer version": sealed(newer),
		"damaged": sealed(file[:len(file)-sha256.Size-1]),
	} {
		if _, err := maya.Bring(ctx, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if dump(t, ben) != was {
		t.Error("what was refused changed something")
	}
}

// TestFileThatUnpacksWithoutEnd: a small file that swells when it is unpacked does not fill the device.
func TestFileThatUnpacksWithoutEnd(t *testing.T) {
	ctx := t.Context()
	phone := open(t, replica.Config{})
	ok(t, phone.SetProfile(ctx, crdt.ProfileName, "Maya"))
	person, err := phone.AddContact(ctx, replica.Fields{crdt.FieldName: "Priya"})
	ok(t, err)
	ok(t, phone.EditContact(ctx, person, replica.Fields{crdt.FieldNote: strings.Repeat("a", 4096)}))
	file, _ := export(t, phone, true)
	laptop := open(t, replica.Config{Member: phone.Member(), Device: crdt.DeviceID(uuid.New())})
	restore := replica.UnpackAtMost(4000)
	defer restore()
	was := dump(t, laptop)
	if _, err := laptop.Bring(ctx, file); len(file) > 4000 || err == nil || !strings.Contains(err.Error(), "more changes than a book") || dump(t, laptop) != was {
		t.Errorf("a file of %d bytes: %v", len(file), err)
	}
	restore()
	if n, err := laptop.Bring(ctx, file); err != nil || n.New == 0 {
		t.Errorf("where there is room: %+v, %v", n, err)
	}
}

func FuzzReadFile(f *testing.F) {
	r := open(f, replica.Config{Now: func() time.Time { return noon }})
	busy(f, r, rand.New(rand.NewPCG(2, 2)), 8)
	whole, _ := export(f, r, true)
	f.Add(whole[:len(whole)-sha256.Size])
	f.Add([]byte("TrioBook\x01"))
	to := open(f, replica.Config{Member: r.Member(), Device: crdt.DeviceID{7}, Now: func() time.Time { return noon }})
	f.Fuzz(func(t *testing.T, body []byte) {
		b := sealed(body) // an attacker repairs the checksum too
		_, rerr := replica.ReadFile(b, func([]wire.Item) error { return nil })
		n, err := to.Bring(context.Background(), b)
		if rerr != nil && err == nil {
			t.Fatalf("brought %+v of a file that cannot be read: %v", n, rerr)
		}
		if err == nil {
			if again, err := to.Bring(context.Background(), b); err != nil || again.New > 0 {
				t.Fatalf("brought again: %+v, %v", again, err)
			}
		}
	})
}
