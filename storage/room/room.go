// Package room tells how much room a disk has, and waits for it.
//
// A full disk must be seen before it is full: the storage engine maps sparse files, and touching a page of one that the disk
// has no block for ends the process; and a write-ahead log that cannot be written ends it as well. So whoever is about to
// write asks here first.
package room

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes may still be written to the disk that dir is on.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// awaitInterval is how often Await looks.
const awaitInterval = 200 * time.Millisecond

// Await returns once the disk that dir is or will be on has need bytes free, or ctx ends. It says that it waits once.
func Await(ctx context.Context, dir string, need int64, lg *slog.Logger) error {
	there, err := existing(dir)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(awaitInterval)
	defer ticker.Stop()
	for waiting := false; ; waiting = true {
		free, err := Free(there)
		if err != nil {
			return err
		}
		if free >= need {
			if waiting {
				lg.Info("there is room on the disk again", "dir", dir, "free_mib", free>>20)
			}
			return nil
		}
		if !waiting {
			lg.Error("the disk is full: waiting for room before the data are opened", "dir", dir, "free_mib", free>>20, "need_mib", need>>20)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// existing returns dir, or the nearest folder above it that exists.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir, err
		}
		dir = filepath.Dir(dir)
	}
}
