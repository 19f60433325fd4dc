package shard

import (
	"encoding/binary"
	"errors"
	"fmt"

	"dragg/graph"
	"dragg/storage"
)

// A change of a list, on its way to another replica or group: flags (1) │ timestamp uvarint │ bytes shared with the key before
// uvarint │ sized rest of the key │ sized value. See docs/format/snapshots.md.
const (
	changeComplete = 1 << iota
	changeDelete
	changeFolded
	changeFlags = changeComplete | changeDelete | changeFolded
)

// appendChange appends a change; last is the key of the one before.
func appendChange(b []byte, op storage.Op, last []byte) []byte {
	var flags byte
	if op.Complete {
		flags |= changeComplete
	}
	if op.Delete {
		flags |= changeDelete
	}
	if op.Folded {
		flags |= changeFolded
	}
	shared := 0
	for shared < len(last) && shared < len(op.Key) && last[shared] == op.Key[shared] {
		shared++
	}
	b = binary.AppendUvarint(append(b, flags), uint64(op.Ts))
	b = binary.AppendUvarint(b, uint64(shared))
	b = append(binary.AppendUvarint(b, uint64(len(op.Key)-shared)), op.Key[shared:]...)
	return append(binary.AppendUvarint(b, uint64(len(op.Value))), op.Value...)
}

var errChange = errors.New("a change cannot be decoded")

// eachChange calls fn for the changes that b consists of. They share its memory, but for the keys.
func eachChange(b []byte, count uint32, fn func(storage.Op) error) error {
	var key []byte
	for i := range count {
		op, rest, err := decodeChange(b, key)
		if err == nil {
			key = op.Key
			err = fn(op)
		}
		if err != nil {
			return fmt.Errorf("change %d of %d: %w", i, count, err)
		}
		b = rest
	}
	if len(b) > 0 {
		return fmt.Errorf("%d bytes follow its %d changes", len(b), count)
	}
	return nil
}

// decodeChange decodes the change at the start of b; last is the key of the one before.
func decodeChange(b, last []byte) (op storage.Op, rest []byte, err error) {
	if len(b) == 0 || b[0]&^changeFlags != 0 {
		return op, nil, errChange
	}
	flags := b[0]
	op.Complete, op.Delete, op.Folded = flags&changeComplete != 0, flags&changeDelete != 0, flags&changeFolded != 0
	b = b[1:]
	var numbers [2]uint64
	for i := range numbers {
		n, k := binary.Uvarint(b)
		if k <= 0 {
			return op, nil, errChange
		}
		numbers[i], b = n, b[k:]
	}
	op.Ts = graph.Timestamp(numbers[0])
	tail, b, ok := cutSized(b)
	if !ok || numbers[1] > uint64(len(last)) {
		return op, nil, errChange
	}
	op.Key = append(append(make([]byte, 0, int(numbers[1])+len(tail)), last[:numbers[1]]...), tail...)
	if op.Value, b, ok = cutSized(b); !ok {
		return op, nil, errChange
	}
	return op, b, nil
}

func cutSized(b []byte) (field, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, nil, false
	}
	return b[k : k+int(n) : k+int(n)], b[k+int(n):], true
}
