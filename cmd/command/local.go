package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
)

// localFlags ask for a whole cluster on this machine: every node a process of its own.
type localFlags struct {
	zeros, groups, replicas int
	passed                  []string // flags that every Alpha gets
}

// passed returns those flags of an Alpha that somebody has set.
func passed(set *pflag.FlagSet, a *alphaFlags) (out []string) {
	of := pflag.NewFlagSet("alpha", pflag.ContinueOnError)
	scratch := *a
	scratch.add(of)
	of.VisitAll(func(f *pflag.Flag) {
		if f := set.Lookup(f.Name); f != nil && f.Changed {
			out = append(out, "--"+f.Name+"="+f.Value.String())
		}
	})
	return out
}

func (l *localFlags) add(flags *pflag.FlagSet) {
	flags.IntVar(&l.zeros, "zeros", 1, "Zeros of a local cluster: 1, 3 or 5")
	flags.IntVar(&l.groups, "groups", 1, "groups of Alphas of a local cluster")
	flags.IntVar(&l.replicas, "replicas", 1, "Alphas of each group of a local cluster")
}

// asked reports whether more than the one process is wanted.
func (l *localFlags) asked() bool { return l.zeros > 1 || l.groups > 1 || l.replicas > 1 }

// maxLocalNodes bounds a local cluster: their ports lie side by side.
const maxLocalNodes = 100

func (l *localFlags) check() error {
	if l.zeros < 1 || l.groups < 1 || l.replicas < 1 || l.zeros > maxLocalNodes || l.groups*l.replicas > maxLocalNodes {
		return fmt.Errorf("--zeros %d --groups %d --replicas %d: each must be at least 1, and at most %d nodes of a kind run on one machine",
			l.zeros, l.groups, l.replicas, maxLocalNodes)
	}
	if l.zeros%2 == 0 {
		return fmt.Errorf("--zeros %d: take 1, 3 or 5: an even number can spare no more than one less", l.zeros)
	}
	return nil
}

// localNode is one process of a local cluster.
type localNode struct {
	name string
	args []string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// nodes returns what is to be started, the Zeros first.
func (l *localFlags) nodes(f *serverFlags) (zeros, alphas []*localNode) {
	bind := f.bind
	if bind == "" {
		bind = "localhost"
	}
	reach := func(port, i int) string { return net.JoinHostPort(bind, strconv.Itoa(port+f.offset+i)) }
	memory := memoryLimit(f.memory) / int64(l.zeros+l.groups*l.replicas)
	common := func(name string, i int) []string {
		return []string{
			"--data", filepath.Join(f.data, name), "--bind", f.bind, "--port-offset", strconv.Itoa(f.offset + i),
			"--memory-limit", strconv.FormatInt(memory>>20, 10) + "MiB", "--log-level", f.log.level, "--log-format", f.log.format,
			"--disk-reserve", strconv.FormatInt(int64(f.reserve)>>20, 10) + "MiB",
		}
	}
	var addresses []string
	for i := range l.zeros {
		addresses = append(addresses, reach(zeroNodePort, i))
	}
	all := strings.Join(addresses, ",")
	for i, address := range addresses {
		name := fmt.Sprintf("zero%d", i+1)
		zeros = append(zeros, &localNode{name: name, args: append([]string{
			"zero", "--idx", strconv.Itoa(i + 1), "--zeros", all, "--my", address, "--replicas", strconv.Itoa(l.replicas),
		}, common(name, i)...)})
	}
	for i := range l.groups * l.replicas {
		name := fmt.Sprintf("alpha%d", i+1)
		alphas = append(alphas, &localNode{name: name, args: append([]string{
			"alpha", "--zero", all, "--my", reach(alphaNodePort, i),
		}, append(common(name, i), l.passed...)...)})
	}
	return zeros, alphas
}

// runLocal runs a whole cluster until ctx ends. A node that ends by itself is told about, and the others go on.
func runLocal(ctx context.Context, f *serverFlags, l *localFlags, stdout, stderr io.Writer) error {
	if err := l.forSeveral(f.data); err != nil {
		return err
	}
	lg, err := f.log.logger(stderr)
	if err != nil {
		return err
	}
	zeros, alphas := l.nodes(f)
	out := &lines{to: stderr}
	for _, n := range append(append([]*localNode{}, zeros...), alphas...) {
		if err := n.start(ctx, out, lg); err != nil {
			return errors.Join(err, stopNodes(alphas), stopNodes(zeros))
		}
	}
	if awaitNodes(ctx, f, alphas) == nil {
		fmt.Fprintf(stdout, "%d Zeros and %d groups of %d Alphas are up:\n", l.zeros, l.groups, l.replicas)
		for i, n := range alphas {
			fmt.Fprintf(stdout, "  %-8s gRPC %s  HTTP %s\n", n.name, f.at(alphaGRPCPort+i), f.at(alphaHTTPPort+i))
		}
		for i, n := range zeros {
			fmt.Fprintf(stdout, "  %-8s HTTP %s\n", n.name, f.at(zeroHTTPPort+i))
		}
		fmt.Fprintln(stdout, "Ctrl-C stops all of them.")
	}
	<-ctx.Done()
	return errors.Join(stopNodes(alphas), stopNodes(zeros)) // what Alphas still have to say must find an ear
}

// at is where a client on this machine reaches a port.
func (f *serverFlags) at(port int) string {
	host := f.bind
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(port+f.offset))
}

// start starts the process. Ctrl-C of the terminal does not reach it: it is stopped in order.
func (n *localNode) start(ctx context.Context, out *lines, lg *slog.Logger) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	n.cmd = exec.Command(self, n.args...)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	w := out.of(n.name)
	n.cmd.Stdout, n.cmd.Stderr = w, w
	if err := n.cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", n.name, err)
	}
	n.done = make(chan struct{})
	go func() { // ends with the process
		err := n.cmd.Wait()
		if ctx.Err() == nil {
			lg.Error("a node of the cluster has ended; the others go on", "node", n.name, "err", err)
		}
		close(n.done)
	}()
	return nil
}

// localStop bounds how long a node may take to stop.
const localStop = 10 * time.Second

// stopNodes stops processes as Ctrl-C does, all at the same time.
func stopNodes(nodes []*localNode) error {
	var eg errgroup.Group
	for _, n := range nodes {
		if n.done == nil {
			continue
		}
		eg.Go(func() error {
			if err := n.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
			select {
			case <-n.done:
				return nil
			case <-time.After(localStop):
				return errors.Join(fmt.Errorf("%s did not stop in time", n.name), n.cmd.Process.Kill())
			}
		})
	}
	return eg.Wait()
}

// awaitNodes returns when every Alpha answers.
func awaitNodes(ctx context.Context, f *serverFlags, alphas []*localNode) error {
	for i := range alphas {
		for !healthy(ctx, "http://"+f.at(alphaHTTPPort+i)+"/health") {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func healthy(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
}

// lines writes what several processes say, line by line, each with the name of who said it.
type lines struct {
	mu sync.Mutex
	to io.Writer // guarded by mu
}

func (l *lines) of(name string) io.Writer { return &speaker{lines: l, name: name} }

type speaker struct {
	lines *lines
	name  string
	rest  []byte
}

// Write implements io.Writer.
func (s *speaker) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, ok := strings.Cut(string(s.rest), "\n")
		if !ok {
			return len(p), nil
		}
		s.rest = []byte(rest)
		s.lines.mu.Lock()
		_, err := fmt.Fprintf(s.lines.to, "%-8s %s\n", s.name, line)
		s.lines.mu.Unlock()
		if err != nil {
			return 0, err
		}
	}
}
