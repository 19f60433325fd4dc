package raftgroup

import "time"

const (
	// restTicks is how long a leader that gave up because of its disk, or could not, waits before it looks again.
	restTicks = 200
	// newest is the weight of the newest sync in the average.
	newest = 0.2
)

// diskWatch tells when a leader should let another member lead because its own disk is slow. It belongs to the driver. A disk that hangs
// needs no watch: a leader that waits for it is silent, and the others elect another one.
type diskWatch struct {
	average time.Duration // of the last syncs
	rest    int           // ticks until it looks again
	before  func()        // called before each sync; tests make the disk slow here
}

// begin is called before a sync.
func (d *diskWatch) begin() time.Time {
	now := time.Now()
	if d.before != nil {
		d.before()
	}
	return now
}

// noted is told how long a sync took.
func (d *diskWatch) noted(took time.Duration) {
	d.average += time.Duration(newest * float64(took-d.average))
}

// tick reports whether leadership should be given up now, because syncs take longer than slow.
func (d *diskWatch) tick(slow time.Duration) bool {
	if d.rest > 0 {
		d.rest--
		return false
	}
	if d.average <= slow {
		return false
	}
	d.rest = restTicks
	return true
}

// watchDisk hands leadership over where this leader's disk is slow.
func (g *Group) watchDisk() {
	if !g.step.view.leading || g.step.alone() || !g.disk.tick(g.cfg.SlowSync) {
		return
	}
	average := g.disk.average.Round(time.Millisecond)
	g.disk.average = 0 // as a follower it is measured anew
	g.step.handOver(0, func(err error) {
		if err != nil {
			g.cfg.Logger.Warn("the disk of this leader is slow, but no other member could take over", "sync", average, "err", err)
			return
		}
		g.cfg.Logger.Warn("the disk of this leader is slow: another member leads now", "sync", average)
	})
}
