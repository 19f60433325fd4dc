package command

import (
	"context"
	"strings"
	"testing"

	"github.com/dgraph-io/dgo/v250/protos/api"
	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"dragg/schema"
)

func (a *someAlpha) Alter(_ context.Context, op *api.Operation) (*api.Payload, error) {
	if _, err := schema.Parse(op.Schema); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	return &api.Payload{}, nil
}

func (a *someAlpha) RunDQL(_ context.Context, r *api.RunDQLRequest) (*api.Response, error) {
	for _, said := range []string{"while lexing N-Quads at line 3 column 9: Invalid input: b", "line 1 column 3: Unexpected put"} {
		if strings.Contains(r.DqlQuery, said[strings.LastIndexByte(said, ' ')+1:]) {
			return nil, status.Error(codes.InvalidArgument, said)
		}
	}
	return &api.Response{Txn: &api.TxnContext{CommitTs: 7}}, nil
}

// run runs a command with arguments and standard input, and returns what it printed and what it failed with.
func run(t *testing.T, cmd *cobra.Command, stdin string, args ...string) (out, failed string) {
	t.Helper()
	var b strings.Builder
	cmd.SetArgs(args)
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&b)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		failed = err.Error()
	}
	return b.String(), failed
}

// Goal: errors in schema text are shown at their place. Method: the command against an Alpha that reads the schema.
func TestSchemaErrorsPointAtTheirPlace(t *testing.T) {
	_, address := fakeAlpha(t)
	for text, want := range map[string]string{
		"name: string .\n\tage: number .": `line 2 column 7: undefined Type number
` + "  \tage: number ." + `
` + "  \t     ^",
		"größe: int .": `line 1 column 3: unrecognized character 'ö'
  größe: int .
    ^`,
		"a: int \r\nb: int .\r\n": `line 1 column 9: invalid ending of a: expected a directive or a dot, got  ` + `
  a: int ` + `
         ^`,
		"type T {\n  a\n": `line 3 column 1: missing colon in type declaration. Got end of text
  
  ^`,
		"name: string .": "",
	} {
		if _, got := run(t, Schema(), text, "--alpha", address, "-"); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}

// Goal: errors in a document of mutations are shown at their place in it.
func TestMutationErrorsPointAtTheirPlace(t *testing.T) {
	_, address := fakeAlpha(t)
	for text, want := range map[string]string{
		"{ set {\n  <0x1> <a> \"x\" .\n  <0x1> : b .\n} }": `while lexing N-Quads at line 3 column 9: Invalid input: b
  ` + "  <0x1> : b ." + `
          ^`,
		"{ put { } }": `line 1 column 3: Unexpected put
  { put { } }
    ^`,
		"{ set { } }": "",
	} {
		if _, got := run(t, Mutate(), text, "--alpha", address); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}
