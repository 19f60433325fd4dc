package badgerkv

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/time/rate"

	"dragg/graph"
	"dragg/storage"
)

// deleteStep is how many versions DeletePrefix deletes in one write.
const deleteStep = 1000

// DeletePrefix implements [storage.Engine]. It writes a deletion over every version, so that none is left to
// any reader, and compactions drop both in their own time.
func (e *Engine) DeletePrefix(ctx context.Context, prefix []byte) error {
	limit := rate.NewLimiter(rate.Limit(e.cfg.DeletesPerSecond), max(e.cfg.DeletesPerSecond, deleteStep))
	from := bytes.Clone(prefix)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ops, next := e.versionsFrom(prefix, from)
		if len(ops) > 0 {
			if err := limit.WaitN(ctx, len(ops)); err != nil {
				return err
			}
			if err := e.checkRoom(opBytes(ops)); err != nil {
				return err
			}
			if err := e.writeOps(ops); err != nil {
				return fmt.Errorf("delete prefix: %w", err)
			}
		}
		if next == nil {
			e.written.forget(prefix)
			return nil
		}
		from = next
	}
}

// versionsFrom returns deletions for the next versions under prefix from the key from on, and where to go on;
// nil at the end. A key with more than a step's versions is taken whole.
func (e *Engine) versionsFrom(prefix, from []byte) (ops []storage.Op, next []byte) {
	txn := e.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, Prefix: prefix})
	defer it.Close()
	seen := 0
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		last := len(ops) - 1
		if seen++; seen > deleteStep && (last < 0 || !bytes.Equal(ops[last].Key, item.Key())) {
			return ops, item.KeyCopy(nil)
		}
		if item.IsDeletedOrExpired() {
			continue
		}
		ops = append(ops, storage.Op{
			Key: item.KeyCopy(nil), Ts: graph.Timestamp(item.Version()), Delete: true, Complete: true,
		})
	}
	return ops, nil
}
