package badgerkv

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"dragg/storage"
)

// keptName is the file that says which content a Replace has kept that failed or was cut off, and under which note:
//
//	magic "DRAGGK" │ version (2) │ CRC-32C of the rest (4) │ number of the content (8) │ note
//
// See docs/format/snapshots.md.
const keptName = "kept"

const (
	keptMagic   = "DRAGGK"
	keptVersion = 1
	keptHead    = len(keptMagic) + 2 + 4
)

// kept is what that file says.
type kept struct {
	mu   sync.Mutex
	note []byte // guarded by mu: nil if nothing is kept
}

// get returns the note; nil if nothing is kept.
func (k *kept) get() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return bytes.Clone(k.note)
}

// open reads the file. What is kept counts only if it was to follow the current content; any other, and a file that is damaged,
// is removed: no more is lost than a part of a transfer.
func (k *kept) open(dir string, current int, lg *slog.Logger) error {
	name := filepath.Join(dir, keptName)
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	n, note, err := decodeKept(b)
	if err == nil && n != uint64(current)+1 {
		return k.drop(dir) // it had become the current one
	}
	if err == nil {
		_, err = os.Stat(contentDir(dir, current+1))
	}
	if err != nil {
		lg.Warn("what was kept of another replica's state cannot be used", "file", name, "error", err)
		return k.drop(dir)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note = note
	return nil
}

// set has content n be kept under a note, durably.
func (k *kept) set(dir string, n int, note []byte) error {
	if len(note) == 0 || len(note) > storage.MaxNote {
		return fmt.Errorf("a note of %d bytes", len(note))
	}
	if err := syncFile(dir); err != nil { // the folder of the content
		return err
	}
	renamed, err := writeNamed(filepath.Join(dir, keptName), encodeKept(uint64(n), note))
	if renamed {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.note = bytes.Clone(note)
	}
	return err
}

// drop removes the file, durably: no folder may go before it.
func (k *kept) drop(dir string) error {
	k.mu.Lock()
	k.note = nil
	k.mu.Unlock()
	err := os.Remove(filepath.Join(dir, keptName))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncFile(dir))
}

func encodeKept(n uint64, note []byte) []byte {
	b := binary.BigEndian.AppendUint16([]byte(keptMagic), keptVersion)
	b = binary.BigEndian.AppendUint64(append(b, 0, 0, 0, 0), n)
	b = append(b, note...)
	binary.BigEndian.PutUint32(b[keptHead-4:], keptSum(b))
	return b
}

func decodeKept(b []byte) (n uint64, note []byte, err error) {
	if len(b) <= keptHead+8 || string(b[:len(keptMagic)]) != keptMagic {
		return 0, nil, fmt.Errorf("it is no note of %d bytes", len(b))
	}
	if v := binary.BigEndian.Uint16(b[len(keptMagic):]); v != keptVersion {
		return 0, nil, fmt.Errorf("it has version %d, this program reads %d", v, keptVersion)
	}
	if keptSum(b) != binary.BigEndian.Uint32(b[keptHead-4:]) {
		return 0, nil, errors.New("it is damaged: its checksum does not match")
	}
	return binary.BigEndian.Uint64(b[keptHead:]), b[keptHead+8:], nil
}

func keptSum(b []byte) uint32 { return crc32.Checksum(b[keptHead:], crc32.MakeTable(crc32.Castagnoli)) }
