package command

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Goal: flags that cannot work are refused at once, by name, and nothing is made or joined before. Method: each with the command; the
// address of the Zero is one where nobody is, so that what is not refused would wait.
func TestFlagsThatCannotWork(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"alpha --zero nonsense":                    `--zero: "nonsense" is not host:port`,
		"alpha --zero z:5080,:5080":                `--zero: ":5080" is not host:port: there is no host`,
		"alpha --zero z:5080,z:5080":               "--zero: z:5080 stands there twice",
		"alpha --zero=":                            "--zero: name a Zero at least",
		"alpha --my a:seventy":                     "--my: \"a:seventy\" is not host:port: the port is a number",
		"alpha --my a:0":                           "the port is a number from 1 to 65535",
		"alpha --max-staleness 10ms":               "--max-staleness 10ms: it is at least 1s",
		"alpha --max-staleness -1s":                "--max-staleness -1s: it is at least 1s",
		"alpha --memory-limit 1KiB":                "--memory-limit must be at least 64MiB",
		"alpha --disk-reserve 1KiB":                "--disk-reserve must be at least 128MiB",
		"zero --zeros a,,b":                        `--zeros: "a" is not host:port`,
		"zero --zeros a:1,b:1,a:1":                 "--zeros: a:1 stands there twice",
		"zero --peer nonsense":                     `--peer: "nonsense" is not host:port`,
		"zero --idx 0":                             "--idx: Zeros are numbered from 1",
		"zero --replicas -3":                       "--replicas -3: it cannot be below 0",
		"zero --rebalance-interval -1s":            "--rebalance-interval -1s: it cannot be below 0",
		"zero --idx 0 --replicas -1":               "--replicas -1",
		"up --zeros 2":                             "--zeros 2: take 1, 3 or 5",
		"up --zeros 0":                             "each must be at least 1",
		"up --groups 101":                          "at most 100",
		"up --zeros 3 --cpu-profile " + dir + "/p": "--cpu-profile is of one process",
		"up --zeros 3 --example " + dir:            "--example needs a database in one process",
		"up --max-staleness 10ms":                  "--max-staleness 10ms",
		"up --port-offset 70000":                   "--port-offset shifts all ports",
		"up --data " + file:                        "is no folder",
	} {
		fields := strings.Fields(args)
		if !slices.Contains(fields, "--data") {
			fields = append(fields, "--data", filepath.Join(dir, "new"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		cmd := Root()
		cmd.SetArgs(fields)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		if err := cmd.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", args, err, want)
		}
		cancel()
		if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
			t.Fatalf("%s: something was made", args)
		}
	}
}

// What somebody says of Alphas to dragg up reaches every Alpha of a local cluster, exactly, and nothing else does.
func TestLocalClusterPassesFlagsOn(t *testing.T) {
	cmd := Up()
	if err := cmd.ParseFlags([]string{"--max-staleness", "7s", "--limit-request", "1500000", "--log-level", "warn", "--groups", "2"}); err != nil {
		t.Fatal(err)
	}
	got := passed(cmd.Flags(), &alphaFlags{})
	slices.Sort(got)
	if want := []string{"--limit-request=1500000", "--max-staleness=7s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Goal: a port that is taken is told before anything is made, waited for or joined. Method: an Alpha whose Zero is away, and whose
// port somebody has.
func TestTakenPort(t *testing.T) {
	on, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := on.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, port, err := net.SplitHostPort(on.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	f := &serverFlags{log: logFlags{"error", "text"}, data: filepath.Join(t.TempDir(), "new"), bind: "localhost", offset: n - alphaNodePort}
	err = runAlpha(ctx, f, &alphaFlags{}, []string{"localhost:1"}, os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "address already in use") || ctx.Err() != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.data); err == nil {
		t.Error("a folder was made")
	}
}

// Goal: a folder is for one process: a second one is turned away before it says anywhere that it is this node, and may come when the
// first has gone.
func TestFolderIsForOneProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := hold(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold(dir); err == nil || !strings.Contains(err.Error(), "another process runs on "+dir) {
		t.Errorf("a second one: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	f := &serverFlags{log: logFlags{"error", "text"}, data: dir, bind: "localhost", offset: 20000}
	if err := runAlpha(ctx, f, &alphaFlags{}, []string{"localhost:1"}, os.Stderr); err == nil || !strings.Contains(err.Error(), "another process runs on") {
		t.Errorf("an Alpha: %v", err)
	}
	if err := runZero(ctx, f, &zeroFlags{id: 1}, os.Stderr); err == nil || !strings.Contains(err.Error(), "another process runs on") {
		t.Errorf("a Zero: %v", err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	again, err := hold(dir)
	if err := errors.Join(err, again.release()); err != nil {
		t.Error(err)
	}
}

// dragg up does not begin an empty database beside the data of another kind, nor a cluster without some of its nodes.
func TestUpKnowsItsFolder(t *testing.T) {
	in := func(names ...string) string {
		dir := t.TempDir()
		for _, name := range names {
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	three := &localFlags{zeros: 3, groups: 1, replicas: 3}
	for _, c := range []struct {
		what string
		err  error
		want string // "" for nothing
	}{
		{"new", forOne(in()), ""},
		{"its own", forOne(in("zero", "alpha")), ""},
		{"that is not there", forOne(filepath.Join(in(), "no")), ""},
		{"of a node", forOne(in("wal", "p")), "a node that runs alone"},
		{"of a cluster", forOne(in("zero1", "alpha1")), "start it with --zeros"},
		{"new, for a cluster", three.forSeveral(in()), ""},
		{"of that cluster", three.forSeveral(in("zero1", "zero2", "zero3", "alpha1", "alpha2", "alpha3")), ""},
		{"of fewer", three.forSeveral(in("zero1", "alpha1")), ""},
		{"of more Alphas", three.forSeveral(in("zero1", "alpha1", "alpha4")), "must be at least 4"},
		{"of more Zeros", three.forSeveral(in("zero1", "zero4")), "--zeros must be at least 4"},
		{"of one process", three.forSeveral(in("zero", "alpha")), "leave out --zeros"},
	} {
		if c.want == "" && c.err != nil || c.want != "" && (c.err == nil || !strings.Contains(c.err.Error(), c.want)) {
			t.Errorf("a folder %s: %v, want %q", c.what, c.err, c.want)
		}
	}
}
