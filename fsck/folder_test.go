package fsck

import (
	"path/filepath"
	"strings"
	"testing"

	"dragg/raftgroup/raftlog"
)

// The folder of another kind of node is told from damage, and from data that are whole.
func TestFolderOfAnotherKind(t *testing.T) {
	node := func(group uint32) string {
		dir := t.TempDir()
		l, _, err := raftlog.Create(filepath.Join(dir, "wal"), raftlog.Identity{Cluster: "c", Group: group, Node: 3}, raftlog.Mark{})
		if err == nil {
			err = l.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	for want, folder := range map[string]Folder{
		"is the folder of Zero 3, not of an alpha": {Alpha: node(0)},
		"is the folder of Alpha 3, not of a Zero":  {Alpha: node(1), Zero: node(2)},
	} {
		_, err := Run(t.Context(), Config{}, folder, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
