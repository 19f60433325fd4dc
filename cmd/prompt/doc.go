// Package prompt is where people type queries: it gathers lines until a query is whole, has it asked, and shows the answer.
//
// It is neither an editor of lines nor a client: Lines gives what is typed, an Asker asks. Terminal is the Lines of a terminal;
// tests have their own. Whether a query is whole the lexer of package dql decides.
//
// One goroutine runs a Prompt. While a question is out, a second one waits for Ctrl-C and ends with the question. A Terminal
// reads in a goroutine of its own, which is left behind only when the process ends during a read.
package prompt
