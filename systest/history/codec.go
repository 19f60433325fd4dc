package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// maxLine bounds one transaction of a history file.
const maxLine = 16 << 20

// Save writes a history, one transaction as JSON a line.
func Save(w io.Writer, txns []*Txn) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for _, t := range txns {
		if err := enc.Encode(t); err != nil {
			return fmt.Errorf("transaction %d: %w", t.ID, err)
		}
	}
	return out.Flush()
}

// Load reads what Save wrote. Blank lines, and lines that begin with #, are passed over.
func Load(r io.Reader) ([]*Txn, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLine)
	var txns []*Txn
	for n := 1; in.Scan(); n++ {
		if line := in.Bytes(); len(line) > 0 && line[0] != '#' {
			t := &Txn{}
			if err := json.Unmarshal(line, t); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			if err := t.check(); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
			txns = append(txns, t)
		}
	}
	return txns, in.Err()
}

// check refuses what no recorder writes.
func (t *Txn) check() error {
	switch t.Outcome {
	case OK, Fail, Unknown:
	default:
		return fmt.Errorf("outcome %q is none of ok, fail, unknown", t.Outcome)
	}
	for i, op := range t.Ops {
		if (op.Write == nil) == (op.Read == nil) {
			return fmt.Errorf("step %d must be a write or a read", i)
		}
	}
	return nil
}
