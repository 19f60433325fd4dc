package shard

// Transfers that break off and go on.

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"dragg/graph"
	"dragg/posting/keys"
	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/memkv"
)

// rest returns what the source sends to a receiver that has kept after.
func rest(t testing.TB, source *Shard, desc, after []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := source.WriteSnapshot(t.Context(), desc, after, &out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// broken is a stream that breaks off.
func broken(b []byte) io.Reader {
	return io.MultiReader(bytes.NewReader(b), readerFunc(func([]byte) (int, error) { return 0, errors.New("the connection was cut") }))
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// place is where a frame ends.
type place struct {
	frame
	end int
}

// frames returns the frames of a stream.
func frames(t testing.TB, stream []byte) (out []place) {
	t.Helper()
	f := &frameReader{r: bytes.NewReader(stream)}
	for int(f.at) < len(stream) {
		got, err := f.next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, place{got, int(f.at)})
	}
	return out
}

// data returns the frames of changes.
func data(all []place) (out [][]byte) {
	for _, f := range all {
		if f.kind == frameData {
			out = append(out, f.payload)
		}
	}
	return out
}

// everything returns all that an engine holds, every version of it.
func everything(t testing.TB, e storage.Engine) string {
	t.Helper()
	r := e.ReaderAt(graph.MaxTimestamp)
	defer r.Close()
	var out strings.Builder
	it := r.History(nil, nil, 0)
	for it.Next() {
		fmt.Fprintf(&out, "%x", it.Key())
		if err := it.Versions(func(ts graph.Timestamp, v storage.Version) bool {
			fmt.Fprintf(&out, " %d %x %v %v %v", ts, v.Value, v.Complete, v.Deleted, v.Folded)
			return true
		}); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Goal: wherever a transfer breaks, at each piece and within it, what comes after is what an uninterrupted one would have brought, and
// nothing that arrived in whole pieces comes again; what is installed is the same to the byte. The old state stays readable until then.
// Method: the stream is cut at every byte of some seeds around each frame, while the source goes on committing, rolling up, and
// forgetting; an uninterrupted transfer of the same capture is the twin.
func TestResumeAtEveryPiece(t *testing.T) {
	for seed := range uint64(3) {
		r := newRig(t, memkv.New(memkv.Config{}), fullSchema)
		r.smallParts()
		rng, now := rand.New(rand.NewPCG(seed, 9)), time.Unix(0, 0)
		busy := func(n int) {
			for range n {
				text := randomEdge(rng)
				for i := rng.IntN(30); i > 0; i-- {
					text += []string{"; ", "; del "}[rng.IntN(2)] + fmt.Sprintf("%d knows %d", 1+rng.IntN(2), 10+rng.IntN(60))
				}
				r.do(text)
				switch rng.IntN(3) {
				case 0:
					r.age(&now)
				case 1:
					r.rollup()
				}
			}
		}
		busy(40)
		desc, stream := r.sent(nil)
		whole := frames(t, stream)
		if n := len(data(whole)); n < 5 {
			t.Fatalf("the state comes in %d pieces: the test is too weak", n)
		}
		twin := replica(t, memkv.New(memkv.Config{}))
		twin.take(desc, stream)
		want := everything(t, twin.engine)
		source := randomLog(t, seed+40, 30)
		for i, at := range whole[:len(whole)-1] {
			for _, cut := range []int{at.end, at.end + 1, (at.end + whole[i+1].end) / 2, whole[i+1].end - 1} {
				next := replica(t, memkv.New(memkv.Config{}))
				next.follow(source.log)
				before := everything(t, next.engine)
				if err := next.s.Restore(t.Context(), desc, broken(stream[:cut])); !errors.Is(err, errBroken) {
					t.Fatalf("cut after %d bytes: %v", cut, err)
				}
				if everything(t, next.engine) != before {
					t.Fatal("the old state changed")
				}
				arrived := 0 // pieces
				var last []byte
				for n, f := range whole[:i+1] {
					if f.kind == frameMark {
						arrived, last = len(data(whole[:n])), f.payload
					}
				}
				after := next.s.Progress(desc)
				if !bytes.Equal(after, last) {
					t.Fatalf("cut after %d bytes: the position is %x, want %x", cut, after, last)
				}
				if i%7 == 0 {
					busy(1)
				}
				stream := rest(t, r.s, desc, after)
				if got, want := data(frames(t, stream)), data(whole)[arrived:]; !slices.EqualFunc(got, want, bytes.Equal) {
					t.Fatalf("cut after %d bytes: %d pieces come, want the last %d of %d", cut, len(got), len(want), len(data(whole)))
				}
				next.take(desc, stream)
				if got := everything(t, next.engine); got != want {
					t.Fatalf("cut after %d bytes\n%s\nwant\n%s", cut, got, want)
				}
				if next.s.Progress(desc) != nil || next.engine.Kept() != nil {
					t.Fatal("something is still kept")
				}
			}
		}
	}
}

// Goal: parts of two captures are never put together, also where their descriptors are the same. Method: a replica completes an index
// build, which changes what it sends and not the descriptor. It sends everything then; a stream that is forged to go on is refused,
// as is one that goes on elsewhere than where the other broke off; and what is kept is dropped then.
func TestResumeOfAnotherCapture(t *testing.T) {
	p := newPair(t, "name: string .")
	for i := range 30 {
		p.do(fmt.Sprintf("%d name v%d", i+1, i))
	}
	p.alter("name: string @index(exact) .", "exact")
	p.catchUp()
	desc, stream := p.follower.sent(nil)
	if !p.build(t, p.follower) {
		t.Fatal("nothing was built")
	}
	desc2, stream2 := p.follower.sent(nil)
	if !bytes.Equal(desc, desc2) || bytes.Equal(stream, stream2) {
		t.Fatalf("the descriptors are %x and %x: the test is too weak", desc, desc2)
	}
	whole, whole2 := frames(t, stream), frames(t, stream2)
	mark := slices.IndexFunc(whole, func(f place) bool { return f.kind == frameMark })
	cut := func() *rig {
		t.Helper()
		next := replica(t, memkv.New(memkv.Config{}))
		if err := next.s.Restore(t.Context(), desc, broken(stream[:whole[mark+1].end])); err == nil || next.s.Progress(desc) == nil {
			t.Fatal(err)
		}
		return next
	}
	next := cut()
	if got := rest(t, p.follower.s, desc, next.s.Progress(desc)); !bytes.Equal(got, stream2) {
		t.Errorf("%d bytes are sent to a receiver that has a part of another capture, %d are all of this", len(got), len(stream2))
	}
	next.take(desc, stream2)
	twin := replica(t, memkv.New(memkv.Config{}))
	twin.take(desc, stream2)
	if everything(t, next.engine) != everything(t, twin.engine) {
		t.Error("something of the other capture is left")
	}
	other, err := decodePosition(whole[mark].payload)
	if err != nil {
		t.Fatal(err)
	}
	other.changes++
	for what, c := range map[string]struct {
		at     []byte
		record []place
	}{
		"the record of another capture": {whole[mark].payload, whole2}, "another place": {other.appendBinary(nil), whole}, "no place": {[]byte("x"), whole},
	} {
		next := cut()
		var forged bytes.Buffer
		f := newFrameWriter(&forged)
		err := errors.Join(f.frame(frameHead, 0, desc), f.frame(frameMark, 0, c.at))
		for _, m := range c.record {
			if m.kind == frameRecord {
				err = errors.Join(err, f.frame(frameRecord, 0, m.payload))
			}
		}
		for _, d := range whole[mark+1:] {
			err = errors.Join(err, f.frame(d.kind, d.count, d.payload))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := next.s.Restore(t.Context(), desc, &forged); err == nil || errors.Is(err, errBroken) || !strings.Contains(err.Error(), "go on") &&
			!strings.Contains(err.Error(), "goes on") {
			t.Errorf("%s: %v", what, err)
		}
		if next.engine.Kept() != nil {
			t.Errorf("%s: what was kept is still there", what)
		}
	}
}

// What is kept goes when it is of no use: the log has brought the replica as far, another state comes, the disk is full, or what comes is
// wrong. It stays while the replica is still behind.
func TestKeptIsRemoved(t *testing.T) {
	source := randomLog(t, 3, 100)
	desc2, stream2 := source.sent(nil)
	source.do("1 name later")
	desc, stream := source.sent(nil)
	d, err := decodeDescriptor(desc)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		then  func(r *rig)
		stays bool
	}{
		"a checkpoint far behind": {func(r *rig) {
			r.follow(source.log[:d.applied/2])
			if _, err := r.s.Snapshot(); err != nil {
				t.Error(err)
			}
		}, true},
		"the log": {func(r *rig) {
			r.follow(source.log[:d.applied])
			if _, err := r.s.Snapshot(); err != nil {
				t.Error(err)
			}
		}, false},
		"a broken connection": {func(r *rig) {
			if err := r.s.Restore(t.Context(), desc, broken(nil)); err == nil {
				t.Error("restored from nothing")
			}
		}, true},
		"another state": {func(r *rig) { r.take(desc2, stream2) }, false},
		"another state that breaks off": {func(r *rig) {
			if err := r.s.Restore(t.Context(), desc2, broken(stream2[:frames(t, stream2)[2].end])); err == nil {
				t.Error("a part was restored")
			}
		}, false},
		"a full disk": {func(r *rig) {
			r.engine.(*memkv.Engine).SetFull(true)
			if err := r.s.Restore(t.Context(), desc, bytes.NewReader(stream)); !errors.Is(err, storage.ErrFull) {
				t.Error(err)
			}
		}, false},
		"too much": {func(r *rig) {
			if err := r.s.Restore(t.Context(), desc, bytes.NewReader(append(slices.Clone(stream), 0))); err == nil {
				t.Error("a stream that is too long was restored")
			}
		}, false},
	} {
		next := replica(t, memkv.New(memkv.Config{}))
		if err := next.s.Restore(t.Context(), desc, broken(stream[:len(stream)*3/4])); err == nil || next.s.Progress(desc) == nil {
			t.Fatal(err)
		}
		c.then(next)
		if stays := next.engine.Kept() != nil; stays != c.stays {
			t.Errorf("%s: kept %v, want %v", what, stays, c.stays)
		}
	}
}

// Goal: it works over the engine on disk as over its twin, also where the process is killed between two pieces. Method: the engine is
// closed and opened again after each break.
func TestResumeOnDisk(t *testing.T) {
	dir := t.TempDir()
	var engine storage.Engine
	open := func() *rig {
		t.Helper()
		e, err := badgerkv.Open(dir, badgerkv.Config{MemoryBytes: 64 << 20, ReserveBytes: 1})
		if err != nil {
			t.Fatal(err)
		}
		engine = e
		return replica(t, e)
	}
	source := randomLog(t, 12, 50)
	for i := range 200 {
		source.do(fmt.Sprintf("%d name v%d; %d knows %d", i+1, i, i+1, i+2))
	}
	desc, stream := source.sent(nil)
	next := open()
	next.follow(source.log[:50])
	if _, err := next.s.Snapshot(); err != nil {
		t.Fatal(err)
	}
	twin := replica(t, memkv.New(memkv.Config{}))
	twin.take(desc, stream)
	was := 1 << 30
	for range 4 {
		part := rest(t, source.s, desc, next.s.Progress(desc))
		if len(part) >= was {
			t.Errorf("%d bytes are left after %d were", len(part), was)
		}
		was = len(part)
		if err := next.s.Restore(t.Context(), desc, broken(part[:len(part)/2])); err == nil {
			t.Fatal("a half was restored")
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
		next = open()
	}
	next.take(desc, rest(t, source.s, desc, next.s.Progress(desc)))
	for range 2 {
		if got, want := everything(t, next.engine), everything(t, twin.engine); got != want {
			t.Fatalf("on disk\n%s\nwant\n%s", got, want)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
		next = open()
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

// The bytes of docs/format/snapshots.md: a mark, and that damage of it is found.
func TestGoldenPosition(t *testing.T) {
	p := position{captureID{0xaa, 15: 0xbb}, 2, 300, keys.Prefix(7)}
	b := p.appendBinary([]byte("note"))[4:]
	const want = "aa0000000000000000000000000000bb" + "0000000000000002" + "000000000000012c" + "89293fe4" + "0000000000000007"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("position %s, want %s", got, want)
	}
	p.key = keys.Meta("x")
	b = p.appendBinary(nil)
	if got, err := decodePosition(b); err != nil || !bytes.Equal(got.appendBinary(nil), b) {
		t.Errorf("%v, %v", got, err)
	}
	for i := range b {
		for _, bad := range [][]byte{b[:i], append(bytes.Clone(b[:i]), append([]byte{b[i] ^ 4}, b[i+1:]...)...)} {
			if _, err := decodePosition(bad); err == nil {
				t.Errorf("%x is taken for a position", bad)
			}
		}
	}
}
