// Package golden replays files of client requests against a running server and compares what comes back.
//
// A file is a list of cases. A case is a command line, its body, a line `----`, and the expected answer up to a blank line.
// Lines that start with `#` between cases are comments.
//
//	schema                     body: schema text                          expects: ok | error: FRAGMENT
//	alter drop_attr NAME | drop_type NAME | drop_data | drop_all          expects: ok | error: FRAGMENT
//	set | del                  body: N-Quads, committed at once           expects: ok | error: FRAGMENT
//	setjson | deljson          body: JSON, committed at once              expects: ok | error: FRAGMENT
//	query [$v=value ...]       body: DQL                                  expects: JSON | error: FRAGMENT
//	rdf                        body: DQL, answer as RDF                   expects: lines, in any order
//	upsert                     body: upsert { query ... mutation ... }    expects: JSON of its query | error: FRAGMENT
//	begin T                    opens transaction T                        expects: ok
//	in T query|set|del|commit|discard   the same inside T                 expects: as above; commit may expect `aborted`
//	http METHOD PATH [TYPE]    body: request body                         expects: JSON; keys extensions, server_latency, txn are ignored
//
// JSON is compared as values: object keys in any order, arrays in order. A string "*" in the expected JSON matches anything.
// An expected answer that starts with `unordered` on a line of its own compares arrays as bags. Errors match by a fragment,
// in any letter case.
package golden

import "strings"

// Case is one request and the answer it should get.
type Case struct {
	Command string
	Body    string
	Want    string
	Line    int // of the command, from 1
}

// Parse reads a file of cases.
func Parse(text string) []Case {
	var cases []Case
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		if strings.TrimSpace(lines[i]) == "" || strings.HasPrefix(lines[i], "#") {
			i++
			continue
		}
		c := Case{Command: lines[i], Line: i + 1}
		from := i + 1
		for i++; i < len(lines) && lines[i] != "----"; i++ {
		}
		c.Body = strings.Join(lines[min(from, len(lines)):min(i, len(lines))], "\n")
		from = min(i+1, len(lines))
		for i = from; i < len(lines) && strings.TrimSpace(lines[i]) != ""; i++ {
		}
		c.Want = strings.Join(lines[from:i], "\n")
		cases = append(cases, c)
	}
	return cases
}
