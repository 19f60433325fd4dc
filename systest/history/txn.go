package history

import (
	"slices"
	"time"

	"dragg/graph"
)

// Outcome is how a transaction ended, as its client learned it.
type Outcome string

// The outcomes.
const (
	// OK: it was committed, or it only read and was answered.
	OK Outcome = "ok"
	// Fail: it was surely not committed.
	Fail Outcome = "fail"
	// Unknown: it may have been committed, or may be later.
	Unknown Outcome = "unknown"
)

// Txn is one transaction as its client saw it.
type Txn struct {
	// ID numbers the transactions of a history from 1, in the order of their ends.
	ID int `json:"id"`
	// Process is the client; it has one transaction at a time.
	Process int `json:"process"`
	// Invoke and Return are real time since the history began: just before the request that drew the start timestamp
	// was sent, and just after the last answer came.
	Invoke time.Duration `json:"invoke"`
	Return time.Duration `json:"return"`
	// Start is the snapshot; 0 when the transaction failed before it had one.
	Start graph.Timestamp `json:"start,omitempty"`
	// Commit is 0 for a transaction that was not committed, or is not known to be.
	Commit  graph.Timestamp `json:"commit,omitempty"`
	Outcome Outcome         `json:"outcome"`
	// Stale says that the snapshot was allowed to be an old one, and may be shared (best effort).
	Stale bool `json:"stale,omitempty"`
	// Ops are what was written and read, in order.
	Ops []Op `json:"ops,omitempty"`
	// Asking is the question whose answer is being noted.
	Asking string `json:"-"`
	// Claims are what it claimed beside the registers it wrote: no two transactions that overlap may commit with one.
	Claims []string `json:"claims,omitempty"`
}

// Op is one step of a transaction: either Write or Read is set.
type Op struct {
	Write *Write `json:"w,omitempty"`
	Read  *Read  `json:"r,omitempty"`
}

// Write gives a register a value; "" empties it.
type Write struct {
	Key   string `json:"k"`
	Value string `json:"v,omitempty"`
	// Shared says that others may write the register meanwhile: the later commit wins.
	Shared bool `json:"shared,omitempty"`
}

// Read is an answer: of the registers Keys, exactly Count held one of the values Among. A plain read names one register, the
// one value seen and the count 1.
type Read struct {
	Keys  []string `json:"k"`
	Among []string `json:"v"`
	Count int      `json:"n"`
	// Asked is the question that was answered, for whoever looks at a finding.
	Asked string `json:"q,omitempty"`
}

// Write notes that the transaction wrote a register.
func (t *Txn) Write(key, value string) {
	t.Ops = append(t.Ops, Op{Write: &Write{Key: key, Value: value}})
}

// WriteShared notes a write that does not conflict with concurrent ones.
func (t *Txn) WriteShared(key, value string) {
	t.Ops = append(t.Ops, Op{Write: &Write{Key: key, Value: value, Shared: true}})
}

// Read notes that the transaction saw a value in a register, "" for nothing.
func (t *Txn) Read(key, value string) { t.Match([]string{key}, []string{value}, 1) }

// Match notes that the transaction saw count of the registers hold one of the values.
func (t *Txn) Match(keys, among []string, count int) {
	t.Ops = append(t.Ops, Op{Read: &Read{Keys: keys, Among: among, Count: count, Asked: t.Asking}})
}

// Claim notes something that no concurrent transaction may claim too.
func (t *Txn) Claim(name string) { t.Claims = append(t.Claims, name) }

// committed reports whether the transaction is known to be committed with a timestamp.
func (t *Txn) committed() bool { return t.Commit != 0 && t.Outcome != Fail }

// final returns the last value that the transaction wrote to each register.
func (t *Txn) final() map[string]string {
	var out map[string]string
	for i := range t.Ops {
		if w := t.Ops[i].Write; w != nil {
			if out == nil {
				out = map[string]string{}
			}
			out[w.Key] = w.Value
		}
	}
	return out
}

// counts reports whether the read counts a register with this value.
func (r *Read) counts(value string) bool {
	return slices.Contains(r.Among, value)
}
