package pings

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// written is a connection that notes what is written to it.
type written struct {
	net.Conn
	mu   sync.Mutex
	all  []string // guarded by mu
	fail error    // guarded by mu
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		return 0, w.fail
	}
	w.all = append(w.all, string(b))
	return len(b), nil
}

func (w *written) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.all
	w.all = nil
	return all
}

func ack(text string) string {
	var b bytes.Buffer
	if err := http2.NewFramer(&b, nil).WritePing(true, [8]byte([]byte(text))); err != nil {
		panic(err)
	}
	return b.String()
}

func equal(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }

const patience = 10 * time.Millisecond

// Acknowledgements go before what is written next, in the order in which they were written, and alone after some time.
func TestHeldUntilTheNextWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &written{}
		c := newConn(w, patience)
		one, two := ack("ping one"), ack("ping two")
		answer, large := "an answer", strings.Repeat("x", smallWrite+1)
		for _, step := range []struct {
			write []string
			wait  time.Duration
			want  []string
		}{
			{[]string{answer}, 0, []string{answer}},
			{[]string{one}, patience / 2, nil},
			{[]string{two, answer}, 0, []string{one + two + answer}},
			{nil, 2 * patience, nil},
			{[]string{one + two}, patience + 1, []string{one + two}},
			{[]string{one, large}, 2 * patience, []string{one, large}},
			{[]string{answer + one}, 0, []string{answer + one}},
			{[]string{one[:16]}, 0, []string{one[:16]}},
			{[]string{strings.Repeat(one, 17)}, 0, []string{strings.Repeat(one, 17)}},
			{[]string{one, "a"}, patience / 2, []string{one + "a"}},
			{[]string{two}, patience - 1, nil}, // from its own time on, not from that of the one before
			{nil, 2, []string{two}},
		} {
			for _, b := range step.write {
				if n, err := c.Write([]byte(b)); n != len(b) || err != nil {
					t.Fatalf("wrote %d of %d bytes: %v", n, len(b), err)
				}
			}
			time.Sleep(step.wait)
			synctest.Wait()
			if got := w.take(); !equal(got, step.want) {
				t.Errorf("after %q: sent %q, want %q", step.write, got, step.want)
			}
		}
	})
}

// Only whole acknowledgements are held, and few.
func TestOnlyAcknowledgements(t *testing.T) {
	var ping, settings bytes.Buffer
	if err := errors.Join(http2.NewFramer(&ping, nil).WritePing(false, [8]byte{1}), http2.NewFramer(&settings, nil).WriteSettingsAck()); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"": false, ack("12345678"): true, ack("12345678") + ack("12345678"): true, ping.String(): false, settings.String(): false,
		ack("12345678")[1:]: false, ack("12345678") + ping.String(): false, strings.Repeat("\x00", ackBytes): false,
	} {
		if got := areAcks([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// What was held is lost with the connection, and who writes next learns of it.
func TestErrors(t *testing.T) {
	gone := errors.New("gone")
	for _, next := range []string{"x", strings.Repeat("x", smallWrite+1)} {
		w := &written{}
		c := newConn(w, time.Hour)
		if _, err := c.Write([]byte(ack("12345678"))); err != nil {
			t.Fatal(err)
		}
		w.fail = gone
		if n, err := c.Write([]byte(next)); n != 0 || !errors.Is(err, gone) {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
}

// countingListener counts the writes of the connections that it accepts.
type countingListener struct {
	net.Listener
	conns chan *written
}

func (l countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w := &counted{Conn: c, noted: &written{}}
	l.conns <- w.noted
	return w, nil
}

type counted struct {
	net.Conn
	noted *written
}

func (c *counted) Write(b []byte) (int, error) {
	_, _ = c.noted.Write(b)
	return c.Conn.Write(b)
}

// A real client measures the connection with pings. With answers that take longer than these, each is sent with an answer.
func TestWithAClient(t *testing.T) {
	on, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	l := countingListener{on, make(chan *written, 1)}
	slow := func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		time.Sleep(2 * time.Millisecond)
		return next(ctx, req)
	}
	s := grpc.NewServer(grpc.Creds(Held(insecure.NewCredentials(), time.Minute)), grpc.UnaryInterceptor(slow),
		grpc.StaticConnWindowSize(1<<20), grpc.StaticStreamWindowSize(1<<20))
	grpc_health_v1.RegisterHealthServer(s, health.NewServer())
	go func() { _ = s.Serve(l) }() // ends with Stop
	defer s.Stop()
	dial, err := grpc.NewClient(on.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer dial.Close()
	const calls = 50
	for range calls {
		if _, err := grpc_health_v1.NewHealthClient(dial).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	acks := 0
	for _, b := range (<-l.conns).take() {
		if areAcks([]byte(b)) {
			t.Error("an acknowledgement was sent by itself")
		}
		acks += strings.Count(b, "\x00\x00\x08\x06\x01\x00\x00\x00\x00")
	}
	if acks < calls/2 {
		t.Errorf("%d calls, but only %d acknowledgements: the client does not ping as it did", calls, acks)
	}
}
