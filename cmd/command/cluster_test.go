package command

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"dragg/cluster/admin"
	"dragg/protos/pb"
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
	r, err := z.ChangeSchema(ctx, &pb.Alter{Predicates: []*pb.PredicateChange{
		{Predicate: "name", Schema: []byte("s"), Group: 1}, {Predicate: "film", Schema: []byte("s"), Group: 1},
	}})
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
		{"tablets", []string{"PREDICATE  GROUP  SIZE     EPOCH  MOVING-TO\n", "name       1      1.5 MiB  ", "film       1      -        "}, false},
		{"remove 9", []string{"!there is no Alpha 9", "!(not_found)"}, true},
		{"remove x", []string{`!NODE: "x" is no number`}, true},
		{"remove 3", []string{"Node 3 at a3:7080 was removed from group 2.\n"}, false},
		{"nodes", []string{"3   alpha  2      a3:7080  removed   -\n"}, false},
		{"promote 0 1", []string{"Node 1 leads group 0.\n"}, false},
		{"promote 1 1", []string{"!this Zero has no way to other nodes (disabled)"}, true},
		{"promote x y", []string{"!GROUP: \"x\"", "!NODE: \"y\""}, true},
		{"promote 1", []string{"!accepts 2 arg(s)"}, true},
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

// Whoever asks something that is not a Zero, or nobody, is told so.
func TestClusterWithoutZero(t *testing.T) {
	s := httptest.NewServer(nil)
	defer s.Close()
	if _, err := dragg("cluster", "nodes", "--zero", s.URL); err == nil || !strings.Contains(err.Error(), "is it the HTTP port of a Zero?") {
		t.Error(err)
	}
	s.Close()
	if _, err := dragg("cluster", "nodes", "--zero", s.URL); err == nil || !strings.Contains(err.Error(), "--zero: ") {
		t.Error(err)
	}
}
