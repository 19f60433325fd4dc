package transport

import (
	"context"
	"errors"
	"fmt"
	"io"

	"dragg/protos/pb"
)

// Fetch opens the stream of a snapshot that another member holds, or of what comes after what the receiver has of it. Closing it
// ends the transfer.
func (l *Links) Fetch(ctx context.Context, from uint64, descriptor, after []byte) (io.ReadCloser, error) {
	address, ok := l.cfg.Address(from)
	if !ok {
		return nil, fmt.Errorf("the address of member %d is not known", from)
	}
	conn, err := l.cfg.Pool.Conn(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	in, err := pb.NewRaftClient(conn).Snapshot(ctx, &pb.SnapshotRequest{
		ClusterId: l.cfg.Cluster, Group: l.cfg.Group, Desc: descriptor, After: after,
	})
	if err != nil {
		cancel()
		return nil, fmt.Errorf("asking member %d for a snapshot: %w", from, err)
	}
	return &chunks{receive: in.Recv, cancel: cancel}, nil
}

// chunks reads a stream of chunks as one.
type chunks struct {
	receive func() (*pb.SnapshotChunk, error)
	cancel  context.CancelFunc
	rest    []byte
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		chunk, err := c.receive()
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, fmt.Errorf("receiving a snapshot: %w", err)
		}
		c.rest = chunk.Data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (c *chunks) Close() error { c.cancel(); return nil }
