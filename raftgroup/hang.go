package raftgroup

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"dragg/internal/fault"
)

// What callers get whose member stands still.
var (
	errHangs       = fault.New(fault.Unavailable, "this node stands still: its disk does not answer")
	errHangsOnThis = fault.New(fault.Unknown, "this node stands still, its disk does not answer: the outcome is not known")
)

// hangLooks is how often in a row the driver must be found where it was to count as standing still. A process that was stopped as a
// whole is found so once.
const hangLooks = 2

// leastLook is the shortest time between two looks: a disk that is merely busy does not count.
const leastLook = time.Second

// hang is whether the driver stands still, in a call to the disk: then the others elect another leader, but this member cannot be told,
// and whoever it serves would wait.
type hang struct {
	beats atomic.Uint64 // ticks of the driver

	mu  sync.Mutex
	now chan struct{} // guarded by mu: closed while it stands still; made anew when it goes on
}

func newHang() *hang { return &hang{now: make(chan struct{})} }

// begun is closed while the driver stands still.
func (h *hang) begun() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

// is reports whether the driver stands still.
func (h *hang) is() bool {
	select {
	case <-h.begun():
		return true
	default:
		return false
	}
}

// begin notes that it does; it reports whether that is new.
func (h *hang) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.now:
		return false
	default:
		close(h.now)
		return true
	}
}

// end notes that the driver goes on; it reports whether it stood still.
func (h *hang) end() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.now:
		h.now = make(chan struct{})
		return true
	default:
		return false
	}
}

// watchHang lets go whoever waits for a driver that stands still, and has the member lead no more, as far as anybody asks it. A member
// that is its whole group has nobody who could do better: there everybody waits.
func (g *Group) watchHang(ctx context.Context) error {
	ticker := time.NewTicker(max(electionTicks*g.cfg.TickInterval, leastLook))
	defer ticker.Stop()
	for last, still := uint64(0), 0; ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if beats := g.hang.beats.Load(); beats != last {
			last, still = beats, 0
			continue
		}
		if still++; still < hangLooks || len(g.status.Load().Members.GetVoters()) < 2 {
			continue
		}
		first := g.hang.begin()
		if first {
			g.cfg.Logger.Error("the Raft log does not get on: the disk does not answer; others may lead now")
		}
		g.waiting.fail(errHangsOnThis, func(*proposed) bool { return true }) // some may be in the log when the disk answers
		if first && g.cfg.OnStatus != nil {
			g.cfg.OnStatus(g.Status())
		}
	}
}

// beat notes that the driver goes on.
func (g *Group) beat() {
	g.hang.beats.Add(1)
	if !g.hang.end() {
		return
	}
	g.cfg.Logger.Info("the Raft log gets on again")
	if g.cfg.OnStatus != nil {
		g.cfg.OnStatus(g.Status())
	}
}
