package badgerkv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// currentName is the file that says which content counts: the number of its folder. Without it, it is the folder itself.
const currentName = "current"

func contentDir(dir string, n int) string {
	if n == 0 {
		return dir
	}
	return filepath.Join(dir, contentPrefix+strconv.Itoa(n))
}

const contentPrefix = "content-"

func currentContent(dir string) (int, error) {
	name := filepath.Join(dir, currentName)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %q is no number of a content", name, text)
	}
	if _, err := os.Stat(contentDir(dir, n)); err != nil {
		return 0, fmt.Errorf("%s names content %d: %w", name, n, err)
	}
	return n, nil
}

// nameCurrent makes content n the one that counts, durably. named says that it may count already, also after an error.
func nameCurrent(dir string, n int) (named bool, err error) {
	if err := syncFile(dir); err != nil { // the folder of the content
		return false, err
	}
	return writeNamed(filepath.Join(dir, currentName), fmt.Appendln(nil, n))
}

// writeNamed makes a file hold b, durably, or leaves it as it is. renamed says that it may hold b already, also after an error.
func writeNamed(name string, b []byte) (renamed bool, err error) {
	f, err := os.Create(name + ".tmp")
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return false, err
	}
	return true, syncFile(filepath.Dir(name))
}

// removeOthers removes every content but the current one, and the one that is filled after it if it is kept.
func removeOthers(dir string, current int, kept bool) error {
	folders, err := filepath.Glob(filepath.Join(dir, contentPrefix+"*"))
	if err != nil {
		return err
	}
	for _, f := range folders {
		if f != contentDir(dir, current) && !(kept && f == contentDir(dir, current+1)) {
			if err := os.RemoveAll(f); err != nil {
				return err
			}
		}
	}
	if current == 0 {
		return nil
	}
	return removeContent(dir, 0)
}

// removeContent removes the files of content n.
func removeContent(dir string, n int) error {
	if n > 0 {
		return os.RemoveAll(contentDir(dir, n))
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range entries {
		switch f.Name() {
		case currentName, currentName + ".tmp", keptName, keptName + ".tmp":
			continue
		}
		if f.IsDir() {
			continue
		}
		if err := os.Remove(filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}
