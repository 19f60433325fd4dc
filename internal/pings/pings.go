// Package pings has the acknowledgements of HTTP/2 pings travel with what is sent next (RFC 9113, section 6.7).
//
// gRPC's clients measure the bandwidth of a connection with a ping after each answer that finds none under way. A server that
// acknowledges it at once writes twice for each request that takes longer than the ping, and the client reads twice and is woken up
// twice: for a small commit a tenth of all processor time.
package pings

import (
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"
)

// Held returns credentials whose connections hold acknowledgements back until there is something else to send, at most for the
// given time. It belongs above encryption, where frames can be told apart: the connections of c are what it looks at. A client that
// measures the time that a ping takes finds it that much longer where nothing is sent.
func Held(c credentials.TransportCredentials, most time.Duration) credentials.TransportCredentials {
	return holder{TransportCredentials: c, most: most}
}

type holder struct {
	credentials.TransportCredentials
	most time.Duration
}

// ServerHandshake implements credentials.TransportCredentials.
func (h holder) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	c, info, err := h.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return newConn(c, h.most), info, nil
}

// Clone implements credentials.TransportCredentials.
func (h holder) Clone() credentials.TransportCredentials {
	return holder{TransportCredentials: h.TransportCredentials.Clone(), most: h.most}
}

// conn is a connection of a server.
type conn struct {
	net.Conn
	most time.Duration

	mu    sync.Mutex
	held  []byte      // guarded by mu: acknowledgements, not sent yet
	timer *time.Timer // guarded by mu: runs while some are held
}

func newConn(c net.Conn, most time.Duration) *conn {
	p := &conn{Conn: c, most: most}
	p.timer = time.AfterFunc(most, p.flush)
	return p
}

const (
	// maxHeld bounds what is held back: a client that sends many pings is answered.
	maxHeld = 16 * ackBytes
	// smallWrite is up to how many bytes are copied behind what is held, to be sent at once with it.
	smallWrite = 2 << 10
)

// Write implements net.Conn. An error concerns the connection: later writes have one, too.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case len(c.held)+len(b) <= maxHeld && areAcks(b):
		if len(c.held) == 0 {
			c.timer.Reset(c.most)
		}
		c.held = append(c.held, b...)
		return len(b), nil
	case len(c.held) == 0:
		return c.Conn.Write(b)
	}
	c.timer.Stop()
	before := len(c.held)
	if len(b) <= smallWrite {
		c.held = append(c.held, b...)
	}
	n, err := c.Conn.Write(c.held)
	sent := len(c.held)
	c.held = c.held[:0]
	if err != nil || sent > before {
		return max(n-before, 0), err
	}
	return c.Conn.Write(b)
}

// flush sends what has been held long enough.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) > 0 {
		_, _ = c.Conn.Write(c.held) // whoever writes or reads next learns of it
		c.held = c.held[:0]
	}
}

// The layout of an acknowledgement: the frame's length, type and flags, the stream, and what the ping had.
const (
	ackBytes  = 9 + 8
	pingFrame = 0x6
	ackFlag   = 0x1
)

// areAcks reports whether b is acknowledgements of pings, as far as it can be told from b alone. What only looks like some is held
// back as well, and sent in its place.
func areAcks(b []byte) bool {
	if len(b) == 0 || len(b)%ackBytes != 0 {
		return false
	}
	for ; len(b) > 0; b = b[ackBytes:] {
		if [9]byte(b) != [9]byte{2: ackBytes - 9, 3: pingFrame, 4: ackFlag} {
			return false
		}
	}
	return true
}
