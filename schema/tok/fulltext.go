package tok

import (
	"strings"

	"github.com/blevesearch/bleve/v2/analysis"
	"golang.org/x/text/unicode/norm"

	"dragg/graph/types"
)

// fullTextTokens are the stems of the words of the text in its language, without stop words.
func fullTextTokens(dst []string, v types.Value, lang string) []string {
	start := len(dst)
	dst = appendStems(dst, v.Str(), lang)
	return distinct(dst, start)
}

// ngramTokens are the stems and the pairs of neighbouring stems, stop words left out (dql.md section 5).
// Longer phrases are made of pairs, and checked against the value.
func ngramTokens(dst []string, v types.Value, lang string) []string {
	start := len(dst)
	stems := appendStems(nil, v.Str(), lang)
	dst = append(dst, stems...)
	for i := 1; i < len(stems); i++ {
		dst = append(dst, pair(stems[i-1], stems[i]))
	}
	return distinct(dst, start)
}

// pair joins two stems. A stem holds no blank: blanks separate words.
func pair(a, b string) string { return a + " " + b }

// PhraseTokens returns the tokens that a value must have to contain phrase, and the phrase's stems in order
// for the check of the value itself; see HasPhrase. Both are empty for a phrase of stop words.
func PhraseTokens(phrase, lang string) (tokens, stems []string) {
	stems = appendStems(nil, phrase, lang)
	if len(stems) == 1 {
		return stems, stems
	}
	for i := 1; i < len(stems); i++ {
		tokens = append(tokens, pair(stems[i-1], stems[i]))
	}
	return distinct(tokens, 0), stems
}

// HasPhrase reports whether the stems of text, a value in the language lang, contain the given ones in a row.
func HasPhrase(text, lang string, stems []string) bool {
	if len(stems) == 0 {
		return false
	}
	words := appendStems(nil, text, lang)
	for i := 0; i+len(stems) <= len(words); i++ {
		match := true
		for j, stem := range stems {
			if words[i+j] != stem {
				match = false
				break
			}
		}
		if match {
			return true
		}
	}
	return false
}

// appendStems appends the stems of text in order, stop words left out. Untagged text counts as English; a
// language without a stemmer only folds case.
func appendStems(dst []string, text, lang string) []string {
	text = norm.NFKC.String(strings.ToValidUTF8(text, "\ufffd"))
	analyzer := analyzerFor(lang)
	if analyzer == nil {
		eachWord(text, func(word string) { dst = append(dst, foldWord(word)) })
		return dst
	}
	stream, ok := analyze(analyzer, text)
	if !ok {
		eachWord(text, func(word string) { dst = append(dst, foldWord(word)) })
		return dst
	}
	for _, token := range stream {
		if len(token.Term) > 0 {
			dst = append(dst, string(token.Term))
		}
	}
	return dst
}

// analyze runs the library's analyzer. It reports false where a stemmer panics, so that a text that trips
// over a dependency's defect is still indexed, by its plain words, and always in the same way.
func analyze(a analysis.Analyzer, text string) (stream analysis.TokenStream, ok bool) {
	defer func() {
		if recover() != nil {
			stream, ok = nil, false
		}
	}()
	return a.Analyze([]byte(text)), true
}
