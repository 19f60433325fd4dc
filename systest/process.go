package systest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/dgraph-io/dgo/v250"
	"github.com/dgraph-io/dgo/v250/protos/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Dragg is a database that runs as a process of its own: `dragg up` with a data folder.
type Dragg struct {
	Bin    string   // the program
	Data   string   // its data folder
	Args   []string // further flags
	Env    []string // further environment
	offset int

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan error
	log  bytes.Buffer // guarded by mu
}

// Binary returns the path of bin/dragg, seen from a package folder depth levels below the root.
func Binary(depth int) (string, error) {
	path := "bin/dragg"
	for range depth {
		path = filepath.Join("..", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: run make build first", err)
	}
	return path, nil
}

// Write keeps what the process logs.
func (d *Dragg) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

// Log returns what the process has logged since it was first started.
func (d *Dragg) Log() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// freeOffset finds a port offset under which all ports of a process are free.
func freeOffset() (int, error) { return freeOffsets(1) }

// freeOffsets finds the first of n port offsets in a row under which all ports of n processes are free. They lie below the ports
// that the system gives to outgoing connections.
func freeOffsets(n int) (int, error) {
	for range 200 {
		offset := 2000 + rand.IntN(20_000)
		if portsFree(offset, n) {
			return offset, nil
		}
	}
	return 0, errors.New("no free ports")
}

func portsFree(offset, n int) bool {
	for i := range n {
		for _, p := range []int{9080, 8080, 7080, 6080, 5080} {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p+offset+i)))
			if err != nil || l.Close() != nil {
				return false
			}
		}
	}
	return true
}

// Start starts the process and returns once it answers requests.
func (d *Dragg) Start(ctx context.Context) error {
	if d.offset == 0 {
		offset, err := freeOffset()
		if err != nil {
			return err
		}
		d.offset = offset
	}
	args := append([]string{"up", "--data", d.Data, "--bind", "127.0.0.1", "--port-offset", strconv.Itoa(d.offset)}, d.Args...)
	d.cmd = exec.Command(d.Bin, args...)
	d.cmd.Env = append(os.Environ(), d.Env...)
	d.cmd.Stdout, d.cmd.Stderr = d, d
	if err := d.cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- d.cmd.Wait() }() // ends with the process
	d.done = done
	for {
		if d.Healthy(ctx) {
			return nil
		}
		select {
		case err := <-done:
			return fmt.Errorf("dragg ended before it was ready: %w\n%s", err, d.Log())
		case <-ctx.Done():
			return fmt.Errorf("dragg is not ready: %w\n%s", ctx.Err(), d.Log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Healthy reports whether the Alpha of the process answers that it is ready.
func (d *Dragg) Healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.HTTP()+"/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK
}

// Kill ends the process with SIGKILL. If it had ended before, the error says how.
func (d *Dragg) Kill() error {
	if err := d.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("%w: %v", err, d.cmd.ProcessState)
	}
	<-d.done
	return nil
}

// Stop ends the process as Ctrl-C does, and returns how long it took.
func (d *Dragg) Stop() (time.Duration, error) {
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGINT); err != nil {
		return 0, err
	}
	select {
	case err := <-d.done:
		return time.Since(began), err
	case <-time.After(30 * time.Second):
		return 0, errors.Join(errors.New("dragg did not stop within 30 s"), d.Kill())
	}
}

// PID returns the id of the process.
func (d *Dragg) PID() int { return d.cmd.Process.Pid }

// GRPC returns the address of the client API.
func (d *Dragg) GRPC() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(9080+d.offset)) }

// HTTP returns the URL of the client API over HTTP.
func (d *Dragg) HTTP() string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(8080+d.offset))
}

// ZeroHTTP returns the URL of Zero's HTTP surface.
func (d *Dragg) ZeroHTTP() string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(6080+d.offset))
}

// Client returns the stock client, and the stub below it. Close ends both.
func (d *Dragg) Client() (*Client, error) {
	dg, err := dgo.NewClient(d.GRPC(),
		dgo.WithGrpcOption(grpc.WithTransportCredentials(insecure.NewCredentials())),
		dgo.WithGrpcOption(grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(2<<30-1))))
	if err != nil {
		return nil, err
	}
	return &Client{Dgraph: dg, Stub: dg.GetAPIClients()[0]}, nil
}

// Client is a connection to a Dragg. Close ends it.
type Client struct {
	*dgo.Dgraph
	Stub api.DgraphClient
}

// AssignUIDs leases n uids over Zero's HTTP, as clients with their own uids do.
func (d *Dragg) AssignUIDs(ctx context.Context, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s/assign?what=uids&num=%d", d.ZeroHTTP(), n), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("assign: %s: %s", resp.Status, body)
	}
	return nil
}
