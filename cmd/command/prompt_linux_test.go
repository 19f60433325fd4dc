package command

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// promptWait bounds how long a prompt may take to show something.
const promptWait = 10 * time.Second

// askAt names the environment variable that makes the test binary the command itself, with a prompt for the Alpha it names.
const askAt = "DRAGG_TEST_PROMPT_AT"

// This is the command when the test below starts it, and nothing otherwise.
func TestPromptProcess(*testing.T) {
	address := os.Getenv(askAt)
	if address == "" {
		return
	}
	root := Root()
	root.SetArgs([]string{"query", "--alpha", address})
	os.Exit(Main(root))
}

// screen is a pseudo-terminal with a program on it.
type screen struct {
	keys   *os.File
	cmd    *exec.Cmd
	before *unix.Termios // when the program began

	mu    sync.Mutex
	shown strings.Builder // guarded by mu
	at    int             // up to where see has looked
	ended chan struct{}   // closed when nothing more is shown
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.Write(b)
}

// openScreen starts a program on a terminal of 24 lines and 80 columns.
func openScreen(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal("a pseudo-terminal: ", err)
	}
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	size := &unix.Winsize{Row: 24, Col: 80}
	if err := errors.Join(unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0),
		unix.IoctlSetWinsize(int(keys.Fd()), unix.TIOCSWINSZ, size)); err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := errors.Join(cmd.Start(), tty.Close()); err != nil {
		t.Fatal(err)
	}
	s := &screen{keys: keys, cmd: cmd, before: before, ended: make(chan struct{})}
	go func() {
		defer close(s.ended)
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			if _, werr := s.Write(b[:n]); err != nil || werr != nil {
				return // the program has ended
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended unless the test failed
		<-s.ended
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// see waits until a text is shown, after what was seen before.
func (s *screen) see(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(promptWait)
	for {
		s.mu.Lock()
		shown := s.shown.String()
		i := strings.Index(shown[s.at:], text)
		if i >= 0 {
			s.at += i + len(text)
		}
		s.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%q is not shown, but\n%q", text, shown)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *screen) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.keys.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// Goal: on a terminal the command is a prompt: lines until braces close, history also of earlier runs, Ctrl-C for the line or for
// the query that runs, Ctrl-D for the end. Method: the command in a process of its own on a pseudo-terminal.
func TestPromptOnATerminal(t *testing.T) {
	alpha, address := fakeAlpha(t)
	state := t.TempDir()
	start := func() *screen {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPromptProcess$")
		cmd.Env = append(os.Environ(), askAt+"="+address, "XDG_STATE_HOME="+state, "TERM=xterm")
		s := openScreen(t, cmd)
		s.see(t, "Ctrl-D ends.")
		return s
	}
	end := func(s *screen) {
		s.press(t, "\x04")
		if err := s.cmd.Wait(); err != nil {
			t.Fatalf("it ended with %v\n%s", err, s.shown.String())
		}
		<-s.ended
	}
	const up, ctrlC = "\x1b[A", "\x03"

	s := start()
	s.see(t, "dragg> ")
	s.press(t, "{\r")
	s.see(t, "...")
	s.press(t, "one\ttwo }\r")
	s.see(t, `"text": "{ one two }"`)
	s.see(t, "s)\r\n") // how long it took

	s.press(t, "{ dropped"+ctrlC)
	s.see(t, "^C")
	s.press(t, "\r{\r bad() }\r")
	s.see(t, "line 2 column 4: bad\r\n   bad() }\r\n     ^\r\n")

	s.press(t, "{ slow }\r")
	if got := <-alpha.slow; got != "asked" {
		t.Fatal(got)
	}
	s.press(t, ctrlC)
	s.see(t, "cancelled")
	if got := <-alpha.slow; got != "gone" {
		t.Fatal(got)
	}
	s.press(t, `\schema`+"\r")
	s.see(t, "name: string .")
	end(s)

	s = start()
	s.press(t, up+up+up+up)
	s.see(t, "{ one  two }")
	s.press(t, "\r")
	s.see(t, `"text": "{ one two }"`)
	end(s)

	text, err := os.ReadFile(filepath.Join(state, "dragg", "history"))
	if want := "{ one  two }\n{ bad() }\n{ slow }\n\\schema\n{ one  two }\n"; err != nil || string(text) != want {
		t.Errorf("history %q: %v", text, err)
	}
}

// Goal: a prompt that is told to end gives the terminal back. Method: SIGTERM while it waits for a line.
func TestPromptGivesTheTerminalBack(t *testing.T) {
	_, address := fakeAlpha(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestPromptProcess$")
	cmd.Env = append(os.Environ(), askAt+"="+address, "XDG_STATE_HOME="+t.TempDir(), "TERM=xterm")
	s := openScreen(t, cmd)
	s.see(t, "dragg> ")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	after, err := unix.IoctlGetTermios(int(s.keys.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	if s.before.Lflag != after.Lflag {
		t.Errorf("flags %x before, %x after", s.before.Lflag, after.Lflag)
	}
}
