package alpha

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"dragg/internal/fault"
)

// bodies bounds what the bodies of all HTTP requests together hold in memory.
type bodies struct {
	most int

	mu   sync.Mutex
	held int // guarded by mu: bytes
}

// bodiesWithin returns the bound for a node: a quarter of its memory, but room for one body of the largest size, which is
// held twice while its buffer grows.
func bodiesWithin(cfg Config) bodies {
	return bodies{most: max(int(cfg.MemoryBytes/4), cfg.Limits.RequestBytes*3/2+smallBody)}
}

// smallBody is the size up to which a body is not counted: requests in flight are bounded too.
const smallBody = 64 << 10

var errBodies = fault.New(fault.Exhausted, "429 Too Many Requests: too many large requests are being read; please retry")

// take counts n bytes more; negative n gives back.
func (b *bodies) take(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > 0 && b.held+n > b.most {
		return errBodies
	}
	b.held += n
	return nil
}

// read reads a body of at most limit bytes. What is read stays counted until done is called.
func (b *bodies) read(in io.Reader, limit int) (body []byte, done func(), err error) {
	counted := 0
	count := func(n int) error {
		err := b.take(n)
		if err == nil {
			counted += n
		}
		return err
	}
	done = func() { _ = b.take(-counted) } // giving back does not fail
	buf := make([]byte, 0, 4<<10)
	for {
		n, err := in.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			done()
			return nil, func() {}, fmt.Errorf("the body is larger than %d bytes", limit)
		case errors.Is(err, io.EOF):
			return buf, done, nil
		case err != nil:
			done()
			return nil, func() {}, fmt.Errorf("reading the body: %w", err)
		case len(buf) < cap(buf):
			continue
		}
		old, size := cap(buf), 2*cap(buf)
		if size >= limit {
			size = limit + 1 // so that a body of the largest size need not be copied once more to find its end
		}
		if size > smallBody {
			if err := count(size); err != nil {
				done()
				return nil, func() {}, err
			}
		}
		buf = append(make([]byte, 0, size), buf...)
		if old > smallBody {
			_ = count(-old) // giving back does not fail
		}
	}
}

// body reads a request's body, unpacking gzip. What comes out is bounded, whatever went in. The body is valid until done.
func (n *Node) body(r *http.Request) (body []byte, done func(), err error) {
	in := io.Reader(r.Body)
	if strings.EqualFold(r.Header.Get("Content-Encoding"), "gzip") {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, func() {}, fmt.Errorf("unpacking the body: %w", err)
		}
		in = z
	}
	return n.bodies.read(in, n.cfg.Limits.RequestBytes)
}
