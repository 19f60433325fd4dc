package command

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// envPrefix stands before the name of every environment variable that sets a flag.
const envPrefix = "DRAGG_"

// configurable lets the command's flags be set by environment and by a YAML file too.
func configurable(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().String("config", "", "YAML file with flags, one 'name: value' a line")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := fill(cmd.Flags(), os.LookupEnv); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// fill sets the flags that the command line left alone.
func fill(flags *pflag.FlagSet, lookup func(string) (string, bool)) error {
	if v, ok := lookup(envName("config")); ok && !flags.Changed("config") {
		if err := flags.Set("config", v); err != nil {
			return err
		}
	}
	path, err := flags.GetString("config")
	if err != nil {
		return err
	}
	file, err := readSettings(path)
	if err != nil {
		return err
	}
	var problems []error
	for name := range file {
		problems = append(problems, file.check(path, name, flags.Lookup(name)))
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || f.Name == "config" || f.Name == "help" {
			return
		}
		v, from := file[f.Name].text, path
		if env, ok := lookup(envName(f.Name)); ok {
			v, from = env, envName(f.Name)
		}
		if v == "" {
			return
		}
		if err := f.Value.Set(v); err != nil {
			problems = append(problems, fmt.Errorf("%s: --%s: %w", from, f.Name, err))
			return
		}
		f.Changed = true
	})
	return errors.Join(problems...)
}

func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// fileSettings are the values of a file, by flag.
type fileSettings map[string]fileValue

type fileValue struct {
	text string
	list bool
}

// check returns what is wrong with a value for a flag, nil if there is no such flag.
func (s fileSettings) check(path, name string, flag *pflag.Flag) error {
	switch {
	case flag == nil:
		return fmt.Errorf("%s: there is no flag %q", path, name)
	case s[name].list && flag.Value.Type() != "stringSlice":
		return fmt.Errorf("--config %s: %s must be one value", path, name)
	}
	return nil
}

func readSettings(path string) (fileSettings, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var in map[string]any
	if err := yaml.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("--config %s: %w", path, err)
	}
	out := make(fileSettings, len(in))
	for k, v := range in {
		switch v := v.(type) {
		case map[string]any:
			return nil, fmt.Errorf("--config %s: %s must be one value, or a list", path, k)
		case []any:
			parts := make([]string, len(v))
			for i, part := range v {
				parts[i] = fmt.Sprint(part)
			}
			out[k] = fileValue{strings.Join(parts, ","), true}
		case nil:
			out[k] = fileValue{} // nothing is said of it
		default:
			out[k] = fileValue{fmt.Sprint(v), false}
		}
	}
	return out, nil
}

// logFlags are the flags of every server.
type logFlags struct{ level, format string }

func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "info", "how much to log: debug, info, warn or error")
	f.StringVar(&l.format, "log-format", "text", "how to log: text or json")
}

func (l *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.level)); err != nil {
		return nil, fmt.Errorf("--log-level: %w", err)
	}
	opts := &slog.HandlerOptions{Level: level}
	switch l.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	}
	return nil, fmt.Errorf("--log-format must be text or json, not %q", l.format)
}
