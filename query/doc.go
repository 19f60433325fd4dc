// Package query plans a document of the query language and executes it over a task.Runner.
//
// Three things are three types: a Plan is a document bound to a schema, immutable and shareable; a run is
// one execution of it; a Result is what came out, an answer.Answer to be written and the variables for a
// mutation.
//
//	doc, err := dql.Parse(text, vars)
//	plan, err := query.Build(doc, snapshot)
//	res, err := query.Execute(ctx, plan, runner, readTs, query.Options{})
//	buf, err = res.Answer.AppendJSON(buf, answer.Options{})
//
// # How a run works
//
// A run is a loop over rounds. In each round every block that is ready, and every field of its current
// level, has put its questions into one batch; the batch is one Runner.Run; each question's continuation
// takes its part of the answers and may ask more. So the number of calls is the depth of the query (twice
// that where levels have filters, three times with orders), not the number of fields or nodes. A block is
// ready when the blocks that define its variables are done.
//
// A level holds its edges as rows (offsets and targets), its distinct targets ascending, and for each
// target the index among them. The fields below are columns over the distinct targets. Nothing is kept by
// uid in a map but what @groupby, @recurse and shortest need.
//
// When nothing of a block is pending any more, its values are computed (math, aggregates, propagated
// variables), @cascade prunes it, its variables are published, and its levels become answer.Nodes.
//
// Invariants: frontiers ascend without duplicates; rows.index refers to rows.uids; a continuation never
// blocks.
//
// A run is one goroutine; the Runner may use as many as it likes. Every loop that is longer than a level's
// fields checks the context or the bounds of Options.
package query
