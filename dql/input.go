package dql

import "strings"

// Input is what a prompt has to know of a text that somebody types line by line.
type Input struct {
	// Unfinished says that the text waits for more: something is open in it, or it has no body yet. A text that no further
	// line can put right is finished, so that its error is seen at once.
	Unfinished bool
	// Mutation says that the text changes data: see IsMutation.
	Mutation bool
	// Variables are the query variables that the text names, with the $, in the order of the text and as often.
	Variables []string
	// Line is the text without comments on one line, so that it means the same. What follows an error stands as it was
	// typed, but for the ends of lines.
	Line string
}

// ReadInput looks at a text of whole lines.
func ReadInput(text string) Input {
	in := Input{Mutation: IsMutation(text)}
	// With the end of the last line, since names and regular expressions end there, strings do not.
	l := &lexer{text: text + "\n", line: 1, mathAt: -1}
	var line strings.Builder
	var head token // the first token of what is being read at the top level
	body := false  // a query or schema block has been opened
	for {
		from := l.off
		l.skipSpace()
		line.WriteString(oneLine(l.text[from:l.off]))
		if l.off >= len(l.text) {
			in.Unfinished = l.parens > 0 || l.braces > 0 || !body
			break
		}
		from, n := l.off, len(l.toks)
		if l.next() != nil {
			in.Unfinished = l.ended
			line.WriteString(strings.NewReplacer("\n", " ", "\r", " ").Replace(l.text[from:]))
			break
		}
		line.WriteString(strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(l.text[from:l.off]))
		t := l.toks[n]
		if head.text == "" {
			head = t
		}
		switch {
		case t.kind == tVar:
			in.Variables = append(in.Variables, t.text)
		case t.is("{"):
			body = body || head.text != "fragment"
		case t.is("}") && l.braces == 0:
			head = token{}
		}
	}
	in.Line = strings.TrimSpace(line.String())
	if in.Mutation {
		d := newDocScanner(l.text)
		_, err := d.document()
		in.Unfinished = err != nil && d.off == len(l.text)
	}
	return in
}

// oneLine returns what stands between two tokens with comments left out and line ends replaced.
func oneLine(gap string) string {
	if strings.ContainsAny(gap, "\n\r#") {
		return " "
	}
	return gap
}
