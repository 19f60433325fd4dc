//go:build systest

package systest

import (
	"os/exec"
	"testing"
)

// load runs dragg live against d and returns what it printed.
func load(t testing.TB, d *Dragg, args ...string) string {
	t.Helper()
	out, err := exec.Command(d.Bin, append([]string{"live", "--alpha", d.GRPC()}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("dragg live: %v\n%s", err, out)
	}
	return string(out)
}
