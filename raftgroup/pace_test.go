package raftgroup

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// Goal: what is paced arrives whole, not faster than allowed, and ends with its context.
func TestPaced(t *testing.T) {
	const perSecond = 1 << 20
	var out bytes.Buffer
	sent := bytes.Repeat([]byte("0123456789abcdef"), 40<<10/16)
	p := &paced{ctx: t.Context(), w: &out, limit: rate.NewLimiter(perSecond, 8<<10), sent: new(atomic.Int64)}
	began := time.Now()
	if n, err := p.Write(sent); n != len(sent) || err != nil {
		t.Fatal(n, err)
	}
	if took, least := time.Since(began), 30*time.Millisecond; took < least { // but for the burst
		t.Errorf("%d bytes in %v, at least %v were due", len(sent), took, least)
	}
	if p.sent.Load() != int64(len(sent)) || p.n != int64(len(sent)) {
		t.Errorf("%d and %d bytes were counted of %d", p.sent.Load(), p.n, len(sent))
	}
	if !bytes.Equal(out.Bytes(), sent) {
		t.Error("what arrived is not what was sent")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.ctx = ctx
	if _, err := p.Write(sent); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
