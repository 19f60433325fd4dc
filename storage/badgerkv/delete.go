package badgerkv

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/time/rate"
)

// deleteStep is how many versions DeletePrefix deletes in one write.
const deleteStep = 1000

// DeletePrefix does what [storage.Engine] says. It writes a deletion over every version, so that none is left to
// any reader, and compactions drop both in their own time.
func (e *content) DeletePrefix(ctx context.Context, prefix []byte) error {
	limit := rate.NewLimiter(rate.Limit(e.cfg.DeletesPerSecond), max(e.cfg.DeletesPerSecond, deleteStep))
	from := bytes.Clone(prefix)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, next := e.versionsFrom(prefix, from)
		if len(found) > 0 {
			if err := limit.WaitN(ctx, len(found)); err != nil {
				return err
			}
			if err := e.deleteVersions(found); err != nil {
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

// stored names one version of a key as Badger knows it.
type stored struct {
	key     []byte
	version uint64
}

func (e *content) deleteVersions(found []stored) error {
	size := 0
	for _, s := range found {
		size += len(s.key) + 16
	}
	// It makes room in the end.
	if err := e.checkRoom(size, true); err != nil {
		return err
	}
	wb := e.db.NewManagedWriteBatch()
	defer wb.Cancel()
	for _, s := range found {
		if err := wb.DeleteAt(s.key, s.version); err != nil {
			return err
		}
	}
	return wb.Flush()
}

// versionsFrom returns the next versions under prefix from the key from on, and where to go on; nil at the end. A
// key with more than a step's versions is taken whole.
func (e *content) versionsFrom(prefix, from []byte) (found []stored, next []byte) {
	txn := e.db.NewTransactionAt(math.MaxUint64, false)
	defer txn.Discard()
	it := txn.NewIterator(badger.IteratorOptions{AllVersions: true, Prefix: prefix})
	defer it.Close()
	seen := 0
	for it.Seek(from); it.Valid(); it.Next() {
		item := it.Item()
		last := len(found) - 1
		if seen++; seen > deleteStep && (last < 0 || !bytes.Equal(found[last].key, item.Key())) {
			return found, item.KeyCopy(nil)
		}
		if !item.IsDeletedOrExpired() {
			found = append(found, stored{item.KeyCopy(nil), item.Version()})
		}
	}
	return found, nil
}
