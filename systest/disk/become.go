//go:build linux

package disk

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// becomeEnv names the program that a process that Disk.Start started becomes.
const becomeEnv = "DRAGG_SYSTEST_BECOME"

// handOver is the descriptor of the socket to Disk.Start.
const handOver = 3

// Become returns at once, but in a process that Disk.Start started: that becomes the program under test, or returns why it cannot.
// Call it first in TestMain.
func Become() error {
	program := os.Getenv(becomeEnv)
	if program == "" {
		return nil
	}
	runtime.LockOSThread() // the filter is this thread's, and then the program's
	listener, err := filter()
	if err != nil {
		return fmt.Errorf("a filter of syncs: %w", err)
	}
	if err := unix.Sendmsg(handOver, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
		return fmt.Errorf("handing over the filter of syncs: %w", err)
	}
	for _, fd := range []int{listener, handOver} {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	if err := os.Unsetenv(becomeEnv); err != nil {
		return err
	}
	return unix.Exec(program, os.Args, os.Environ())
}

// filter has the syncs of this thread, and of the program that it becomes, go to a listener.
func filter() (listener int, err error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	calls := []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_MSYNC}
	program := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}} // the number of the call
	for i, call := range calls {
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(calls) - i)})
	}
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF})
	p := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	// A call that waits is not interrupted by the signals of the scheduler, which would begin it anew.
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, uintptr(unsafe.Pointer(&p)))
	runtime.KeepAlive(program)
	if errno != 0 {
		return 0, errno
	}
	return int(fd), nil
}
