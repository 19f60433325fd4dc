package alpha

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"dragg/internal/fault"
)

func TestBodies(t *testing.T) {
	const limit = 1 << 20
	b := bodiesWithin(Config{Limits: Limits{RequestBytes: limit}})
	for _, n := range []int{0, 1, 4 << 10, 4<<10 + 1, smallBody, smallBody + 1, limit - 1, limit} {
		text := bytes.Repeat([]byte("x"), n)
		for _, in := range []io.Reader{bytes.NewReader(text), iotest.HalfReader(bytes.NewReader(text)), iotest.DataErrReader(bytes.NewReader(text))} {
			got, done, err := b.read(in, limit)
			if err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d bytes: %d, %v", n, len(got), err)
			}
			if n > smallBody && b.held < n {
				t.Errorf("%d bytes are held as %d", n, b.held)
			}
			done()
		}
	}
	for _, in := range []io.Reader{strings.NewReader(strings.Repeat("x", limit+1)), iotest.ErrReader(io.ErrUnexpectedEOF)} {
		_, done, err := b.read(in, limit)
		if err == nil {
			t.Error("it was accepted")
		}
		done()
	}
	if b.held != 0 {
		t.Errorf("%d bytes are held by nobody", b.held)
	}
}

// Two large bodies do not fit at once; the second is refused, and fits later.
func TestBodiesTogether(t *testing.T) {
	const limit = 1 << 20
	b := bodiesWithin(Config{Limits: Limits{RequestBytes: limit}})
	large := strings.Repeat("x", limit)
	_, done, err := b.read(strings.NewReader(large), limit)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.read(strings.NewReader(large), limit); !errors.Is(err, errBodies) || fault.ClassOf(err) != fault.Exhausted {
		t.Errorf("the second: %v", err)
	}
	if _, small, err := b.read(strings.NewReader("small"), limit); err != nil {
		t.Errorf("a small one: %v", err)
	} else {
		small()
	}
	done()
	_, done, err = b.read(strings.NewReader(large), limit)
	if err != nil {
		t.Errorf("later: %v", err)
	}
	if done(); b.held != 0 {
		t.Errorf("%d bytes are held by nobody", b.held)
	}
}
