package zero

import (
	"context"
	"fmt"
	"net/http"

	"dragg/cluster"
	"dragg/cluster/admin"
	"dragg/storage/room"
)

// catchUp notes when this Zero has applied everything that the Zeros had agreed on when it started.
func (s *Server) catchUp(ctx context.Context) error {
	p := cluster.Patience{Peer: "a majority of the Zeros", Logger: s.lg}
	err := p.Do(ctx, func(ctx context.Context) error {
		_, err := s.group.ReadIndex(ctx)
		return err
	})
	if err != nil {
		return err
	}
	s.caught.Store(true)
	return nil
}

// Healthy reports whether this Zero follows or leads the others: whoever asks it is answered, or led on.
func (s *Server) Healthy() bool { return s.caught.Load() && s.group.Status().Leader != 0 }

// Readiness says whether this Zero can do its part, and if not, why.
func (s *Server) Readiness() admin.Readiness {
	r := admin.Readiness{}
	if !s.caught.Load() {
		r.Because("it has not caught up with the other Zeros since its start")
	}
	if s.group.Status().Leader == 0 {
		r.Because("no Zero leads that this one knows of: commits wait for an election")
	}
	free, err := room.Free(s.cfg.Dir)
	switch {
	case err != nil:
		r.Because("%v", err)
	case free < s.cfg.DiskReserveBytes:
		r.Because("the disk has %d MiB free, less than its reserve of %d MiB", free>>20, s.cfg.DiskReserveBytes>>20)
	}
	return r
}

// health answers with OK as existing tools expect it; with ?live also where no Zero leads, as long as the process runs.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("live") && !s.Healthy() {
		http.Error(w, "not ready: no Zero leads yet, or this one has not caught up; /ready says more", http.StatusServiceUnavailable)
		return
	}
	if _, err := fmt.Fprintln(w, "OK"); err != nil {
		return // the caller went away
	}
}
