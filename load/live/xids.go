package live

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// xids maps external ids to uids. With a folder it is kept there: a log of blocks,
//
//	length (4, big endian) ‖ crc32c of the block (4) ‖ { length of the id (uvarint) ‖ id ‖ uid (uvarint) }…
//
// of which a torn last one is cut off, and a file that says how far each input is in.
type xids struct {
	lease func(ctx context.Context, n uint64) (uint64, error)
	uids  map[string]uint64
	next  uint64
	end   uint64 // exclusive
	made  int64

	dir   string
	log   *os.File
	block []byte // not written yet
	high  uint64 // the highest uid in the log
	done  map[string]int
}

// leaseBlock is how many uids are leased at once.
const leaseBlock = 10_000

func openXIDs(dir string, lease func(ctx context.Context, n uint64) (uint64, error)) (*xids, error) {
	x := &xids{lease: lease, uids: map[string]uint64{}, dir: dir, done: map[string]int{}}
	if dir == "" {
		return x, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := x.load(); err != nil {
		return nil, fmt.Errorf("the ids in %s: %w", dir, err)
	}
	return x, nil
}

func (x *xids) donePath() string { return filepath.Join(x.dir, "done.json") }

func (x *xids) load() error {
	f, err := os.OpenFile(filepath.Join(x.dir, "xids.log"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	x.log = f
	good, err := x.readBlocks(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		return err
	}
	if err := f.Truncate(good); err != nil {
		return err
	}
	if _, err := f.Seek(good, io.SeekStart); err != nil {
		return err
	}
	b, err := os.ReadFile(x.donePath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &x.done)
}

// readBlocks reads the log and returns how many bytes of it are whole.
func (x *xids) readBlocks(in *bufio.Reader) (good int64, err error) {
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return good, tornIsFine(err)
		}
		n := binary.BigEndian.Uint32(head[:])
		if n > maxLineBytes {
			return good, nil
		}
		block := make([]byte, n)
		if _, err := io.ReadFull(in, block); err != nil {
			return good, tornIsFine(err)
		}
		if crc32.Checksum(block, crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(head[4:]) {
			return good, nil
		}
		x.readBlock(block)
		good += int64(len(head)) + int64(n)
	}
}

func tornIsFine(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func (x *xids) readBlock(b []byte) {
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || n > uint64(len(b)-k) {
			return
		}
		id := string(b[k : k+int(n)])
		b = b[k+int(n):]
		uid, k := binary.Uvarint(b)
		if k <= 0 {
			return
		}
		x.uids[id], x.high = uid, max(x.high, uid)
		b = b[k:]
	}
}

// uid returns the uid of an external id, drawing one when it is new.
func (x *xids) uid(ctx context.Context, id string) (uint64, error) {
	if u, ok := x.uids[id]; ok {
		return u, nil
	}
	if x.next == x.end {
		first, err := x.lease(ctx, leaseBlock)
		if err != nil {
			return 0, fmt.Errorf("leasing uids: %w", err)
		}
		if first <= x.high {
			return 0, fmt.Errorf("the ids in %s are of another database: they go up to uid %#x, but this one just leased %#x",
				x.dir, x.high, first)
		}
		x.next, x.end = first, first+leaseBlock
	}
	u := x.next
	x.next++
	x.made++
	x.uids[id] = u
	if x.log != nil {
		x.block = binary.AppendUvarint(x.block, uint64(len(id)))
		x.block = append(x.block, id...)
		x.block = binary.AppendUvarint(x.block, u)
	}
	return u, nil
}

// flush puts the new ids into the log, so that a restart knows them.
func (x *xids) flush() error {
	if len(x.block) == 0 {
		return nil
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(x.block)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(x.block, crc32.MakeTable(crc32.Castagnoli)))
	if _, err := x.log.Write(append(b, x.block...)); err != nil {
		return fmt.Errorf("writing the ids: %w", err)
	}
	x.block = x.block[:0]
	return nil
}

// noteDone records up to which line each file is loaded.
func (x *xids) noteDone(done map[string]int) error {
	if x.dir == "" {
		return nil
	}
	b, err := json.Marshal(done)
	if err != nil {
		return err
	}
	tmp := x.donePath() + ".tmp"
	if err := os.WriteFile(tmp, b, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, x.donePath())
}

func (x *xids) close() error {
	if x.log == nil {
		return nil
	}
	return errors.Join(x.flush(), x.log.Sync(), x.log.Close())
}
