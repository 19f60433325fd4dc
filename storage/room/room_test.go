package room

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFree(t *testing.T) {
	free, err := Free(t.TempDir())
	if err != nil || free <= 0 {
		t.Errorf("%d bytes free: %v", free, err)
	}
	if _, err := Free(filepath.Join(t.TempDir(), "nowhere")); err == nil {
		t.Error("a folder that is not there has room")
	}
}

// Await looks at the folder that will hold dir, says once that it waits, and gives up with the context.
func TestAwait(t *testing.T) {
	var log bytes.Buffer
	lg := slog.New(slog.NewTextHandler(&log, nil))
	dir := filepath.Join(t.TempDir(), "not", "made", "yet")
	if err := Await(t.Context(), dir, 1, lg); err != nil || log.Len() > 0 {
		t.Errorf("%v %s", err, &log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*awaitInterval)
	defer cancel()
	began := time.Now()
	if err := Await(ctx, dir, math.MaxInt64, lg); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) < awaitInterval {
		t.Errorf("%v", err)
	}
	if strings.Count(log.String(), "the disk is full") != 1 {
		t.Errorf("the log says: %s", &log)
	}
}
