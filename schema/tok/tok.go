// Package tok turns values into index tokens, and the texts of queries into the tokens to look for.
//
// Tokens are bytes without a tag of their tokenizer: posting/keys puts the tokenizer's ID and the language in
// front. Tokens of a sortable tokenizer order bytewise as their values do. What a tokenizer makes of a value
// is on disk: changing it asks for a new tokenizer ID and a rebuild.
//
// The package holds no state but the full-text analyzers of the languages, built once on first use.
// Everything may be called concurrently.
package tok

import (
	"errors"
	"fmt"
	"slices"

	"dragg/graph/types"
)

// Tokenizer makes the tokens under which an index finds a value. Tokenizers are stateless and safe for
// concurrent use. Two tokenizers are the same when their IDs are.
type Tokenizer interface {
	// Name is the word in the schema text: "term".
	Name() string
	// ID is the byte that stands for the tokenizer in index keys. It is on disk: never reused, never
	// renumbered.
	ID() byte
	// Type is the type of the values it takes (types.String also serves types.Default).
	Type() types.ID
	// Sortable says that tokens sort bytewise as their values do (for lossy ones: never out of order, but
	// equal tokens may stand for different values), so that inequalities and ordering can use the index.
	Sortable() bool
	// Lossy says that different values may share a token, so that a match must be checked against the stored
	// value.
	Lossy() bool
	// AppendTokens appends the distinct tokens of v to dst. lang is the language tag of the value, "" for
	// untagged; only fulltext and ngram look at it. A value of another type is an error, and so is a token of
	// more than MaxToken bytes (ErrTooLarge), and for geo a shape without a place (geo.ErrNoPlace).
	AppendTokens(dst []string, v types.Value, lang string) ([]string, error)
}

// MaxToken is the length of the longest token in bytes (dql.md fact 113).
const MaxToken = 65_000

// ErrTooLarge says that a value makes a token that no index key can hold.
var ErrTooLarge = errors.New("value in the mutation is too large for the index")

// Names of the tokenizers, as the schema text has them.
const (
	Int      = "int"
	Float    = "float"
	BigFloat = "bigfloat"
	Bool     = "bool"
	Year     = "year"
	Month    = "month"
	Day      = "day"
	Hour     = "hour"
	Exact    = "exact"
	Hash     = "hash"
	SHA256   = "sha256"
	Term     = "term"
	FullText = "fulltext"
	Trigram  = "trigram"
	Ngram    = "ngram"
	Geo      = "geo"
)

// kind implements Tokenizer for every tokenizer of the package.
type kind struct {
	name            string
	id              byte
	typ             types.ID
	sortable, lossy bool
	tokens          func(dst []string, v types.Value, lang string) ([]string, error)
}

// sure makes a tokenizer of a function that takes every value.
func sure(tokens func([]string, types.Value, string) []string) func([]string, types.Value, string) ([]string, error) {
	return func(dst []string, v types.Value, lang string) ([]string, error) { return tokens(dst, v, lang), nil }
}

// kinds lists the tokenizers. IDs are on disk.
func kinds() []*kind {
	return []*kind{
		{Int, 1, types.Int, true, false, sure(intTokens)},
		{Float, 2, types.Float, true, true, sure(floatTokens)},
		{BigFloat, 3, types.BigFloat, true, true, sure(bigFloatTokens)},
		{Bool, 4, types.Bool, false, false, sure(boolTokens)},
		{Year, 5, types.DateTime, true, true, sure(timeTokens(1))},
		{Month, 6, types.DateTime, true, true, sure(timeTokens(2))},
		{Day, 7, types.DateTime, true, true, sure(timeTokens(3))},
		{Hour, 8, types.DateTime, true, true, sure(timeTokens(4))},
		{Exact, 9, types.String, true, false, sure(exactTokens)},
		{Hash, 10, types.String, false, false, sure(hashTokens)},
		{SHA256, 11, types.String, false, false, sure(hashTokens)},
		{Term, 12, types.String, false, true, sure(termTokens)},
		{FullText, 13, types.String, false, true, sure(fullTextTokens)},
		{Trigram, 14, types.String, false, true, sure(trigramTokens)},
		{Ngram, 15, types.String, false, true, sure(ngramTokens)},
		{Geo, 16, types.Geo, false, true, geoTokens},
	}
}

// Lookup returns the tokenizer called name in the schema text.
func Lookup(name string) (Tokenizer, bool) {
	for _, k := range kinds() {
		if k.name == name {
			return k, true
		}
	}
	return nil, false
}

// ByID returns the tokenizer whose keys carry id.
func ByID(id byte) (Tokenizer, bool) {
	for _, k := range kinds() {
		if k.id == id {
			return k, true
		}
	}
	return nil, false
}

func (k *kind) Name() string   { return k.name }
func (k *kind) ID() byte       { return k.id }
func (k *kind) Type() types.ID { return k.typ }
func (k *kind) Sortable() bool { return k.sortable }
func (k *kind) Lossy() bool    { return k.lossy }

func (k *kind) AppendTokens(dst []string, v types.Value, lang string) ([]string, error) {
	if t := v.Type(); t != k.typ && !(t == types.Default && k.typ == types.String) {
		return dst, fmt.Errorf("tokenizer %s takes %s, not %s", k.name, k.typ, t)
	}
	start := len(dst)
	dst, err := k.tokens(dst, v, lang)
	if err != nil {
		return dst[:start], err
	}
	for _, token := range dst[start:] {
		if len(token) > MaxToken {
			return dst[:start], ErrTooLarge
		}
	}
	return dst, nil
}

// distinct sorts the tokens of dst from start on and drops what is there twice.
func distinct(dst []string, start int) []string {
	added := dst[start:]
	if len(added) < 2 {
		return dst
	}
	slices.Sort(added)
	return dst[:start+len(slices.Compact(added))]
}
