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
	"syscall"
	"time"

	"dragg/cluster"
	"dragg/cluster/rpc"
)

// Node is one process of a cluster.
type Node struct {
	*Dragg
	Name string // "zero1", "alpha3"
	args []string
}

// Run starts the process. It does not wait until it answers.
func (n *Node) Run() error {
	n.cmd = exec.Command(n.Bin, n.args...)
	n.cmd.Env = append(os.Environ(), n.Env...)
	n.cmd.Stdout, n.cmd.Stderr = n.Dragg, n.Dragg
	if err := n.cmd.Start(); err != nil {
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

// address returns where a port of the node is reached.
func (n *Node) address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port+n.offset))
}

// NodeAddress returns where other nodes reach an Alpha.
func (n *Node) NodeAddress() string { return n.address(7080) }

// Cluster is several Zeros and one group or more of Alphas, each a process of its own.
type Cluster struct {
	Zeros, Alphas []*Node
	pool          *rpc.Pool
}

// NewCluster prepares a cluster in dir; nothing runs before Run. The program is bin/dragg.
func NewCluster(bin, dir string, zeros, alphas, replicas int) (*Cluster, error) {
	c := &Cluster{pool: rpc.NewPool(rpc.Config{})}
	offset, err := freeOffsets(zeros + alphas)
	if err != nil {
		return nil, err
	}
	node := func(name string) *Node {
		offset++
		return &Node{Dragg: &Dragg{Bin: bin, Data: filepath.Join(dir, name), offset: offset - 1}, Name: name}
	}
	var addresses string
	for i := range zeros {
		n := node(fmt.Sprintf("zero%d", i+1))
		if i > 0 {
			addresses += ","
		}
		addresses += n.address(5080)
		c.Zeros = append(c.Zeros, n)
	}
	for i, n := range c.Zeros {
		n.args = []string{
			"zero", "--idx", strconv.Itoa(i + 1), "--zeros", addresses, "--my", n.address(5080), "--replicas", strconv.Itoa(replicas),
			"--data", n.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(n.offset),
		}
	}
	for i := range alphas {
		n := node(fmt.Sprintf("alpha%d", i+1))
		n.args = []string{
			"alpha", "--zero", addresses, "--my", n.address(7080), "--memory-limit", "512MiB",
			"--data", n.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(n.offset),
		}
		c.Alphas = append(c.Alphas, n)
	}
	return c, nil
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
	return errors.Join(append(errs, c.pool.Close())...)
}
