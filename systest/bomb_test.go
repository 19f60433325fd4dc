//go:build systest

package systest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/dgo/v250/protos/api"
)

// bombs are short queries with answers, or work on the way to them, that no memory holds. Each must fail for a limit that its error
// names.
var bombs = map[string]string{
	"nested levels": `{ q(func: has(link)) { link { link { link { link { uid } } } } } }`,
	"recurse":       `{ q(func: has(link)) @recurse(depth: 30, loop: true) { uid link } }`,
	"paths":         `{ p as shortest(from: %s, to: %s, numpaths: 1000, depth: 12) { link } q(func: uid(p)) { uid } }`,
	"groups":        `{ q(func: has(link)) @groupby(link, back: ~link) { count(uid) max(n) } }`,
	"long answer":   `{ q(func: has(link)) { link { text link { text } } } }`,
	"normalized":    `{ q(func: has(link)) @normalize { a: n link { b: text link { c: text } } } }`,
}

// Goal: queries that would take any amount of memory fail, and the server answers others meanwhile and stays within its limit.
// Method: a graph of 400,000 edges in a server with 512 MiB; every bomb from four clients at once, while another client reads.
func TestBombs(t *testing.T) {
	const limit = 512 << 20
	bin, err := Binary(1)
	if err != nil {
		t.Fatal(err)
	}
	d := &Dragg{Bin: bin, Data: filepath.Join(t.TempDir(), "data"), Args: []string{"--memory-limit", "512MiB"}}
	startThis(t, d)
	c := connect(t, d)
	uids := seedBombs(t, c, 2000, 200)
	stop, slowest := keepReading(t, d, uids[0])
	for name, text := range bombs {
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, uids[0], uids[1])
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				began := time.Now()
				resp, err := connect(t, d).NewReadOnlyTxn().Query(context.Background(), text)
				switch {
				case err == nil:
					t.Errorf("%s: answered with %d bytes", name, len(resp.Json))
				case !strings.Contains(err.Error(), "limit of ") && !strings.Contains(err.Error(), "more than 10000 objects"):
					t.Errorf("%s: %v", name, err)
				default:
					t.Logf("%s: after %v: %v", name, time.Since(began).Round(time.Millisecond), err)
				}
			})
		}
		wg.Wait()
	}
	stop()
	if peak := peakMemory(t, d.PID()); peak > limit {
		t.Errorf("the server had %d MiB resident, its limit is %d", peak>>20, limit>>20)
	} else {
		t.Logf("the server had %d MiB resident at most; others waited %v at most", peak>>20, slowest().Round(time.Millisecond))
	}
}

// seedBombs makes nodes with random edges between them, and returns their uids.
func seedBombs(t *testing.T, c *Client, nodes, edges int) []string {
	t.Helper()
	ctx := context.Background()
	if err := c.Alter(ctx, &api.Operation{Schema: "link: [uid] @reverse .\nn: int .\ntext: string ."}); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range nodes {
		fmt.Fprintf(&b, "_:n%d <n> \"%d\" .\n_:n%d <text> \"%s\" .\n", i, i, i, strings.Repeat("x", 200))
	}
	r, err := c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(b.String()), CommitNow: true})
	if err != nil {
		t.Fatal(err)
	}
	uids := make([]string, nodes)
	for i := range uids {
		uids[i] = r.Uids["n"+strconv.Itoa(i)]
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for from := 0; from < nodes; from += 100 {
		b.Reset()
		for i := from; i < from+100; i++ {
			for range edges {
				fmt.Fprintf(&b, "<%s> <link> <%s> .\n", uids[i], uids[rng.IntN(nodes)])
			}
		}
		if _, err := c.NewTxn().Mutate(ctx, &api.Mutation{SetNquads: []byte(b.String()), CommitNow: true}); err != nil {
			t.Fatal(err)
		}
	}
	return uids
}

// keepReading asks for a node again and again until stop is called; slowest says how long the longest answer took. Every read must be
// answered.
func keepReading(t *testing.T, d *Dragg, uid string) (stop func(), slowest func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var longest time.Duration
	done := make(chan struct{})
	c := connect(t, d)
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			began := time.Now()
			asking, cancel := context.WithTimeout(context.Background(), maxHostileTime)
			_, err := c.NewReadOnlyTxn().Query(asking, `{ q(func: uid(`+uid+`)) { n } }`)
			cancel()
			if err != nil {
				t.Errorf("a plain read beside the bombs: %v", err)
				return
			}
			longest = max(longest, time.Since(began))
		}
	}()
	return func() { cancel(); <-done }, func() time.Duration { return longest }
}

// peakMemory returns the most that a process had resident, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}
