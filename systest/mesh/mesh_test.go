package mesh

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rig is two nodes, of which b echoes lines.
type rig struct {
	*testing.T
	m     *Mesh
	proxy string // of a
}

func newRig(t *testing.T) *rig {
	t.Helper()
	m := New(t.Context())
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c); c.Close() }() // ends with the connection
		}
	}()
	m.Publish("b", "b.test:1", l.Addr().String())
	url, err := m.Join("a")
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, m, strings.TrimPrefix(url, "http://")}
}

// dial asks the proxy of a for a connection.
func (r *rig) dial(name string) (net.Conn, *bufio.Reader, error) {
	c, err := net.Dial("tcp", r.proxy)
	if err != nil {
		return nil, nil, err
	}
	r.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", name, name)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s", resp.Status)
	}
	return c, in, nil
}

func (r *rig) connected() (net.Conn, *bufio.Reader) {
	r.Helper()
	c, in, err := r.dial("b.test:1")
	if err != nil {
		r.Fatal(err)
	}
	return c, in
}

// echo sends a line and waits for it.
func (r *rig) echo(c net.Conn, in *bufio.Reader, line string, within time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, line); err != nil {
		return err
	}
	got, err := in.ReadString('\n')
	if err == nil && got != line+"\n" {
		err = fmt.Errorf("sent %q, came back %q", line, got)
	}
	return err
}

const patient, impatient = 5 * time.Second, 100 * time.Millisecond

// What is sent arrives; a name that nobody has is refused.
func TestCarries(t *testing.T) {
	r := newRig(t)
	c, in := r.connected()
	if err := r.echo(c, in, strings.Repeat("x", 300_000), patient); err != nil {
		t.Error(err)
	}
	if _, _, err := r.dial("c.test:1"); err == nil {
		t.Error("a connection to nowhere")
	}
	if n := r.m.Carried(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// A way that is cut, in whichever direction, lets nothing through, neither bytes nor new connections; once it is mended what was sent
// arrives.
func TestCut(t *testing.T) {
	for _, w := range []way{{"a", "b"}, {"b", "a"}} {
		r := newRig(t)
		c, in := r.connected()
		r.m.Set(w.from, w.to, Condition{Cut: true})
		if err := r.echo(c, in, "while cut", impatient); err == nil {
			t.Errorf("%v: came through", w)
		}
		if _, _, err := r.dial("b.test:1"); err == nil {
			t.Errorf("%v: connected", w)
		}
		r.m.Heal()
		if err := c.SetDeadline(time.Now().Add(patient)); err != nil {
			t.Fatal(err)
		}
		if got, err := in.ReadString('\n'); err != nil || got != "while cut\n" {
			t.Errorf("%v: after healing: %q %v", w, got, err)
		}
		r.connected()
	}
}

// A cut hides that the peer has gone.
func TestHalfOpen(t *testing.T) {
	m := New(t.Context())
	defer m.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	m.Publish("b", "b.test:1", l.Addr().String())
	url, err := m.Join("a")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t, m, strings.TrimPrefix(url, "http://")}
	accepted := make(chan net.Conn, 1)
	go func() { // ends with the first connection
		c, err := l.Accept()
		if err == nil {
			accepted <- c
		}
	}()
	c, in := r.connected()
	m.Set("b", "a", Condition{Cut: true})
	(<-accepted).Close()
	if err := c.SetDeadline(time.Now().Add(impatient)); err != nil {
		t.Fatal(err)
	}
	_, err = in.ReadByte()
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() {
		t.Errorf("while cut: %v", err)
	}
	m.Heal()
	if err := c.SetDeadline(time.Now().Add(patient)); err != nil {
		t.Fatal(err)
	}
	if _, err := in.ReadByte(); err == nil {
		t.Error("after healing the peer is still there")
	}
}

// Where a way is refused, connections end at once and no new ones are made.
func TestRefuse(t *testing.T) {
	r := newRig(t)
	c, in := r.connected()
	r.m.Set("b", "a", Condition{Refuse: true})
	if err := r.echo(c, in, "x", patient); err == nil {
		t.Error("came through")
	}
	if _, _, err := r.dial("b.test:1"); err == nil {
		t.Error("connected")
	}
	r.m.Heal()
	c, in = r.connected()
	if err := r.echo(c, in, "x", patient); err != nil {
		t.Error(err)
	}
}

// A delay is in addition to what is sent meanwhile; a bound on the rate is kept.
func TestSlow(t *testing.T) {
	r := newRig(t)
	c, in := r.connected()
	r.m.Set("a", "b", Condition{Delay: 150 * time.Millisecond})
	began := time.Now()
	if err := r.echo(c, in, "x", patient); err != nil || time.Since(began) < 150*time.Millisecond {
		t.Errorf("delayed: %v after %v", err, time.Since(began))
	}
	r.m.Set("a", "b", Condition{BytesPerSecond: 100_000})
	began = time.Now()
	if err := r.echo(c, in, strings.Repeat("x", 30_000), patient); err != nil || time.Since(began) < 250*time.Millisecond {
		t.Errorf("slow: %v after %v", err, time.Since(began))
	}
}
