package command

import (
	"context"
	"strings"
	"testing"
)

// What was called in a way that it cannot be says how it can; what was called well and failed does not.
func TestUsage(t *testing.T) {
	run := func(args ...string) string {
		cmd := Root()
		cmd.SetArgs(args)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		err := execute(context.Background(), cmd)
		if err == nil {
			t.Fatalf("%v: no error", args)
		}
		return err.Error()
	}
	const usage = "\nusage: dragg cluster move PREDICATE GROUP [flags] (dragg cluster move --help says more)"
	for _, args := range [][]string{{"name"}, {"name", "2", "3"}, {"--no-such-flag"}, {"name", "2", "--namespace", "x"}} {
		if got := run(append([]string{"cluster", "move"}, args...)...); !strings.HasSuffix(got, usage) {
			t.Errorf("%v: %s", args, got)
		}
	}
	if got := run("cluster", "move", "name", "x"); strings.Contains(got, "usage") {
		t.Error(got)
	}
}

// Where nobody serves, the error says which flag names the place.
func TestAlphaIsNotReached(t *testing.T) {
	_, err := dragg("query", "{ q(func: uid(1)) { uid } }", "--alpha", "localhost:1")
	if err == nil || !strings.HasPrefix(err.Error(), "--alpha localhost:1 is not reached") {
		t.Error(err)
	}
}
