package badgerkv

import (
	"context"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/pb"

	"dragg/storage"
)

// manyOps is from how many changes on a batch bypasses Badger's transactions, which keep a map of them.
const manyOps = 256

// The bits of a version's meta byte in Badger's format.
const (
	metaDelete  = 1 << 0
	metaDiscard = 1 << 2
)

// Write does what [storage.Engine] says.
func (e *content) Write(ctx context.Context, b *storage.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(b.Ops) == 0 {
		return nil
	}
	bytes := opBytes(b.Ops)
	if err := e.checkRoom(bytes, b.Owed); err != nil {
		return err
	}
	if e.oneTransaction(b.Ops, bytes) {
		if err := e.commit(b.Ops); err != nil {
			return err
		}
	} else if err := e.journal.write(b.Ops, e.writeOps); err != nil {
		return err
	}
	e.written.add(b.Ops)
	return nil
}

func opBytes(ops []storage.Op) int {
	n := 0
	for i := range ops {
		n += len(ops[i].Key) + len(ops[i].Value) + 16
	}
	return n
}

// oneTransaction says that Badger stores ops atomically: one timestamp, within the bounds of a transaction.
func (e *content) oneTransaction(ops []storage.Op, bytes int) bool {
	if len(ops) > manyOps || int64(bytes) > e.db.MaxBatchSize()/2 || int64(len(ops)) > e.db.MaxBatchCount()/2 {
		return false
	}
	for i := range ops {
		if ops[i].Ts != ops[0].Ts || ops[i].Folded != ops[0].Folded {
			return false
		}
	}
	return true
}

// commit stores ops, which have one timestamp, in one transaction.
func (e *content) commit(ops []storage.Op) error {
	txn := e.db.NewTransactionAt(math.MaxUint64, true)
	defer txn.Discard()
	for i := range ops {
		var err error
		if ops[i].Delete {
			err = txn.Delete(ops[i].Key)
		} else {
			err = txn.SetEntry(entry(&ops[i]))
		}
		if err != nil {
			return fmt.Errorf("write store: %w", err)
		}
	}
	if err := txn.CommitAt(version(&ops[0]), nil); err != nil {
		return fmt.Errorf("write store: %w", err)
	}
	return nil
}

func entry(op *storage.Op) *badger.Entry {
	en := badger.NewEntry(op.Key, op.Value)
	if op.Complete {
		return en.WithDiscard()
	}
	return en
}

// writeOps stores ops, in order but not atomically.
func (e *content) writeOps(ops []storage.Op) error {
	if len(ops) > manyOps {
		return e.load(ops)
	}
	wb := e.db.NewManagedWriteBatch()
	defer wb.Cancel()
	for i := range ops {
		op := &ops[i]
		var err error
		if op.Delete {
			err = wb.DeleteAt(op.Key, version(op))
		} else {
			err = wb.SetEntryAt(entry(op), version(op))
		}
		if err != nil {
			return fmt.Errorf("write store: %w", err)
		}
	}
	if err := wb.Flush(); err != nil {
		return fmt.Errorf("write store: %w", err)
	}
	return nil
}

// load is writeOps for many changes: it hands Badger plain entries.
func (e *content) load(ops []storage.Op) error {
	l := e.db.NewKVLoader(4)
	var fail error
	for i := range ops {
		op := &ops[i]
		kv := &pb.KV{Key: op.Key, Value: op.Value, Version: version(op)}
		switch {
		case op.Delete:
			kv.Meta = []byte{metaDelete}
			kv.Value = nil
		case op.Complete:
			kv.Meta = []byte{metaDiscard}
		}
		if fail = l.Set(kv); fail != nil {
			break
		}
	}
	if err := l.Finish(); err != nil && fail == nil {
		fail = err
	}
	if fail != nil {
		return fmt.Errorf("write store: %w", fail)
	}
	return nil
}
