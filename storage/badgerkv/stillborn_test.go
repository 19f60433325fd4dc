package badgerkv

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"dragg/graph"
	"dragg/storage"
)

// A process that is killed just after it made a memtable file leaves one without a length; the store opens all the same, and
// what was written before is there.
func TestOpensBesideAStillbornMemtable(t *testing.T) {
	dir := t.TempDir()
	e, err := Open(dir, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var b storage.Batch
	b.SetComplete([]byte("key"), []byte("value"), 5)
	if err := e.Write(context.Background(), &b); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "00099.mem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err = Open(dir, Config{}); err != nil {
		t.Fatal(err)
	}
	r := e.ReaderAt(10)
	found := false
	err = r.Versions([]byte("key"), func(ts graph.Timestamp, v storage.Version) bool {
		found = ts == 5 && bytes.Equal(v.Value, []byte("value"))
		return true
	})
	r.Close()
	if err != nil || !found {
		t.Errorf("found %v, %v", found, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}
