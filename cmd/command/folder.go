package command

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// folder is the folder of one node, which no other process opens meanwhile. It is held before the node says anywhere who it is: a
// second process with the same data would tell the cluster that the node has moved, and nobody would reach the first one any more.
type folder struct{ lock *os.File }

// lockName is the file in the folder that is locked. It stays, empty: the lock ends with the process.
const lockName = "LOCK"

// hold makes the folder where there is none, and keeps other processes out of it until release.
func hold(dir string) (folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return folder{}, fmt.Errorf("--data: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return folder{}, fmt.Errorf("--data: %w", err)
	}
	switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return folder{}, errors.Join(fmt.Errorf("--data: another process runs on %s: a folder is for one node", dir), f.Close())
	case err != nil:
		return folder{}, errors.Join(fmt.Errorf("--data: locking %s: %w", dir, err), f.Close())
	}
	return folder{f}, nil
}

// release lets others in.
func (f folder) release() error { return f.lock.Close() }

// forOne returns nil if dragg up may keep a database of one process in dir: an empty one beside the data of a cluster would look like
// data that are lost.
func forOne(dir string) error {
	return without(dir, map[string]string{
		"wal":   "a node that runs alone: start it with dragg zero or dragg alpha",
		"zero1": "a cluster of several processes: start it with --zeros, --groups and --replicas as before",
	})
}

// forSeveral returns nil if dragg up may keep a local cluster in dir: all that it had before must be started again.
func (l *localFlags) forSeveral(dir string) error {
	zeros, alphas := l.zeros+1, l.groups*l.replicas+1
	return without(dir, map[string]string{
		"wal":                          "a node that runs alone: start it with dragg zero or dragg alpha",
		"zero":                         "a database in one process: leave out --zeros, --groups and --replicas",
		fmt.Sprintf("zero%d", zeros):   fmt.Sprintf("a cluster with more Zeros: --zeros must be at least %d", zeros),
		fmt.Sprintf("alpha%d", alphas): fmt.Sprintf("a cluster with more Alphas: --groups times --replicas must be at least %d", alphas),
	})
}

// without returns an error if dir has anything of a name in what, saying what that is.
func without(dir string, what map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(what)) {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return fmt.Errorf("--data: %s holds the data of %s", dir, what[name])
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("--data: %w", err)
		}
	}
	return nil
}
