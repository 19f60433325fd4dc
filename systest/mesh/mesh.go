package mesh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// way is from one node to another.
type way struct{ from, to string }

// place is where a name leads.
type place struct{ node, address string }

// Mesh is the network of one cluster.
type Mesh struct {
	cancel  context.CancelFunc
	life    context.Context // of all connections: they belong to the mesh, not to who asked for it
	workers sync.WaitGroup

	mu        sync.Mutex
	listeners []net.Listener   // guarded by mu
	places    map[string]place // guarded by mu: by name
	flows     map[way]*flow    // guarded by mu
	tunnels   map[*tunnel]way  // guarded by mu
	carried   int              // guarded by mu: tunnels ever made
}

// New returns a mesh without nodes. It works until ctx ends or Close is called.
func New(ctx context.Context) *Mesh {
	m := &Mesh{places: map[string]place{}, flows: map[way]*flow{}, tunnels: map[*tunnel]way{}}
	m.life, m.cancel = context.WithCancel(ctx)
	return m
}

// Join makes a proxy for a node and returns its URL, for HTTPS_PROXY in the node's environment.
func (m *Mesh) Join(node string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	url := "http://" + l.Addr().String()
	m.mu.Lock()
	m.listeners = append(m.listeners, l)
	m.mu.Unlock()
	m.workers.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			m.workers.Go(func() { m.connect(node, conn) })
		}
	})
	return url, nil
}

// Publish says under which name (host:port) others reach a node, and where it listens.
func (m *Mesh) Publish(node, name, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places[name] = place{node, address}
}

// Resolve returns where the node of a name listens, and what is no name as it is.
func (m *Mesh) Resolve(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p, ok := m.places[name]; ok {
		return p.address
	}
	return name
}

// Carried returns how many connections the mesh has carried.
func (m *Mesh) Carried() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.carried
}

// flow returns what travels from one node to another. A node's way to itself is its own.
func (m *Mesh) flow(from, to string) *flow {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := way{from, to}
	if m.flows[w] == nil {
		m.flows[w] = newFlow()
	}
	return m.flows[w]
}

// Set changes the condition of the way from one node to another.
func (m *Mesh) Set(from, to string, c Condition) {
	if from == to {
		return
	}
	m.flow(from, to).set(c)
	if !c.Refuse {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for t, w := range m.tunnels {
		if w == (way{from, to}) || w == (way{to, from}) {
			t.reset()
		}
	}
}

// Get returns the condition of the way from one node to another.
func (m *Mesh) Get(from, to string) Condition {
	c, _ := m.flow(from, to).get()
	return c
}

// Heal mends everything.
func (m *Mesh) Heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.flows {
		f.set(Condition{})
	}
}

// helloTime bounds how long a node may take to say where it wants to go.
const helloTime = 10 * time.Second

// connect serves one connection of a node.
func (m *Mesh) connect(from string, near net.Conn) {
	defer near.Close()
	ctx, cancel := context.WithCancel(m.life)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { near.Close() })
	defer stop()
	_ = near.SetDeadline(time.Now().Add(helloTime)) // if it fails so does the read
	req, err := http.ReadRequest(bufio.NewReader(near))
	if err != nil || req.Method != http.MethodConnect {
		return
	}
	_ = near.SetDeadline(time.Time{})
	m.mu.Lock()
	to, ok := m.places[req.Host]
	m.mu.Unlock()
	if !ok {
		answer(near, http.StatusNotFound)
		return
	}
	t := &tunnel{near: near, there: m.flow(from, to.node), back: m.flow(to.node, from), cancel: cancel}
	if t.far, err = dial(ctx, t, to.address); err != nil {
		answer(near, http.StatusBadGateway)
		return
	}
	defer t.far.Close()
	m.keep(t, way{from, to.node})
	defer m.forget(t)
	if answer(near, http.StatusOK) {
		t.run(ctx)
	}
}

// dial connects to the other side: a call there and an answer back.
func dial(ctx context.Context, t *tunnel, address string) (net.Conn, error) {
	for _, f := range []*flow{t.there, t.back} {
		if c, _ := f.get(); c.Refuse {
			return nil, errors.New("refused")
		}
		if !f.passable(ctx) {
			return nil, context.Cause(ctx)
		}
		c, _ := f.get()
		pause(ctx, c.Delay)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

// answer tells a node whether its connection was made.
func answer(near net.Conn, status int) bool {
	_, err := fmt.Fprintf(near, "HTTP/1.1 %d %s\r\n\r\n", status, http.StatusText(status))
	return err == nil
}

func (m *Mesh) keep(t *tunnel, w way) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tunnels[t] = w
	m.carried++
}

func (m *Mesh) forget(t *tunnel) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tunnels, t)
}

// Close ends all connections.
func (m *Mesh) Close() error {
	m.cancel()
	m.mu.Lock()
	var errs []error
	for _, l := range m.listeners {
		errs = append(errs, l.Close())
	}
	m.listeners = nil
	m.mu.Unlock()
	m.workers.Wait()
	return errors.Join(errs...)
}
