package badgerkv

// What a Replace leaves behind that was cut off, and what happens to readers that are still there.

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"dragg/graph"
	"dragg/storage"
)

func set(t *testing.T, e storage.Engine, key string, ts graph.Timestamp) {
	t.Helper()
	if err := e.Write(t.Context(), &storage.Batch{Ops: []storage.Op{{Key: []byte(key), Value: []byte("v"), Ts: ts}}}); err != nil {
		t.Fatal(err)
	}
}

// copyTree copies a folder with what is below it, holes as holes, as the next process would find it after a kill at this moment.
func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		target := filepath.Join(to, name[len(from):])
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(target, 0o755))
		}
		return copySparse(name, target)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	size, err := in.Seek(0, io.SeekEnd)
	if err == nil {
		err = out.Truncate(size)
	}
	for at := int64(0); err == nil && at < size; {
		var end int64
		if at, err = unix.Seek(int(in.Fd()), at, unix.SEEK_DATA); errors.Is(err, unix.ENXIO) {
			err = nil // no more data
			break
		}
		if err == nil {
			end, err = unix.Seek(int(in.Fd()), at, unix.SEEK_HOLE)
		}
		if err == nil {
			_, err = io.Copy(io.NewOffsetWriter(out, at), io.NewSectionReader(in, at, end-at))
			at = end
		}
	}
	return errors.Join(err, in.Close(), out.Close())
}

func folders(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, contentPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestKilledDuringReplace(t *testing.T) {
	dir := t.TempDir()
	e := openIn(t, dir, smallConfig())
	set(t, e, "old", 1)
	var amid, before string
	r := e.ReaderAt(9) // the old content stays for it
	for range 2 {
		err := e.Replace(t.Context(), func(next storage.Engine) error {
			set(t, next, "new", 1)
			if amid == "" {
				amid = copyTree(t, dir)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if before == "" {
			before = copyTree(t, dir) // the old content is not removed yet
		}
	}
	for what, c := range map[string]struct {
		dir     string
		old     bool
		folders int
	}{"amid the filling": {amid, true, 0}, "before the old content was removed": {before, false, 1}} {
		next := openIn(t, c.dir, smallConfig())
		if has(t, next, "old", 9) != c.old || has(t, next, "new", 9) == c.old || len(folders(t, c.dir)) != c.folders {
			t.Errorf("killed %s: old %v, new %v, folders %v", what, has(t, next, "old", 9), has(t, next, "new", 9), folders(t, c.dir))
		}
	}
	if err := r.Versions([]byte("old"), func(graph.Timestamp, storage.Version) bool { return true }); err != nil {
		t.Errorf("a reader of the old content: %v", err)
	}
	r.Close()
	e.work.Wait()
	if left := folders(t, dir); len(left) != 1 {
		t.Errorf("folders %v are left", left)
	}
	if mem, err := filepath.Glob(filepath.Join(dir, "*.mem")); err != nil || len(mem) > 0 {
		t.Errorf("%v, %v are left of the first content", mem, err)
	}
	if n, err := OpenBytes(dir); err != nil || n == 0 {
		t.Errorf("opening needs %d bytes, %v", n, err)
	}
}

func TestDamagedCurrent(t *testing.T) {
	for _, text := range []string{"", "x", "0", "-1", "7\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, currentName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, smallConfig()); err == nil {
			t.Errorf("a store whose current content is %q was opened", text)
		}
	}
}
