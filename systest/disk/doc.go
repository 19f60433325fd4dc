// Package disk makes the disk of one process under test slow or failing, while the process runs and without its help: its calls to
// sync what it wrote (fsync, fdatasync, msync) are held up, or answered with an error.
//
// How: the process is started with a seccomp filter that passes these calls to a listener (seccomp_unotify(2)), which lets each go on
// after a while or says how it ended. A filter stays with whoever it was put on, and what it starts: so the test's own program is
// started first, puts the filter on itself, hands the listener over and becomes the program under test. TestMain calls Become for that.
//
// It is not a disk that loses what was written: what a failed sync leaves is on the disk as ever. Linux from 5.19 on; no privileges.
//
// Threading: a Disk is safe for concurrent use. It owns its goroutines; Close waits for them.
package disk
