package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// schemaAnswer is what a schema query answers, as far as it is printed.
type schemaAnswer struct {
	Schema []struct {
		Predicate  string   `json:"predicate"`
		Type       string   `json:"type"`
		Tokenizer  []string `json:"tokenizer"`
		List       bool     `json:"list"`
		Reverse    bool     `json:"reverse"`
		Count      bool     `json:"count"`
		Upsert     bool     `json:"upsert"`
		Unique     bool     `json:"unique"`
		Lang       bool     `json:"lang"`
		NoConflict bool     `json:"no_conflict"`
	} `json:"schema"`
	Types []struct {
		Name   string `json:"name"`
		Fields []struct {
			Name string `json:"name"`
		} `json:"fields"`
	} `json:"types"`
}

// printSchema prints the answer to a schema query as schema text.
func printSchema(out io.Writer, raw []byte) error {
	var a schemaAnswer
	if err := json.Unmarshal(raw, &a); err != nil {
		return fmt.Errorf("reading the schema: %w", err)
	}
	var b strings.Builder
	for _, p := range a.Schema {
		typ := p.Type
		if p.List {
			typ = "[" + typ + "]"
		}
		fmt.Fprintf(&b, "%s: %s", schemaName(p.Predicate), typ)
		if len(p.Tokenizer) > 0 {
			fmt.Fprintf(&b, " @index(%s)", strings.Join(p.Tokenizer, ", "))
		}
		for _, d := range []struct {
			on   bool
			name string
		}{
			{p.Reverse, "reverse"},
			{p.Count, "count"},
			{p.Lang, "lang"},
			{p.Upsert, "upsert"},
			{p.Unique, "unique"},
			{p.NoConflict, "noconflict"},
		} {
			if d.on {
				b.WriteString(" @" + d.name)
			}
		}
		b.WriteString(" .\n")
	}
	for _, t := range a.Types {
		fmt.Fprintf(&b, "type %s {\n", schemaName(t.Name))
		for _, f := range t.Fields {
			fmt.Fprintf(&b, "  %s\n", schemaName(f.Name))
		}
		b.WriteString("}\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// schemaName returns a name as schema text may hold it: bare, or in angle brackets.
func schemaName(name string) string {
	bare := strings.IndexFunc(name, func(r rune) bool {
		return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && r != '_' && r != '.' && r != '-'
	}) < 0
	if bare {
		return name
	}
	return "<" + name + ">"
}
