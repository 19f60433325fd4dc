//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Condition is what syncs meet. The zero value is a disk without faults.
type Condition struct {
	// Delay is how much longer each takes.
	Delay time.Duration
	// Error is what each fails with; 0 for none.
	Error unix.Errno
}

// Disk is the disk of the processes that Command starts, one after the other.
type Disk struct {
	self    string // the test's program
	life    context.Context
	cancel  context.CancelFunc
	workers sync.WaitGroup

	mu        sync.Mutex
	condition Condition     // guarded by mu
	changed   chan struct{} // guarded by mu: closed by the next change
	syncs     int           // guarded by mu: that met it
}

// New returns a disk without faults. Close it when its processes have ended.
func New(ctx context.Context) (*Disk, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	d := &Disk{self: self, changed: make(chan struct{})}
	d.life, d.cancel = context.WithCancel(ctx)
	return d, nil
}

// Set changes what syncs meet from now on. Those that are held up go on.
func (d *Disk) Set(c Condition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.condition = c
	close(d.changed)
	d.changed = make(chan struct{})
}

// Syncs returns how many syncs there were.
func (d *Disk) Syncs() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.syncs
}

// Close lets everything go on that waits.
func (d *Disk) Close() {
	d.cancel()
	d.workers.Wait()
}

// Start starts cmd so that its syncs meet the condition of the disk.
func (d *Disk) Start(cmd *exec.Cmd) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	cmd.Env = append(cmd.Environ(), becomeEnv+"="+cmd.Path)
	cmd.Path, cmd.ExtraFiles = d.self, []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close() // the process has its own
	if err != nil {
		return errors.Join(err, ours.Close())
	}
	listener, err := receive(ours)
	if err := errors.Join(err, ours.Close()); err != nil {
		return errors.Join(fmt.Errorf("the filter of its syncs: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	d.workers.Go(func() { d.listen(listener) })
	return nil
}

// receive takes a descriptor that came over a socket.
func receive(from *os.File) (int, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(from.Fd()), make([]byte, 1), oob, 0)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return 0, errors.Join(errors.New("it did not come"), err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return 0, errors.Join(errors.New("it did not come"), err)
	}
	return fds[0], nil
}

// notice is struct seccomp_notif, verdict struct seccomp_notif_resp: see seccomp_unotify(2).
type notice struct {
	id         uint64
	pid, flags uint32
	call       int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type verdict struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

// pollInterval is how often a listener looks whether its disk is closed, in milliseconds.
const pollInterval = 50

// listen serves the syncs of one process until it ends.
func (d *Disk) listen(listener int) {
	var under sync.WaitGroup
	defer unix.Close(listener)
	defer under.Wait()
	for {
		at := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		_, err := unix.Poll(at, pollInterval)
		if err != nil && !errors.Is(err, unix.EINTR) || at[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if at[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var n notice
		if err := control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
			continue // it was killed meanwhile
		}
		under.Go(func() { d.serve(listener, n.id) })
	}
}

// serve lets one sync meet the condition of the disk.
func (d *Disk) serve(listener int, id uint64) {
	d.mu.Lock()
	c, changed := d.condition, d.changed
	d.syncs++
	d.mu.Unlock()
	if c.Delay > 0 {
		t := time.NewTimer(c.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-changed:
		case <-d.life.Done():
		}
	}
	v := verdict{id: id, err: -int32(c.Error), flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
	if c.Error != 0 {
		v.flags = 0
	}
	_ = control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&v)) // it fails where the process was killed meanwhile
}

func control(fd int, request uint, arg unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(arg))
	if errno != 0 {
		return errno
	}
	return nil
}
