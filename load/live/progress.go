package live

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// tally counts what a load does, for the progress line and the summary.
type tally struct {
	began   time.Time
	total   int64        // bytes of all files
	read    atomic.Int64 // bytes read of them
	quads   atomic.Int64
	aborts  atomic.Int64
	skipped atomic.Int64
	resumed atomic.Int64
}

// line is what the progress line says now; last is what was loaded when it was said before, ago earlier.
func (t *tally) line(now time.Time, last int64, ago time.Duration) string {
	quads, read := t.quads.Load(), t.read.Load()
	rate := float64(quads-last) / max(ago.Seconds(), 1e-9)
	left := "?"
	if elapsed := now.Sub(t.began); read > 0 && read <= t.total {
		left = time.Duration(float64(elapsed) * float64(t.total-read) / float64(read)).Round(time.Second).String()
	}
	return fmt.Sprintf("%8s  %d N-Quads  %.0f/s  %.0f%% read  %s left  %d aborts  %d skipped",
		now.Sub(t.began).Round(time.Second), quads, rate, 100*float64(read)/float64(max(t.total, 1)), left,
		t.aborts.Load(), t.skipped.Load())
}

// tracker knows up to which line each file is loaded: lines are read in order, but commit in any.
type tracker struct {
	mu    sync.Mutex
	files map[string]*fileTrack // guarded by mu
}

type fileTrack struct {
	open   map[int]int // lines that are on their way, and how many statements of each
	order  []int       // those lines, in the order of the file
	loaded int         // every line up to here is in
}

func newTracker() *tracker { return &tracker{files: map[string]*fileTrack{}} }

// begin notes that n statements of a line are on their way. Lines begin in order.
func (t *tracker) begin(file string, line, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.files[file]
	if f == nil {
		f = &fileTrack{open: map[int]int{}}
		t.files[file] = f
	}
	f.open[line] = n
	f.order = append(f.order, line)
}

// end notes that one statement of a line is in, or given up.
func (t *tracker) end(file string, line int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.files[file]
	if f.open[line]--; f.open[line] > 0 {
		return
	}
	delete(f.open, line)
	for len(f.order) > 0 {
		if _, open := f.open[f.order[0]]; open {
			return
		}
		f.loaded = f.order[0]
		f.order = f.order[1:]
	}
}

// done returns up to which line each file is in, on top of what was done before.
func (t *tracker) done(before map[string]int) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[string]int{}
	for file, line := range before {
		out[file] = line
	}
	for file, f := range t.files {
		out[file] = max(out[file], f.loaded)
	}
	return out
}
