package history

import (
	"slices"
	"sync"
	"time"

	"dragg/graph"
)

// Recorder gathers the transactions of one run. All clients of a history share one Recorder, so that real time is one clock.
type Recorder struct {
	began time.Time

	mu   sync.Mutex
	txns []*Txn // guarded by mu
}

// NewRecorder starts the clock of a history.
func NewRecorder() *Recorder { return &Recorder{began: time.Now()} }

// Begin notes that a client is about to begin a transaction.
func (r *Recorder) Begin(process int) *Txn {
	return &Txn{Process: process, Invoke: time.Since(r.began)}
}

// End notes how a transaction ended, just after the last answer. The transaction is the recorder's from now on.
func (r *Recorder) End(t *Txn, o Outcome, commit graph.Timestamp) {
	t.Return, t.Outcome, t.Commit = time.Since(r.began), o, commit
	r.mu.Lock()
	defer r.mu.Unlock()
	t.ID = len(r.txns) + 1
	r.txns = append(r.txns, t)
}

// History returns the transactions that have ended, in the order of their ends.
func (r *Recorder) History() []*Txn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.txns)
}

// Resolve asks for the end of every transaction whose outcome was unknown. ask returns the commit timestamp, 0 for an abort, and
// whether the end is known. Call it when nothing is under way any more.
func (r *Recorder) Resolve(ask func(start graph.Timestamp) (commit graph.Timestamp, known bool, err error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.txns {
		if t.Outcome != Unknown || t.Start == 0 {
			continue
		}
		commit, known, err := ask(t.Start)
		if err != nil {
			return err
		}
		switch {
		case known && commit == 0:
			t.Outcome = Fail
		case known:
			t.Commit = commit
		}
	}
	return nil
}
