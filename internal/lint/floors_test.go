package lint

import (
	"strings"
	"testing"
)

// floors orders the packages: a package imports only packages of lower floors. ARCHITECTURE.md draws the picture.
var floors = map[string]int{
	"graph/geo": 0, "internal/fault": 0, "internal/gather": 0, "internal/metrics": 0, "internal/live": 0, "internal/sleep": 0, "internal/slab": 0, "internal/pings": 0,
	"graph/types": 5,
	"graph":       10, "protos/pb": 10, "schema/tok": 10,
	"posting/uidset": 15,
	"posting/keys":   20, "schema": 20, "dql": 20, "mutation/nquad": 20, "query/task": 20, "storage": 20, "storage/room": 20, "cluster/rpc": 20, "raftgroup/fsm": 20,
	"storage/storagetest": 25, "raftgroup/fsm/fsmtest": 25,
	"posting": 30, "storage/badgerkv": 30, "storage/memkv": 30, "query/arith": 30, "cluster/wire": 30, "query/answer": 30,
	"raftgroup/raftlog": 30, "raftgroup/transport": 30, "zero/oracle": 30,
	"query": 40, "mutation": 40, "alpha/lookup": 40, "raftgroup": 40, "cluster": 40, "zero/state": 40, "zero/placement": 40,
	"alpha/shard": 45,
	"alpha/move":  50,
	"load/live":   50, "cluster/admin": 50, "fsck": 50, "cmd/prompt": 50,
	"alpha": 60, "zero": 60,
	"cmd/command": 70, "cmd/zero": 75, "cmd/alpha": 75, "cmd/dragg": 75,
	"systest/history": 76, "systest/mesh": 76, "systest/disk": 76, "systest/cycle": 77, "systest/workload": 78,
	"systest": 80, "systest/sim": 82, "deploy": 80, "internal/lint": 90,
}

// Every package has a floor, and imports only from below it.
func TestImportsGoDown(t *testing.T) {
	for _, f := range source(t) {
		if strings.HasPrefix(f.pkg, "tools") || strings.HasPrefix(f.pkg, "examples") || f.pkg == "." {
			continue
		}
		floor, ok := floorOf(f.pkg)
		if !ok {
			t.Errorf("%s: package %s has no floor: give it one in internal/lint", f.path, f.pkg)
			continue
		}
		for _, imp := range f.syntax.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			pkg, ours := strings.CutPrefix(path, module+"/")
			if !ours || pkg == f.pkg {
				continue
			}
			below, ok := floorOf(pkg)
			switch {
			case !ok:
				t.Errorf("%s imports %s, which has no floor", f.path, pkg)
			case f.test:
				// Tests may use twins and conformance suites of their own floor and of those above.
			case below >= floor:
				t.Errorf("%s (floor %d) imports %s (floor %d): imports go down", f.path, floor, pkg, below)
			}
		}
	}
}

func floorOf(pkg string) (int, bool) {
	if f, ok := floors[pkg]; ok {
		return f, true
	}
	if strings.HasPrefix(pkg, "systest/") {
		return floors["systest"], true
	}
	return 0, false
}

// A package that does two things is named after neither.
func TestNoGrabBags(t *testing.T) {
	for _, f := range source(t) {
		for _, part := range strings.Split(f.pkg, "/") {
			switch part {
			case "util", "utils", "common", "x", "base", "helper", "helpers", "misc", "lib":
				t.Errorf("%s: a package called %s has no one idea", f.path, part)
			}
		}
	}
}
