package badgerkv

// What a Replace leaves behind that was cut off, and what happens to readers that are still there.

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
		err := e.Replace(t.Context(), nil, func(next storage.Filling) error {
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

// Goal: a kill or a loss of power at any moment leaves the old content, and what is kept as of its note or nothing. Method: copies of
// the folder at each step of a Replace that keeps, fails and goes on.
func TestKilledWhileKeeping(t *testing.T) {
	dir := t.TempDir()
	e := openIn(t, dir, smallConfig())
	set(t, e, "old", 1)
	type moment struct{ dir, kept, has, old string }
	var moments []moment
	note := func(next storage.Filling, text string) {
		t.Helper()
		if err := next.Keep(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	at := func(kept, has, old string) { moments = append(moments, moment{copyTree(t, dir), kept, has, old}) }
	err := e.Replace(t.Context(), nil, func(next storage.Filling) error {
		set(t, next, "a", 1)
		at("", "", "old")
		note(next, "1")
		at("1", "a", "old")
		set(t, next, "b", 1)
		note(next, "2")
		at("2", "b", "old")
		return io.ErrUnexpectedEOF
	})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatal(err)
	}
	at("2", "b", "old")
	r := e.ReaderAt(9) // the old content stays for it, so that the folder stands still
	defer r.Close()
	err = e.Replace(t.Context(), []byte("2"), func(next storage.Filling) error {
		at("2", "b", "old")
		set(t, next, "c", 1)
		note(next, "3")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	at("", "", "c")
	for i, m := range moments {
		next := openIn(t, m.dir, smallConfig())
		if got := string(next.Kept()); got != m.kept || !has(t, next, m.old, 9) {
			t.Errorf("moment %d: kept %q, want %q", i, got, m.kept)
		}
		if m.kept == "" {
			continue
		}
		if err := next.Replace(t.Context(), next.Kept(), func(next storage.Filling) error {
			if !has(t, next, m.has, 9) {
				t.Errorf("moment %d: %q is not there", i, m.has)
			}
			return nil
		}); err != nil {
			t.Errorf("moment %d: %v", i, err)
		}
	}
}

// What is kept of a transfer counts only whole: a damaged note, or one of a content that is gone, is removed, and so is the content.
func TestDamagedKept(t *testing.T) {
	golden := "44524147474b" + "0001" + "21bb808d" + "0000000000000001" + "616263"
	if got := hex.EncodeToString(encodeKept(1, []byte("abc"))); got != golden {
		t.Errorf("the file is %s, want %s", got, golden)
	}
	good := encodeKept(1, []byte("abc"))
	bad := map[string][]byte{"empty": {}, "cut off": good[:len(good)-1], "head": good[:8], "of another content": encodeKept(7, []byte("abc"))}
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 1
		bad[fmt.Sprint("byte ", i)] = b
	}
	for what, b := range bad {
		dir := t.TempDir()
		if err := errors.Join(os.Mkdir(contentDir(dir, 1), 0o700), os.WriteFile(filepath.Join(dir, keptName), b, 0o600)); err != nil {
			t.Fatal(err)
		}
		e := openIn(t, dir, smallConfig())
		if _, err := os.Stat(filepath.Join(dir, keptName)); e.Kept() != nil || len(folders(t, dir)) > 0 || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: kept %q, folders %v", what, e.Kept(), folders(t, dir))
		}
	}
	// A content that cannot be opened is given up when it is gone on with.
	dir := t.TempDir()
	folder := contentDir(dir, 1)
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(dir, keptName), good, 0o600),
		os.WriteFile(filepath.Join(folder, "MANIFEST"), []byte("garbage"), 0o600)); err != nil {
		t.Fatal(err)
	}
	e := openIn(t, dir, smallConfig())
	if err := e.Replace(t.Context(), []byte("abc"), nil); !errors.Is(err, storage.ErrNoteGone) || e.Kept() != nil || len(folders(t, dir)) > 0 {
		t.Errorf("%v, kept %q, folders %v", err, e.Kept(), folders(t, dir))
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
