package command

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// gcPercent is how much may be allocated between two collections, as a part of what lives: most of what lives long are lists
	// and blocks without pointers, which cost the collector nothing.
	gcPercent = 50
	// gcRoom is how many bytes may be allocated between two collections where little lives, if the memory limit is eight times as
	// much or more: a server that holds 20 MiB would collect a dozen times a second under load.
	gcRoom = 128 << 20
	// gcPace is how often the two are weighed against each other.
	gcPace = time.Second
)

// paceCollector keeps the collector's percentage in step with what lives, until ctx ends.
func paceCollector(ctx context.Context, limit int64) {
	room := min(gcRoom, limit/8)
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	now := gcPercent
	debug.SetGCPercent(now)
	ticker := time.NewTicker(gcPace)
	defer ticker.Stop()
	for {
		metrics.Read(live)
		if p := collectAt(room, int64(live[0].Value.Uint64())); p*10 < now*9 || p*10 > now*11 {
			now = p
			debug.SetGCPercent(now) // it stops the world for a moment
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// collectAt returns the collector's percentage where so many bytes live.
func collectAt(room, live int64) int {
	const least = 1 << 20 // before the first collection nothing is known
	return max(gcPercent, int(100*room/max(live, least)))
}
