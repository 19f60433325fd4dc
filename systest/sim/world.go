package sim

import (
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"dragg/internal/fault"
)

// world is the clock, the dice, and everybody who waits.
type world struct {
	rng     *rand.Rand
	now     time.Duration
	events  events
	count   uint64 // of events that were ever planned: their order where times are equal
	waiting []*fiber
	cur     *fiber // who runs
	err     error  // the first violation, which ends the run
	links   map[[2]*node]bool
	fibers  []*fiber
	steps   int
	say     func(string) // nil for nobody
	calm    bool         // no more faults
}

// event is something that happens at a time.
type event struct {
	at    time.Duration
	order uint64
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	x := old[len(old)-1]
	*e = old[:len(old)-1]
	return x
}

// after plans something.
func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.events, event{w.now + d, w.count, do})
}

// fiber is a coroutine. It runs until it waits.
type fiber struct {
	w     *world
	name  string
	yield func(struct{}) bool
	next  func() (struct{}, bool)
	stop  func()
	ready func() bool // what it waits for
}

// start begins a task.
func (w *world) start(name string, body func(t *fiber)) {
	t := &fiber{w: w, name: name}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		defer func() {
			if r := recover(); r != nil && r != (ended{}) {
				panic(r)
			}
		}()
		t.yield = yield
		body(t)
	})
	w.fibers = append(w.fibers, t)
	w.after(0, func() { w.resume(t) })
}

// resume lets a task run until it waits again or ends.
func (w *world) resume(t *fiber) {
	before := w.cur
	w.cur = t
	if _, more := t.next(); more && t.ready != nil {
		w.waiting = append(w.waiting, t)
	}
	w.cur = before
}

// ended unwinds the fibers that still wait at the end of a run.
type ended struct{}

func (t *fiber) pause() {
	if !t.yield(struct{}{}) {
		panic(ended{})
	}
}

// sleep waits for a time.
func (t *fiber) sleep(d time.Duration) {
	t.ready = nil
	t.w.after(d, func() { t.w.resume(t) })
	t.pause()
}

// wait waits until something holds, for at most a time; it returns whether it does.
func (t *fiber) wait(limit time.Duration, holds func() bool) bool {
	if holds() {
		return true
	}
	end := t.w.now + limit
	t.w.after(limit, func() {}) // something happens then, so that it is looked at
	t.ready = func() bool { return holds() || t.w.now >= end }
	t.pause()
	t.ready = nil
	return holds()
}

// run runs until the end, or until something is wrong.
func (w *world) run(end time.Duration) {
	for w.err == nil && len(w.events) > 0 && w.events[0].at <= end {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		w.steps++
		e.do()
		w.wake()
	}
}

// wake resumes everybody whose condition holds, in the order in which they began to wait.
func (w *world) wake() {
	for again := true; again && w.err == nil; {
		again = false
		for i, t := range w.waiting {
			if t.ready() {
				w.waiting = append(w.waiting[:i:i], w.waiting[i+1:]...)
				w.resume(t)
				again = true
				break
			}
		}
	}
}

// fail notes a violation.
func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("at %v: %w", w.now, fmt.Errorf(format, args...))
	}
}

// trace says what happens, to whoever looks at one seed.
func (w *world) trace(format string, args ...any) {
	if w.say != nil {
		w.say(fmt.Sprintf("%10v ", w.now) + fmt.Sprintf(format, args...))
	}
}

// chance is true once in n times.
func (w *world) chance(n int) bool { return w.rng.IntN(n) == 0 }

// between draws a time.
func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

const (
	shortDelay = 100 * time.Microsecond
	longDelay  = 5 * time.Millisecond
	// silence is how long somebody waits for an answer that does not come.
	silence = 300 * time.Millisecond
)

var (
	errUnreachable = fault.New(fault.Unavailable, "nobody answers")
	errNoAnswer    = fault.New(fault.Unknown, "the answer was lost")
)

// reaches reports whether messages get from one node to another.
func (w *world) reaches(from, to *node) bool {
	return from == to || !w.links[[2]*node{from, to}] && from.up && to.up
}

// call has a node do something for another one, over the network. What may be done twice sometimes is.
func (w *world) call(t *fiber, from, to *node, twice bool, do func(t *fiber) error) error {
	if from == to {
		return do(t)
	}
	if !w.reaches(from, to) {
		t.sleep(silence)
		return errUnreachable
	}
	t.sleep(w.between(shortDelay, longDelay))
	if !to.up {
		return errUnreachable
	}
	life := to.life
	if twice && !w.calm && w.chance(20) {
		w.start("a repeated call", func(t *fiber) {
			t.sleep(w.between(shortDelay, 20*longDelay))
			if to.up && to.life == life {
				_ = do(t) // nobody waits for the answer
			}
		})
	}
	err := do(t)
	if to.life != life || !w.reaches(to, from) || !w.calm && w.chance(300) {
		t.sleep(silence)
		return errNoAnswer
	}
	t.sleep(w.between(shortDelay, longDelay))
	return err
}

// end unwinds everybody who still waits.
func (w *world) end() {
	for _, t := range w.fibers {
		t.stop()
	}
}
