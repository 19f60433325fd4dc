package badgerkv

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
)

// removeStillborn deletes memtable files of no length: a process that was killed between making one and giving it its size
// left them, and Badger refuses to open beside them. There is nothing in them.
func removeStillborn(dir string, lg *slog.Logger) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.mem"))
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return err
		}
		if info.Size() > 0 {
			continue
		}
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("removing an empty memtable file: %w", err)
		}
		lg.Warn("removed a memtable file that a killed process had just made", "file", f)
	}
	return nil
}
