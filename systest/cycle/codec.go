package cycle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Save writes a history, one transaction as JSON a line.
func Save(w io.Writer, txns []*Txn) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for i, t := range txns {
		if err := enc.Encode(t); err != nil {
			return fmt.Errorf("transaction %d: %w", i, err)
		}
	}
	return out.Flush()
}

// Load reads what Save wrote.
func Load(r io.Reader) ([]*Txn, error) {
	in := json.NewDecoder(bufio.NewReader(r))
	var txns []*Txn
	for {
		t := &Txn{}
		err := in.Decode(t)
		if errors.Is(err, io.EOF) {
			return txns, nil
		}
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", len(txns), err)
		}
		txns = append(txns, t)
	}
}
