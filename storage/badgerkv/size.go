package badgerkv

import (
	"bytes"
	"encoding/binary"
	"sync"

	"dragg/storage"
)

// prefixLen is by how many leading bytes of the key written bytes are counted: the incarnation.
const prefixLen = 8

// maxPrefixes bounds how many prefixes are counted apart.
const maxPrefixes = 1 << 16

// writtenBytes counts what this process wrote, by prefix: what is still in memtables does not show in the
// tables' sizes.
type writtenBytes struct {
	mu sync.Mutex
	by map[uint64]int64 // guarded by mu
}

func newWrittenBytes() *writtenBytes { return &writtenBytes{by: make(map[uint64]int64)} }

func (w *writtenBytes) add(ops []storage.Op) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range ops {
		key := ops[i].Key
		if len(key) < prefixLen {
			continue
		}
		p := binary.BigEndian.Uint64(key)
		if _, ok := w.by[p]; ok || len(w.by) < maxPrefixes {
			w.by[p] += int64(len(key) + len(ops[i].Value))
		}
	}
}

func (w *writtenBytes) of(prefix []byte) int64 {
	if len(prefix) < prefixLen {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by[binary.BigEndian.Uint64(prefix)]
}

func (w *writtenBytes) forget(prefix []byte) {
	if len(prefix) != prefixLen {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.by, binary.BigEndian.Uint64(prefix))
}

// Size does what [storage.Engine] says. Of a table that holds other keys too, half is counted; of what may still
// be in memtables, what this process wrote.
func (e *content) Size(prefix []byte) int64 {
	if len(prefix) == 0 {
		lsm, vlog := e.db.Size()
		return lsm + vlog
	}
	n := int64(0)
	for _, t := range e.db.Tables() {
		left, right := bytes.HasPrefix(t.Left, prefix), bytes.HasPrefix(t.Right, prefix)
		switch {
		case left && right:
			n += int64(t.OnDiskSize)
		case left || right || bytes.Compare(t.Left, prefix) < 0 && bytes.Compare(t.Right, prefix) > 0:
			n += int64(t.OnDiskSize) / 2
		}
	}
	inMemory := e.db.Opts().MemTableSize * (memtables + 1)
	return n + min(e.written.of(prefix), inMemory)
}
