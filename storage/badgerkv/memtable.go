package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memtableName is the file that says how large the memtables in the folder may be: a decimal number of bytes.
const memtableName = "memtable.size"

// memtableBytes returns how large memtables must be to open dir, where want is what the configuration asks
// for. Badger ends the process when it finds a memtable that outgrows the ones it is configured for, as after
// a kill and a restart with less memory; so until those that are there have been flushed, memtables stay as
// large as they were.
func memtableBytes(dir string, want int64) (int64, error) {
	left, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return 0, err
	}
	name := filepath.Join(dir, memtableName)
	noted, err := notedSize(name)
	if err != nil {
		return 0, err
	}
	size := want
	if len(left) > 0 {
		size = max(want, noted)
	}
	if size == noted {
		return size, nil
	}
	return size, noteSize(name, size)
}

// notedSize reads the size in use before, 0 where none was noted.
func notedSize(name string) (int64, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 || n > maxMemtable {
		return 0, fmt.Errorf("%s: %q is no size of a memtable", name, text)
	}
	return n, nil
}

// noteSize replaces the note as a whole, and syncs it: it must be there before the first memtable of that size.
func noteSize(name string, size int64) error {
	tmp := name + ".tmp"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, size)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, name); err != nil {
		return err
	}
	return syncFile(filepath.Dir(name))
}
