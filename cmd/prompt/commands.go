package prompt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const help = `A query is asked once its braces are closed; what has no braces, after an empty line.

  \explain [QUERY]       how the query, or the last one, would be answered
  \profile [QUERY]       the answer, and before it what each step of the query cost
  \schema [PREDICATE...] the schema, or that of some predicates
  \vars [NAME=VALUE]     show the values of query variables; set one; NAME= unsets it
  \timing on|off         show how long answers take
  \help                  this
  \quit                  end, as Ctrl-D does

Ctrl-C drops what is typed, or cancels the query that runs. Fragments stand before the query, or behind its last brace.
`

// command does what begins with a backslash and asks no query.
func (p *Prompt) command(ctx context.Context, name, rest string) error {
	switch name {
	case `\schema`:
		return p.ask(ctx, Question{Text: schemaQuery(strings.Fields(rest)), Mode: Schema})
	case `\vars`:
		return p.setVar(rest)
	case `\timing`:
		switch rest {
		case "on", "off":
			p.timing = rest == "on"
			return nil
		}
		return p.complain(fmt.Errorf(`write \timing on, or \timing off`))
	case `\help`, `\h`, `\?`:
		return p.print(help)
	case `\quit`, `\q`:
		return errQuit
	}
	return p.complain(fmt.Errorf(`there is no command %s: \help shows all`, name))
}

// schemaQuery asks for the schema of predicates, or of all for none.
func schemaQuery(predicates []string) string {
	if len(predicates) == 0 {
		return "schema {}"
	}
	return "schema(pred: [<" + strings.Join(predicates, ">, <") + ">]) {}"
}

// setVar does \vars.
func (p *Prompt) setVar(text string) error {
	if text == "" {
		var b strings.Builder
		for _, name := range slices.Sorted(maps.Keys(p.vars)) {
			fmt.Fprintf(&b, "%s=%s\n", name, p.vars[name])
		}
		return p.print(b.String())
	}
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return p.complain(fmt.Errorf(`write \vars NAME=VALUE`))
	}
	name = "$" + strings.TrimPrefix(strings.TrimSpace(name), "$")
	value = strings.TrimSpace(value)
	if value == "" {
		delete(p.vars, name)
		return nil
	}
	p.vars[name] = value
	return nil
}
