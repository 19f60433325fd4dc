// Package live loads RDF and JSON into a running cluster through the client API.
//
// One goroutine reads and parses, maps external ids to leased uids, and hands every statement to the lane of its subject.
// A lane fills batches and sends them one after the other, each in a transaction of its own. All statements of one subject
// are in one lane, so that no two batches on their way ever write the same value or edge: without @upsert they do not
// conflict. What conflicts or is refused for a moment is sent again until it is in.
//
// With a folder for the ids, the mapping is on disk before anything that uses it is sent, and how far each file is in is
// noted as batches commit: a load that was killed goes on where it was, and never makes a node twice.
//
// Input may be wrong. A line that cannot be read, or that the server refuses, is named with its file and number; a refused
// batch is halved until the line is found. What happens then is the caller's choice: stop, or save the line and go on.
package live
