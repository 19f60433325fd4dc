package command

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settings runs a command with a flag of each kind and returns what it saw.
func settings(t *testing.T, args []string, env map[string]string, file string) (string, error) {
	t.Helper()
	for name, value := range env {
		t.Setenv(name, value)
	}
	if file != "" {
		path := filepath.Join(t.TempDir(), "dragg.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", path)
	}
	var name, seen string
	var n int
	var wait time.Duration
	var memory size
	var paths []string
	cmd := &cobra.Command{
		Use: "test", SilenceErrors: true, SilenceUsage: true,
		RunE: func(*cobra.Command, []string) error {
			seen = strings.Join([]string{name, wait.String(), memory.String(), strings.Join(paths, "+")}, " ")
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "data-dir", "default", "")
	f.IntVar(&n, "lanes", 4, "")
	f.DurationVar(&wait, "wait", time.Second, "")
	memory = 1 << 30
	f.Var(&memory, "memory", "")
	f.StringSliceVar(&paths, "files", nil, "")
	configurable(cmd)
	cmd.SetArgs(args)
	err := cmd.Execute()
	return seen, err
}

// A flag wins over the environment, that over the file, that over the default.
func TestWhoWins(t *testing.T) {
	file := "data-dir: file\nwait: 3s\nmemory: 3MiB\nfiles: f1,f2\nlanes: 7\n"
	env := map[string]string{"DRAGG_DATA_DIR": "env", "DRAGG_WAIT": "2s", "DRAGG_FILES": "e1,e2"}
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		file string
		want string
	}{
		"nothing":          {nil, nil, "", "default 1s 1GiB "},
		"the file":         {nil, nil, file, "file 3s 3MiB f1+f2"},
		"a list":           {nil, nil, "files: [f1, f2]\ndata-dir:\n", "default 1s 1GiB f1+f2"},
		"the environment":  {nil, env, file, "env 2s 3MiB e1+e2"},
		"flags":            {[]string{"--data-dir=flag", "--files", "a,b", "--memory", "2GiB"}, env, file, "flag 2s 2GiB a+b"},
		"a flag's default": {[]string{"--data-dir=default"}, env, file, "default 2s 3MiB e1+e2"},
		"an empty variable is no setting": {
			nil, map[string]string{"DRAGG_DATA_DIR": ""}, "", "default 1s 1GiB ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := settings(t, c.args, c.env, c.file); err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// The file may be named by the environment too.
func TestFileFromTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dragg.yaml")
	if err := os.WriteFile(path, []byte("data-dir: there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := settings(t, nil, map[string]string{"DRAGG_CONFIG": path}, ""); err != nil || !strings.HasPrefix(got, "there ") {
		t.Errorf("%q %v", got, err)
	}
}

// Mistakes are all named, each with the place where it was made.
func TestMistakesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		file string
		want []string
	}{
		"an unknown name":    {nil, "data-dri: x\nlines: 3\n", []string{"dragg.yaml", `no flag "data-dri"`, `no flag "lines"`}},
		"a wrong value":      {map[string]string{"DRAGG_LANES": "many"}, "wait: soon\n", []string{"DRAGG_LANES: --lanes", "dragg.yaml: --wait"}},
		"a size":             {map[string]string{"DRAGG_MEMORY": "lots"}, "", []string{"DRAGG_MEMORY", `"lots" is no size`}},
		"a list":             {nil, "data-dir: [a, b]\n", []string{"dragg.yaml", "data-dir must be one value"}},
		"an unknown empty":   {nil, "data-dri:\n", []string{`no flag "data-dri"`}},
		"no yaml":            {nil, "data-dir: [", []string{"dragg.yaml"}},
		"no file":            {map[string]string{"DRAGG_CONFIG": "/nowhere/dragg.yaml"}, "", []string{"--config", "/nowhere/dragg.yaml"}},
		"the file in itself": {nil, "config: other.yaml\nunknown: 1\n", []string{`no flag "unknown"`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settings(t, nil, c.env, c.file)
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %s", err, want)
				}
			}
		})
	}
}

// Every flag of every command has a help text, and can be set by the environment without meaning another.
func TestFlagsOfEveryCommand(t *testing.T) {
	for _, cmd := range []*cobra.Command{Zero(), Alpha(), Up(), Live(), Query(), Mutate(), Schema()} {
		seen := map[string]string{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s has no help", cmd.Name(), f.Name)
			}
			if other, ok := seen[envName(f.Name)]; ok {
				t.Errorf("%s: --%s and --%s are one variable", cmd.Name(), f.Name, other)
			}
			seen[envName(f.Name)] = f.Name
		})
		if cmd.Short == "" || cmd.RunE == nil {
			t.Errorf("%s does not say what it does", cmd.Name())
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1073741824": 1 << 30, "512MiB": 512 << 20, "2GiB": 2 << 30, "2g": 2 << 30, "1.5 GiB": 3 << 29, "10KB": 10_000,
		"1TB": 1e12, "7b": 7, " 64 mib ": 64 << 20, "1k": 1024, "1KiB": 1024, "3T": 3 << 40,
	} {
		var s size
		if err := s.Set(text); err != nil || int64(s) != want {
			t.Errorf("%q is %d, %v; want %d", text, s, err, want)
		}
		var again size
		if err := again.Set(s.String()); err != nil || want >= 1<<20 && want%(1<<20) == 0 && again != s {
			t.Errorf("%q is shown as %s, which is %d", text, s.String(), again)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "-1GiB", "much", "1XB", "9e30", "NaN", "1GiB2", "Inf", "0x10"} {
		var s size
		if err := s.Set(bad); err == nil {
			t.Errorf("%q is %d", bad, s)
		}
	}
}

// Any text is a size or an error.
func FuzzSize(f *testing.F) {
	for _, s := range []string{"512MiB", "1e18", "-0", "1.5T"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var s size
		if err := s.Set(text); err == nil && s < 0 {
			t.Errorf("%q is %d", text, s)
		}
	})
}

func TestLogFlags(t *testing.T) {
	for _, c := range []struct {
		level, format string
		want          string // of a warning; "" for nothing
		fails         bool
	}{
		{"info", "text", "level=WARN msg=hello", false},
		{"warn", "json", `"msg":"hello"`, false},
		{"ERROR", "text", "", false},
		{"loud", "text", "", true},
		{"info", "xml", "", true},
	} {
		var out bytes.Buffer
		f := logFlags{c.level, c.format}
		lg, err := f.logger(&out)
		if (err != nil) != c.fails {
			t.Errorf("%+v: %v", f, err)
			continue
		}
		if err == nil {
			lg.Log(t.Context(), slog.LevelWarn, "hello")
			if !strings.Contains(out.String(), c.want) || c.want == "" && out.Len() > 0 {
				t.Errorf("%+v: %q", f, out.String())
			}
		}
	}
}

// Input comes from the argument, a file, or standard input, never from two.
func TestInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.dql")
	if err := os.WriteFile(path, []byte("of the file"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := &cobra.Command{}
	for _, c := range []struct {
		args []string
		file string
		want string
	}{
		{[]string{"of the argument"}, "", "of the argument"},
		{nil, path, "of the file"},
		{[]string{"-"}, "", "of the pipe"},
		{nil, "", "of the pipe"},
		{[]string{"x"}, path, "!"},
		{nil, path + ".gone", "!"},
	} {
		cmd.SetIn(strings.NewReader("of the pipe"))
		got, err := input(cmd, c.args, c.file)
		if (err != nil) != (c.want == "!") || err == nil && got != c.want {
			t.Errorf("%q %q: %q %v", c.args, c.file, got, err)
		}
	}
}
