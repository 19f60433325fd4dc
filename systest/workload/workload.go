package workload

import (
	"context"
	"math/rand/v2"

	"github.com/dgraph-io/dgo/v250"

	"dragg/systest/cycle"
	"dragg/systest/history"
)

// Workload is one kind of operations and what must be true of them.
type Workload interface {
	// Name is one word.
	Name() string
	// Schema is what its predicates are, in the order in which they shall be made.
	Schema() []string
	// Step does one operation and returns how it ended.
	Step(ctx context.Context, c *Client) history.Outcome
	// Final reads what is left, when all is well again. The error says why it could not.
	Final(ctx context.Context, c *Client) error
	// Check returns what is wrong, and a line on how much was looked at.
	Check() (wrong []string, summary string)
	// Txns returns the record.
	Txns() []*cycle.Txn
}

// All returns every workload, with new records on one clock. Uids from base on are theirs; they must have been leased.
func All(base uint64) []Workload {
	r := func() log { return log{cycle.NewRecorder()} }
	return []Workload{
		&Delete{log: r()},
		&Upsert{log: r()},
		&Set{log: r()},
		&UIDSet{log: r(), uid: base},
		&Sequential{log: r()},
		&Register{log: r()},
		&UIDRegister{log: r(), uids: map[int]string{}},
		&LongFork{log: r(), groups: map[int]int{}},
		newReadWrite(r()),
		newListAppend(r(), base+1000),
		&Types{log: r(), uid: base + 1},
	}
}

// Client is one client: it does one operation at a time, at any of the Alphas.
type Client struct {
	Process int
	RNG     *rand.Rand
	Alphas  []*dgo.Dgraph
	Errors  *Errors
}

// alpha returns the node that the next transaction is sent to.
func (c *Client) alpha() *dgo.Dgraph { return c.Alphas[c.RNG.IntN(len(c.Alphas))] }

// log is the record of a workload.
type log struct{ rec *cycle.Recorder }

// Txns implements Workload.
func (l *log) Txns() []*cycle.Txn { return l.rec.Txns() }

// record does something and notes how it ended.
func (l *log) record(c *Client, do func(t *cycle.Txn) error) history.Outcome {
	t := l.rec.Begin(c.Process)
	o := c.Errors.classify(do(t))
	l.rec.End(t, o)
	return o
}
