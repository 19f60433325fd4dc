package mesh

import (
	"context"
	"net"
	"sync"
	"time"
)

// tunnel is one connection between two nodes: near is that of the node that dialed, far that to the other.
type tunnel struct {
	near, far   net.Conn
	there, back *flow
	cancel      context.CancelFunc
}

// pieceBytes is how much is carried at once, and piecesUnderWay how many pieces may be delayed at a time.
const (
	pieceBytes     = 32 << 10
	piecesUnderWay = 256
)

// piece is some bytes and when they are due.
type piece struct {
	data []byte
	due  time.Time
}

// run carries both ways until one side has gone and the other has learned it.
func (t *tunnel) run(ctx context.Context) {
	var ways sync.WaitGroup
	ways.Go(func() { t.carry(ctx, t.near, t.far, t.there, t.back) })
	ways.Go(func() { t.carry(ctx, t.far, t.near, t.back, t.there) })
	<-ctx.Done()
	t.near.Close()
	t.far.Close()
	ways.Wait()
}

// carry moves what from sends. That from has ended is learned as its bytes are; that to has is learned from what would come back.
func (t *tunnel) carry(ctx context.Context, from, to net.Conn, ahead, behind *flow) {
	pieces := make(chan piece, piecesUnderWay)
	var reader sync.WaitGroup
	reader.Go(func() { read(ctx, from, ahead, pieces) })
	defer reader.Wait()
	defer t.cancel() // run closes both ends, which ends the reader
	for p := range pieces {
		pause(ctx, time.Until(p.due))
		if !ahead.passable(ctx) {
			return
		}
		if c, _ := ahead.get(); c.BytesPerSecond > 0 {
			pause(ctx, time.Duration(len(p.data))*time.Second/time.Duration(c.BytesPerSecond))
		}
		if _, err := to.Write(p.data); err != nil {
			behind.passable(ctx)
			return
		}
	}
	ahead.passable(ctx)
}

// read takes what from sends until it ends, and says when each piece is due.
func read(ctx context.Context, from net.Conn, ahead *flow, pieces chan<- piece) {
	defer close(pieces)
	for {
		data := make([]byte, pieceBytes)
		n, err := from.Read(data)
		if n > 0 {
			c, _ := ahead.get()
			select {
			case pieces <- piece{data[:n], time.Now().Add(c.Delay)}:
			case <-ctx.Done():
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// reset ends the connection at both sides at once, as a refusing peer does.
func (t *tunnel) reset() {
	for _, c := range []net.Conn{t.near, t.far} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // it is closed either way
		}
	}
	t.cancel()
}
