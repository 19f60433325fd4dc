package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dragg/cmd/prompt"
)

// Query returns the command that asks a query, or many at a prompt.
func Query() *cobra.Command {
	var address, file string
	var vars []string
	var rdf, debug, explain, profile bool
	cmd := &cobra.Command{
		Use: "query [DQL | -]", Short: "Ask a query and print the answer", Args: cobra.MaximumNArgs(1),
		Long: "Ask a query and print the answer.\n\n" +
			"The query is the argument, or the text of --file, or what comes from standard input. On a terminal with none of\n" +
			"these it is typed at a prompt, with a history; \\help there says more.",
		Example: "  dragg query '{ q(func: has(director.film), first: 3) { uid name@en } }'\n" +
			"  dragg query --file top.dql --var '$year=1999'\n" +
			"  dragg query                                   # a prompt",
		RunE: func(cmd *cobra.Command, args []string) error {
			given, err := parseVars(vars)
			if err != nil {
				return err
			}
			mode := prompt.Answer
			switch {
			case explain:
				mode = prompt.Explain
			case profile:
				mode = prompt.Profile
			}
			return withClient(address, func(c *client) error {
				ask := &asker{client: c, rdf: rdf, debug: debug}
				if len(args) == 0 && file == "" && onTerminal(cmd) {
					return converse(cmd, prompt.Config{Asker: ask, Mode: mode, Vars: given})
				}
				text, err := input(cmd, args, file)
				if err != nil {
					return err
				}
				q := prompt.Question{Text: text, Vars: given, Mode: mode}
				return ask.write(cmd.Context(), q, cmd.OutOrStdout(), cmd.ErrOrStderr())
			})
		},
	}
	alphaFlag(cmd, &address)
	cmd.Flags().StringVarP(&file, "file", "f", "", "file with the query, - for standard input")
	cmd.Flags().StringArrayVar(&vars, "var", nil, "a query variable, as '$name=value'; may be repeated")
	cmd.Flags().BoolVar(&rdf, "rdf", false, "answer as RDF")
	cmd.Flags().BoolVar(&debug, "debug", false, "show the uid of every object")
	cmd.Flags().BoolVar(&explain, "explain", false, "show how the query would be answered, and do not run it")
	cmd.Flags().BoolVar(&profile, "profile", false, "show on stderr what each step of the query cost, beside the answer")
	return configurable(cmd)
}

// parseVars reads the values of --var.
func parseVars(list []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, v := range list {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, fmt.Errorf("--var %s: write it as '$name=value'", v)
		}
		vars["$"+strings.TrimPrefix(name, "$")] = value
	}
	return vars, nil
}

// asker asks an Alpha.
type asker struct {
	client     *client
	rdf, debug bool
}

var _ prompt.Asker = (*asker)(nil)

// Ask implements prompt.Asker.
func (a *asker) Ask(ctx context.Context, q prompt.Question) (string, error) {
	var b strings.Builder
	err := a.write(ctx, q, &b, &b)
	return b.String(), err
}

// write asks a question and writes the answer; what a profile shows goes to aside.
func (a *asker) write(ctx context.Context, q prompt.Question, out, aside io.Writer) error {
	req := &api.Request{Query: q.Text, ReadOnly: true, Vars: q.Vars}
	rdf := a.rdf && q.Mode != prompt.Schema
	if rdf {
		req.RespFormat = api.Request_RDF
	}
	ctx = asking(ctx, "debug", a.debug)
	ctx = asking(ctx, "explain", q.Mode == prompt.Explain)
	ctx = asking(ctx, "profile", q.Mode == prompt.Profile)
	resp, err := a.client.Query(ctx, req)
	if err != nil {
		return pointed(err, q.Text)
	}
	switch q.Mode {
	case prompt.Explain:
		return printPlan(out, resp, "explain")
	case prompt.Schema:
		return printSchema(out, resp.Json)
	case prompt.Profile:
		if err := printPlan(aside, resp, "profile"); err != nil {
			return err
		}
	}
	if rdf {
		_, err := out.Write(resp.Rdf)
		return err
	}
	return printJSON(out, resp.Json)
}

// onTerminal reports whether the command talks to somebody, in both directions.
func onTerminal(cmd *cobra.Command) bool {
	in, isFile := cmd.InOrStdin().(*os.File)
	out, alsoFile := cmd.OutOrStdout().(*os.File)
	return isFile && alsoFile && term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(out.Fd()))
}

// converse asks what is typed until there is no more. cfg has what is not of the terminal.
func converse(cmd *cobra.Command, cfg prompt.Config) error {
	// Ctrl-C ends a question here, not the command.
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
	defer stop()
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)

	history, err := userHistory()
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), err) // one can ask without
	}
	terminal := prompt.OpenTerminal(history, cmd.ErrOrStderr())
	defer func() { _ = terminal.Close() }() // what fails here is seen
	cfg.Lines, cfg.Interrupts, cfg.Out, cfg.Err = terminal, interrupts, cmd.OutOrStdout(), cmd.ErrOrStderr()
	return prompt.New(cfg).Run(ctx)
}

// userHistory opens the history of the user; nil with an error.
func userHistory() (*prompt.History, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	return prompt.OpenHistory(prompt.HistoryPath(os.Getenv, home))
}
