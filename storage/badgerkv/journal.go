package badgerkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"

	"dragg/graph"
	"dragg/storage"
)

// journalSlots is how many batches may be under way at once.
const journalSlots = 4

// A journal file holds the batch that is being written, or none:
// | magic (8) | boot id (36) | body length (8) | CRC-32C of the body (4) | body |.
// The body is | count uvarint | per change: flags (1) | ts uvarint | length uvarint | key | length uvarint |
// value |.
const (
	journalMagic  = "draggjl1"
	bootIDLen     = 36
	journalHeader = 8 + bootIDLen + 8 + 4
	// keepJournal is the size above which a journal file is cut off after use.
	keepJournal = 8 << 20
)

const (
	flagComplete = 1 << iota
	flagDelete
	flagFolded
)

// journal notes batches that Badger does not store atomically, so that a process that is killed half-way is
// finished by the next one. It relies on the page cache alone: the journal of another boot is void.
type journal struct {
	boot  [bootIDLen]byte
	slots chan *journalFile // those that are free
}

type journalFile struct {
	f   *os.File
	buf []byte
}

// openJournal opens the journal files of dir and passes what they hold to redo.
func openJournal(dir string, redo func([]storage.Op) error) (j *journal, err error) {
	j = &journal{slots: make(chan *journalFile, journalSlots)}
	// Where there is no boot id, the journal of an earlier boot counts as this one's: its batch is written again.
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		copy(j.boot[:], bytes.TrimSpace(id))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	for i := range journalSlots {
		name := filepath.Join(dir, fmt.Sprintf("batch-%d.journal", i))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("open journal: %w", err)
		}
		file := &journalFile{f: f}
		j.slots <- file
		body, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("open journal: %w", err)
		}
		ops, ok := j.decode(body)
		if ok {
			if err := redo(ops); err != nil {
				return nil, fmt.Errorf("finish the batch of the last process: %w", err)
			}
		}
		if len(body) > 0 {
			if err := file.clear(); err != nil {
				return nil, err
			}
		}
	}
	return j, nil
}

func (j *journal) close() error {
	var errs error
	for len(j.slots) > 0 {
		errs = errors.Join(errs, (<-j.slots).f.Close())
	}
	return errs
}

// write notes ops, stores them and strikes the note out. After storage.ErrFull nothing was stored.
func (j *journal) write(ops []storage.Op, store func([]storage.Op) error) error {
	slot := <-j.slots
	defer func() { j.slots <- slot }()
	slot.buf = j.encode(slot.buf[:0], ops)
	if _, err := slot.f.WriteAt(slot.buf, 0); err != nil {
		return errors.Join(full(fmt.Errorf("write journal: %w", err)), slot.clear())
	}
	if err := store(ops); err != nil {
		return err // final: the next process finishes the batch
	}
	return slot.clear()
}

// clear makes the file hold no batch.
func (s *journalFile) clear() error {
	if cap(s.buf) > keepJournal {
		s.buf = nil
		if err := s.f.Truncate(0); err != nil {
			return fmt.Errorf("clear journal: %w", err)
		}
		return nil
	}
	var none [len(journalMagic)]byte
	if _, err := s.f.WriteAt(none[:], 0); err != nil {
		return fmt.Errorf("clear journal: %w", err)
	}
	return nil
}

func (j *journal) encode(b []byte, ops []storage.Op) []byte {
	b = append(append(b, journalMagic...), j.boot[:]...)
	b = append(b, make([]byte, 12)...)
	b = binary.AppendUvarint(b, uint64(len(ops)))
	for i := range ops {
		op := &ops[i]
		var flags byte
		if op.Complete {
			flags |= flagComplete
		}
		if op.Delete {
			flags |= flagDelete
		}
		if op.Folded {
			flags |= flagFolded
		}
		b = binary.AppendUvarint(append(b, flags), uint64(op.Ts))
		b = append(binary.AppendUvarint(b, uint64(len(op.Key))), op.Key...)
		b = append(binary.AppendUvarint(b, uint64(len(op.Value))), op.Value...)
	}
	body := b[journalHeader:]
	binary.BigEndian.PutUint64(b[8+bootIDLen:], uint64(len(body)))
	binary.BigEndian.PutUint32(b[16+bootIDLen:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// decode returns the batch that a journal file holds, if it holds a whole one of this boot.
func (j *journal) decode(b []byte) ([]storage.Op, bool) {
	if len(b) < journalHeader || string(b[:8]) != journalMagic || !bytes.Equal(b[8:8+bootIDLen], j.boot[:]) {
		return nil, false
	}
	size := binary.BigEndian.Uint64(b[8+bootIDLen:])
	sum := binary.BigEndian.Uint32(b[16+bootIDLen:])
	body := b[journalHeader:]
	if size > uint64(len(body)) {
		return nil, false
	}
	body = body[:size]
	if crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return nil, false
	}
	return decodeOps(body)
}

func decodeOps(b []byte) ([]storage.Op, bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)) {
		return nil, false
	}
	b = b[k:]
	ops := make([]storage.Op, 0, min(n, 1<<16))
	for range n {
		if len(b) == 0 {
			return nil, false
		}
		flags := b[0]
		ts, k := binary.Uvarint(b[1:])
		if k <= 0 {
			return nil, false
		}
		op := storage.Op{
			Ts: graph.Timestamp(ts), Complete: flags&flagComplete != 0, Delete: flags&flagDelete != 0,
			Folded: flags&flagFolded != 0,
		}
		b = b[1+k:]
		for _, field := range []*[]byte{&op.Key, &op.Value} {
			size, k := binary.Uvarint(b)
			if k <= 0 || size > uint64(len(b)-k) {
				return nil, false
			}
			*field, b = b[k:k+int(size):k+int(size)], b[k+int(size):]
		}
		ops = append(ops, op)
	}
	return ops, len(b) == 0
}
