package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"dragg/cluster/admin"
	"dragg/graph"
	"dragg/graph/types"
	"dragg/protos/pb"
	"dragg/schema"
	"dragg/zero"
)

// someZero is a Zero over HTTP, with three Alphas that joined, in groups of two, and a tablet.
func someZero(t *testing.T) (address string) {
	t.Helper()
	z, err := zero.Open(context.Background(), zero.Config{Dir: t.TempDir(), My: "z:5080", Replicas: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- z.Run(ctx) }()
	<-z.Ready()
	for i, address := range []string{"a1:7080", "a2:7080", "a3:7080"} {
		if _, err := z.Connect(ctx, &pb.Join{Address: address, Nonce: uint64(i + 1)}); err != nil {
			t.Fatal(err)
		}
	}
	define := func(name string) *pb.PredicateChange {
		p := &schema.Predicate{Name: graph.Pred(name), Type: types.String}
		return &pb.PredicateChange{Predicate: name, Schema: p.AppendBinary(nil), Group: 1}
	}
	r, err := z.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{define("name"), define("film")}})
	if err != nil {
		t.Fatal(err)
	}
	report := &pb.GroupReport{Group: 1, Leader: 2, Tablets: []*pb.TabletLoad{{Incarnation: r.Tablets[0].Incarnation, Bytes: 3 << 19}}}
	if err := z.Report(ctx, report); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(z.Handler())
	t.Cleanup(func() {
		s.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s.URL
}

// dragg runs a command and returns what it prints.
func dragg(args ...string) (string, error) {
	cmd, out := Root(), &bytes.Buffer{}
	cmd.SetArgs(args)
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

// Goal: people read tables, programs JSON, and whoever asks for something wrong is told what. Method: every command against a Zero in
// this process.
func TestClusterCommands(t *testing.T) {
	at := someZero(t)
	for _, c := range []struct {
		args  string
		want  []string // of the output; one beginning with ! of the error
		empty bool
	}{
		{"status", []string{
			": 1 Zeros, 2 groups of up to 2 voters, 3 Alphas, 2 tablets.", "GROUP  LEADER  VOTERS  LEARNERS  TABLETS  SIZE\n",
			"0      1       1       -         0        0 B\n", "1      2       1,2     -         2        1.5 MiB\n",
			"2      -       3       -         0        0 B\n", "! Group 1 has 2 voters", "! Node 3 of group 2 at a3:7080 does not answer.", "! Nobody says that he leads group 2 yet",
		}, false},
		{"nodes", []string{"ID  KIND   GROUP  ADDRESS  ROLE      NOTES\n", "1   zero   0      z:5080   leader    -\n", "3   alpha  2      a3:7080  follower  does not answer\n"}, false},
		{"groups", []string{"1      2       1,2     -         2        1.5 MiB\n"}, false},
		{"tablets", []string{"PREDICATE  GROUP  SIZE     LOAD  EPOCH  MOVING-TO\n", "name       1      1.5 MiB  ", "film       1      -        "}, false},
		{"remove 9", []string{"!there is no Alpha 9", "!(not_found)"}, true},
		{"remove 1 --kind zero", []string{"!is the last replica of group 0", "!(invalid)"}, true},
		{"remove 1 --kind one", []string{"!kind: it is alpha or zero"}, true},
		{"remove x", []string{`!NODE: "x" is no number`}, true},
		{"remove 3", []string{"Node 3 at a3:7080 was removed from group 2.\n"}, false},
		{"nodes", []string{"3   alpha  2      a3:7080  removed   -\n"}, false},
		{"promote 0 1", []string{"Node 1 leads group 0.\n"}, false},
		{"promote 1 1", []string{"!this Zero has no way to other nodes (disabled)"}, true},
		{"promote x y", []string{"!GROUP: \"x\"", "!NODE: \"y\""}, true},
		{"promote 1", []string{"!accepts 2 arg(s)"}, true},
		{"add", []string{"dragg alpha --zero z:5080 --my HOST:7080 --data DIR\n", "an empty folder for DIR"}, false},
		{"add --group 1", []string{"!group: group 1 is full"}, true},
		{"moves", []string{"MOVE  PREDICATE  FROM  TO  PHASE  STEP  RECEIVED  TRIES  SINCE\n"}, false},
		{"rebalance policy", []string{"STATE  INTERVAL  LEAST-GAIN  LEAST-BYTES\n", "on     8m0s      3.0 %       64.0 MiB\n"}, false},
		{"rebalance policy --off --interval 90s --least-gain 5 --least-bytes 1GiB", []string{"off    1m30s     0.5 %       1.0 GiB\n"}, false},
		{"rebalance policy --least-gain 7", []string{"off    1m30s     0.7 %       1.0 GiB\n"}, false},
		{"rebalance policy --on --off", []string{"!none of the others can be"}, true},
		{"rebalance policy --interval 1ms", []string{"!interval_ms: it must be between 1000 and"}, true},
		{"rebalance plan", []string{
			"PREDICATE  FROM  TO  SIZE  GAIN  WHY\n", "! what 2 tablets weigh is not known yet, film among them\n",
			"! the policy is off: only dragg cluster rebalance run moves anything\n",
		}, false},
		{"rebalance run", []string{"!nothing can be moved now: what 2 tablets weigh", "!(conflict)"}, true},
		{"drain 1", []string{"Node 1 of group 1 is being drained; dragg cluster operations drain-1 says when that is done.\n"}, false},
		{"operations", []string{"ID       KIND   WHAT               STATE  TOOK  WHY\n", "drain-1  drain  node 1 of group 1  done"}, false},
		{"undrain 1", []string{"Node 1 of group 1 serves again.\n"}, false},
		{"undrain x", []string{`!NODE: "x" is no number: dragg cluster nodes`}, true},
		{"drain 9", []string{"!there is no Alpha 9"}, true},
		{"move name 9", []string{"!group: there is no group 9"}, true},
		{"move name x", []string{`!GROUP: "x" is no number`}, true},
		{"move nobody 1", []string{"!name: there is no predicate nobody"}, true},
		{"move a/b 1", []string{"!name: there is no predicate a/b"}, true},
		{"move name 1", []string{"!predicate name is in group 1 already (invalid)"}, true},
		{"cancel 99", []string{"!id: there is no move 99"}, true},
		{"operations 99", []string{"!no operation"}, true},
		{"statu", []string{"!unknown command \"statu\" for \"dragg cluster\""}, true},
		{"rebalance plans", []string{"!unknown command \"plans\" for \"dragg cluster rebalance\""}, true},
	} {
		out, err := dragg(append(append([]string{"cluster"}, strings.Fields(c.args)...), "--zero", at)...)
		for _, want := range c.want {
			text, where := want, out
			if wrong, ok := strings.CutPrefix(want, "!"); ok && c.empty {
				text, where = wrong, ""
				if err != nil {
					where = err.Error()
				}
			}
			if !strings.Contains(where, text) {
				t.Errorf("%s: no %q in\n%s%v", c.args, text, out, err)
			}
		}
		if (err != nil) != c.empty || (out == "") != c.empty {
			t.Errorf("%s: %v\n%s", c.args, err, out)
		}
	}
}

// With --json the answer is printed as it came.
func TestClusterJSON(t *testing.T) {
	at := someZero(t)
	out, err := dragg("cluster", "nodes", "--zero", strings.TrimPrefix(at, "http://"), "--json")
	var nodes admin.Nodes
	if err != nil || json.Unmarshal([]byte(out), &nodes) != nil || len(nodes.Nodes) != 4 {
		t.Errorf("%v %s", err, out)
	}
	out, err = dragg("cluster", "remove", "3", "--zero", at, "--json")
	var node admin.Node
	if err != nil || json.Unmarshal([]byte(out), &node) != nil || node.Address != "a3:7080" {
		t.Errorf("%v %s", err, out)
	}
}

// A move is begun, waited for, seen, cancelled, and found again; whoever waits is told how it ended.
func TestClusterMoves(t *testing.T) {
	at := someZero(t)
	run := func(args ...string) (string, error) {
		return dragg(append(append([]string{"cluster"}, args...), "--zero", at)...)
	}
	out, err := run("move", "name", "2", "--background")
	var id uint64
	if _, scan := fmt.Sscanf(out, "Move %d has begun", &id); err != nil || scan != nil {
		t.Fatalf("%v %s", err, out)
	}
	if out, err := run("moves"); err != nil || !strings.Contains(out, fmt.Sprintf("%d     name       1     2   copy   -     0 B       0      2", id)) {
		t.Errorf("%v %s", err, out)
	}
	waiting := make(chan error, 1)
	go func() {
		_, err := run("move", "name", "2") // the same move
		waiting <- err
	}()
	select {
	case err := <-waiting:
		t.Errorf("it did not wait: %v", err)
	case <-time.After(3 * watchInterval):
	}
	if out, err := run("cancel", fmt.Sprint(id), "--reason", "enough is enough"); err != nil || out != fmt.Sprintf("Move %d is over: predicate name stays in group 1.\n", id) {
		t.Errorf("%v %s", err, out)
	}
	if err := <-waiting; err == nil || err.Error() != "predicate name stays in group 1: enough is enough (cancelled)" {
		t.Error(err)
	}
	if out, err := run("operations", fmt.Sprint(id)); err != nil || !strings.Contains(out, "name: 1 to 2  failed") || !strings.Contains(out, "enough is enough\n") {
		t.Errorf("%v %s", err, out)
	}
	if _, err := run("cancel", fmt.Sprint(id)); err == nil || !strings.Contains(err.Error(), "is over already: cancelled (conflict)") {
		t.Error(err)
	}
}

// Whoever asks something that is not a Zero, or nobody, is told so.
func TestClusterWithoutZero(t *testing.T) {
	s := httptest.NewServer(nil)
	defer s.Close()
	if _, err := dragg("cluster", "nodes", "--zero", s.URL); err == nil || !strings.Contains(err.Error(), "is it the HTTP port of a Zero?") {
		t.Error(err)
	}
	s.Close()
	if _, err := dragg("cluster", "nodes", "--zero", s.URL); err == nil || !strings.Contains(err.Error(), "the HTTP port of a Zero (6080), is not reached: ") {
		t.Error(err)
	}
}
