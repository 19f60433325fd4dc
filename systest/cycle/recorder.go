package cycle

import (
	"sync"
	"time"

	"dragg/systest/history"
)

// Recorder gathers the transactions of one run. All clients of a history share one Recorder, so that real time is one clock. It is
// safe for concurrent use.
type Recorder struct {
	began time.Time

	mu   sync.Mutex
	txns []*Txn // guarded by mu
}

// NewRecorder starts the clock of a history.
func NewRecorder() *Recorder { return &Recorder{began: time.Now()} }

// Now is how long the history has lasted.
func (r *Recorder) Now() time.Duration { return time.Since(r.began) }

// Begin notes that a client is about to begin a transaction, which is the caller's until End.
func (r *Recorder) Begin(process int) *Txn { return &Txn{Process: process, Invoke: r.Now()} }

// End notes how a transaction ended, just after the last answer. It is the recorder's from now on.
func (r *Recorder) End(t *Txn, o history.Outcome) {
	t.Return, t.Outcome = r.Now(), o
	r.Add(t)
}

// Add puts a transaction that has ended into the record.
func (r *Recorder) Add(t *Txn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns = append(r.txns, t)
}

// Txns returns the transactions that have ended, in the order of their ends.
func (r *Recorder) Txns() []*Txn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*Txn(nil), r.txns...)
}
