package raftgroup

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
)

// Commands that come close together share an entry of the log: Raft, the write-ahead log and every member's memory then hold one
// thing for many. Each command says who proposed it, so that the proposer recognises it when it is applied. Numbers are big
// endian:
//
//	one      node id (8 bytes) ‖ sequence number of the process (8) ‖ the command
//	several  0 (8) ‖ node id (8) ‖ { sequence number (8) ‖ length (4) ‖ the command } …
//
// No node has the id 0. Sequence numbers start at a random one, so that an entry of the same node's earlier life that is replayed
// after a restart is not taken for a proposal of this one.
const (
	headerBytes = 8 + 8
	frameBytes  = 8 + 4
)

// maxEntryBytes is from which size on an entry takes no further command.
const maxEntryBytes = 256 << 10

// owner is who proposed a command.
type owner struct{ node, seq uint64 }

func (o owner) header() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, o.node), o.seq)
}

// ownerOf is the reverse of header; the zero owner, nobody, for what is no header.
func ownerOf(header []byte) owner {
	if len(header) < headerBytes {
		return owner{}
	}
	return owner{binary.BigEndian.Uint64(header), binary.BigEndian.Uint64(header[8:])}
}

// entriesOf returns the entries for a batch of the node's proposals, in their order.
func entriesOf(node uint64, batch []proposal) []*raftpb.Entry {
	entries := make([]*raftpb.Entry, 0, 1)
	for len(batch) > 0 {
		n, bytes := 0, headerBytes
		for n < len(batch) && (n == 0 || bytes+frameBytes+len(batch[n].cmd) <= maxEntryBytes) {
			bytes += frameBytes + len(batch[n].cmd)
			n++
		}
		entries = append(entries, &raftpb.Entry{Data: encodeCommands(node, batch[:n], bytes)})
		batch = batch[n:]
	}
	return entries
}

func encodeCommands(node uint64, batch []proposal, bytes int) []byte {
	b := make([]byte, 0, bytes)
	if len(batch) == 1 {
		b = binary.BigEndian.AppendUint64(b, node)
		return append(binary.BigEndian.AppendUint64(b, batch[0].seq), batch[0].cmd...)
	}
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, node)
	for _, p := range batch {
		b = binary.BigEndian.AppendUint64(b, p.seq)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p.cmd)))
		b = append(b, p.cmd...)
	}
	return b
}

// eachCommand visits the commands of an entry, in order; one of Raft's own has none. A command is a part of the entry's data.
func eachCommand(e *raftpb.Entry, visit func(by owner, cmd []byte)) error {
	data := e.GetData()
	if len(data) == 0 {
		return nil
	}
	by := ownerOf(data)
	if len(data) < headerBytes {
		return fmt.Errorf("log entry %d is shorter than its header", e.GetIndex())
	}
	if by.node != 0 {
		visit(by, data[headerBytes:])
		return nil
	}
	node := by.seq
	if node == 0 {
		return fmt.Errorf("log entry %d is of no node", e.GetIndex())
	}
	for rest := data[headerBytes:]; len(rest) > 0; {
		if len(rest) < frameBytes || uint64(len(rest)-frameBytes) < uint64(binary.BigEndian.Uint32(rest[8:])) {
			return fmt.Errorf("log entry %d ends within a command", e.GetIndex())
		}
		end := frameBytes + int(binary.BigEndian.Uint32(rest[8:]))
		visit(owner{node, binary.BigEndian.Uint64(rest)}, rest[frameBytes:end:end])
		rest = rest[end:]
	}
	return nil
}
