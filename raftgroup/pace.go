package raftgroup

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// paceBurst is how much is sent at once.
const paceBurst = 1 << 20

// paced writes no faster than a limit: a member that is sent the state must not starve those who are at work.
type paced struct {
	ctx   context.Context
	w     io.Writer
	limit *rate.Limiter // bytes; shared by all that is sent
	sent  *atomic.Int64 // counts bytes; shared as well
	n     int64         // bytes
}

// Write implements io.Writer.
func (p *paced) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		step := min(len(b), p.limit.Burst())
		if err := p.limit.WaitN(p.ctx, step); err != nil {
			return n, err
		}
		k, err := p.w.Write(b[:step])
		n += k
		p.n += int64(k)
		p.sent.Add(int64(k))
		if err != nil {
			return n, err
		}
		b = b[step:]
	}
	return n, nil
}
