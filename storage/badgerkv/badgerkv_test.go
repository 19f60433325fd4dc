package badgerkv_test

import (
	"testing"

	"dragg/storage"
	"dragg/storage/badgerkv"
	"dragg/storage/storagetest"
)

// small is a configuration that makes memtables rotate within a test.
func small() badgerkv.Config {
	return badgerkv.Config{MemoryBytes: 64 << 20, ReserveBytes: 1 << 20, DeletesPerSecond: 1 << 20}
}

func open(t *testing.T, dir string) *badgerkv.Engine {
	t.Helper()
	e, err := badgerkv.Open(dir, small())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	storagetest.Run(t, func(t *testing.T, dir string) storage.Engine { return open(t, dir) })
}
