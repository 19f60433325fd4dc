package tok

import (
	"crypto/sha256"
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/segment"
	"golang.org/x/text/unicode/norm"

	"dragg/graph/types"
)

func exactTokens(dst []string, v types.Value, _ string) []string { return append(dst, v.Str()) }

// hashTokens are 256 bits of the text, which is trusted to be unique (dql.md fact 86).
func hashTokens(dst []string, v types.Value, _ string) []string {
	sum := sha256.Sum256([]byte(v.Str()))
	return append(dst, string(sum[:]))
}

// termTokens are the words of the text, folded to lower case and normal form, accents kept (dql.md section
// 5).
func termTokens(dst []string, v types.Value, _ string) []string {
	start := len(dst)
	eachWord(v.Str(), func(word string) { dst = append(dst, foldWord(word)) })
	return distinct(dst, start)
}

// foldWord returns the form under which a word is found. ASCII words, the most of all, cost no allocation
// when they are in lower case already.
func foldWord(word string) string {
	for i := range len(word) {
		if word[i] >= utf8.RuneSelf {
			return norm.NFKC.String(strings.ToLower(norm.NFKC.String(word)))
		}
	}
	return strings.ToLower(word)
}

// eachWord calls fn for the words of text by the Unicode rules for word boundaries (UAX #29). What lies
// between words (blanks, punctuation) is left out; an ideograph is a word of its own. Invalid UTF-8 counts as
// U+FFFD.
func eachWord(text string, fn func(word string)) {
	words := segment.NewWordSegmenterDirect([]byte(strings.ToValidUTF8(text, "\ufffd")))
	for words.Segment() {
		if words.Type() != segment.None {
			fn(words.Text())
		}
	}
}

// trigramTokens are the runs of three characters of the text, as it is written.
func trigramTokens(dst []string, v types.Value, _ string) []string {
	start := len(dst)
	dst = appendTrigrams(dst, v.Str())
	return distinct(dst, start)
}

// appendTrigrams appends every run of three characters of text, in order. An invalid byte counts as U+FFFD,
// as it does to package regexp.
func appendTrigrams(dst []string, text string) []string {
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	first, second, seen := 0, 0, 0
	for i := 0; i < len(text); {
		_, size := utf8.DecodeRuneInString(text[i:])
		if seen++; seen >= 3 {
			dst = append(dst, text[first:i+size])
		}
		first, second = second, i
		i += size
	}
	return dst
}
