package systest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dragg/cluster"
	"dragg/cluster/rpc"
	"dragg/systest/mesh"
)

// Node is one process of a cluster.
type Node struct {
	*Dragg
	Name  string // "zero1", "alpha3"
	args  []string
	start func(*exec.Cmd) error // starts the process; nil for the way that it is otherwise
}

// Run starts the process. It does not wait until it answers.
func (n *Node) Run() error {
	n.cmd = exec.Command(n.Bin, n.args...)
	n.cmd.Env = append(os.Environ(), n.Env...)
	n.cmd.Stdout, n.cmd.Stderr = n.Dragg, n.Dragg
	start := n.cmd.Start
	if n.start != nil {
		start = func() error { return n.start(n.cmd) }
	}
	if err := start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func(cmd *exec.Cmd) { done <- cmd.Wait() }(n.cmd) // ends with the process
	n.done = done
	return nil
}

// Pause stops the process as it is; Resume lets it go on.
func (n *Node) Pause() error { return n.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (n *Node) Resume() error { return n.cmd.Process.Signal(syscall.SIGCONT) }

// address returns where a port of the node is reached from outside the cluster.
func (n *Node) address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+n.offset))
}

// NodeAddress returns where other nodes reach an Alpha.
func (n *Node) NodeAddress() string { return n.address(7080) }

// advertised returns where other nodes reach a port of the node. In a mesh it is a name that only the mesh knows: for addresses of
// this machine nobody would ask a proxy.
func (c *Cluster) advertised(n *Node, port int) string {
	if c.Mesh == nil {
		return n.address(port)
	}
	return net.JoinHostPort(n.Name+".dragg.test", strconv.Itoa(port+n.offset))
}

// Cluster is several Zeros and one group or more of Alphas, each a process of its own.
type Cluster struct {
	Zeros, Alphas []*Node
	// Mesh carries what the nodes say to each other; nil in a cluster that needs none.
	Mesh *mesh.Mesh
	pool *rpc.Pool
}

// Size is how many processes a cluster has, and how many Alphas a group.
type Size struct{ Zeros, Alphas, Replicas int }

// NewCluster prepares a cluster in dir; nothing runs before Run. The program is bin/dragg.
func NewCluster(bin, dir string, zeros, alphas, replicas int) (*Cluster, error) {
	c := &Cluster{pool: rpc.NewPool(rpc.Config{})}
	return c, c.prepare(bin, dir, Size{zeros, alphas, replicas})
}

// NewMeshCluster prepares a cluster whose nodes reach each other through a mesh, which ends with ctx or Kill.
func NewMeshCluster(ctx context.Context, bin, dir string, size Size) (*Cluster, error) {
	m := mesh.New(ctx)
	c := &Cluster{Mesh: m, pool: rpc.NewPool(rpc.Config{Dial: func(ctx context.Context, name string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", m.Resolve(name)) // the test is no node: nothing cuts it off
	}})}
	return c, c.prepare(bin, dir, size)
}

// prepare makes the nodes.
func (c *Cluster) prepare(bin, dir string, size Size) error {
	offset, err := freeOffsets(size.Zeros + size.Alphas)
	if err != nil {
		return err
	}
	node := func(kind string, i int) *Node {
		name := kind + strconv.Itoa(i+1)
		offset++
		return &Node{Dragg: &Dragg{Bin: bin, Data: filepath.Join(dir, name), offset: offset - 1}, Name: name}
	}
	var addresses []string
	for i := range size.Zeros {
		n := node("zero", i)
		addresses = append(addresses, c.advertised(n, 5080))
		c.Zeros = append(c.Zeros, n)
	}
	zeros := strings.Join(addresses, ",")
	for i, n := range c.Zeros {
		n.args = []string{
			"zero", "--idx", strconv.Itoa(i + 1), "--zeros", zeros, "--my", c.advertised(n, 5080), "--replicas", strconv.Itoa(size.Replicas),
			"--data", n.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(n.offset),
		}
	}
	for i := range size.Alphas {
		n := node("alpha", i)
		n.args = []string{
			"alpha", "--zero", zeros, "--my", c.advertised(n, 7080), "--memory-limit", "512MiB",
			"--data", n.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(n.offset),
		}
		c.Alphas = append(c.Alphas, n)
	}
	return c.join()
}

// AddZero prepares a further Zero of the cluster, under a number of its own. It does not run before Run. A cluster with a mesh takes none.
func (c *Cluster) AddZero(bin, dir string, id int) (*Node, error) {
	offset, err := freeOffsets(1)
	if err != nil {
		return nil, err
	}
	n := &Node{Dragg: &Dragg{Bin: bin, Data: filepath.Join(dir, fmt.Sprint("zero-", id)), offset: offset}, Name: fmt.Sprint("zero", id)}
	var peers []string
	for _, z := range c.Zeros {
		peers = append(peers, z.address(5080))
	}
	n.args = []string{
		"zero", "--idx", strconv.Itoa(id), "--peer", strings.Join(peers, ","), "--my", n.address(5080),
		"--data", n.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(n.offset),
	}
	return n, nil
}

// join gives every node its place in the mesh.
func (c *Cluster) join() error {
	if c.Mesh == nil {
		return nil
	}
	for _, n := range c.Nodes() {
		url, err := c.Mesh.Join(n.Name)
		if err != nil {
			return err
		}
		n.Env = append(n.Env, "HTTPS_PROXY="+url, "NO_PROXY=", "no_proxy=")
		for _, port := range []int{5080, 7080} {
			c.Mesh.Publish(n.Name, c.advertised(n, port), n.address(port))
		}
	}
	return nil
}

// Nodes returns all processes.
func (c *Cluster) Nodes() []*Node { return append(append([]*Node{}, c.Zeros...), c.Alphas...) }

// Run starts every process and returns when every Alpha answers.
func (c *Cluster) Run(ctx context.Context) error {
	for _, n := range c.Nodes() {
		if err := n.Run(); err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	return c.Await(ctx)
}

// Await returns when every Alpha answers.
func (c *Cluster) Await(ctx context.Context) error {
	for _, n := range c.Alphas {
		for !n.Healthy(ctx) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s is not ready: %w\n%s", n.Name, ctx.Err(), n.Log())
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}

// Zero returns the way to the leading Zero.
func (c *Cluster) Zero() *cluster.Client {
	var addresses []string
	for _, z := range c.Zeros {
		addresses = append(addresses, z.address(5080))
	}
	return cluster.NewClient(cluster.ClientConfig{Addresses: addresses, Pool: c.pool, Patience: 20 * time.Second})
}

// Kill ends every process that still runs.
func (c *Cluster) Kill() error {
	var errs []error
	for _, n := range c.Nodes() {
		if n.cmd == nil || n.cmd.ProcessState != nil {
			continue
		}
		if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		<-n.done
	}
	if c.Mesh != nil {
		errs = append(errs, c.Mesh.Close())
	}
	return errors.Join(append(errs, c.pool.Close())...)
}
