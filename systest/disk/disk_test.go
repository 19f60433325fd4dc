//go:build linux

package disk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	roleEnv = "DRAGG_DISK_TEST_FILE"
	rounds  = 20
)

func TestMain(m *testing.M) {
	if err := Become(); err != nil {
		fmt.Println(err)
		return
	}
	if name := os.Getenv(roleEnv); name != "" {
		syncs(name)
		return
	}
	m.Run()
}

// syncs is the program under test: it writes and syncs, says how long each sync took and how it ended.
func syncs(name string) {
	f, err := os.Create(name)
	for range rounds {
		if err == nil {
			_, err = f.WriteString("x")
		}
		began := time.Now()
		synced := f.Sync()
		fmt.Println(time.Since(began).Milliseconds(), errors.Is(synced, unix.EIO), synced, err)
		time.Sleep(10 * time.Millisecond)
	}
}

// Goal: syncs of the process alone meet what the disk is said to be, each condition for as long as it holds. Method: a program that
// syncs and says how that went, under each condition.
func TestConditions(t *testing.T) {
	for what, c := range map[string]struct {
		Condition
		least time.Duration
		fails bool
	}{
		"sound": {}, "slow": {Condition{Delay: 30 * time.Millisecond}, 30 * time.Millisecond, false},
		"failing": {Condition{Error: unix.EIO}, 0, true}, "slow and failing": {Condition{20 * time.Millisecond, unix.EIO}, 20 * time.Millisecond, true},
	} {
		d, err := New(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.Set(c.Condition)
		cmd, out := exec.Command(d.self), strings.Builder{}
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), roleEnv+"="+filepath.Join(t.TempDir(), "f")), &out, &out
		if err := d.Start(cmd); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", what, err, out.String())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		for _, line := range lines {
			var took int64
			var fails bool
			if _, err := fmt.Sscan(line, &took, &fails); err != nil || fails != c.fails || took < c.least.Milliseconds() {
				t.Errorf("%s: %s, %v", what, line, err)
			}
		}
		if len(lines) != rounds || d.Syncs() != rounds {
			t.Errorf("%s: %d syncs were seen of %d", what, d.Syncs(), len(lines))
		}
		d.Close()
	}
}
