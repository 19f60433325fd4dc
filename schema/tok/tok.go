// Package tok turns values into index tokens.
package tok

import "dragg/graph/types"

// Tokenizer makes the tokens under which an index finds a value. Tokenizers are stateless and safe for concurrent use.
type Tokenizer interface {
	// Name is the word in the schema text: "term".
	Name() string
	// ID is the byte that stands for the tokenizer in index keys. It is on disk: never reused, never renumbered.
	ID() byte
	// Type is the type of the values it takes (types.String also serves types.Default).
	Type() types.ID
	// Sortable says that tokens sort bytewise as their values do (for lossy ones: never out of order, but equal tokens
	// may stand for different values), so that inequalities and ordering can use the index.
	Sortable() bool
	// Lossy says that different values may share a token, so that a match must be checked against the stored value.
	Lossy() bool
	// AppendTokens appends the distinct tokens of v to dst. lang is the language tag of the value, "" for untagged; only
	// fulltext looks at it. A value of another type is an error.
	AppendTokens(dst []string, v types.Value, lang string) ([]string, error)
}
