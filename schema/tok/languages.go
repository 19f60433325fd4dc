package tok

import (
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/analysis"
	"github.com/blevesearch/bleve/v2/analysis/lang/ar"
	"github.com/blevesearch/bleve/v2/analysis/lang/bg"
	"github.com/blevesearch/bleve/v2/analysis/lang/ca"
	"github.com/blevesearch/bleve/v2/analysis/lang/cjk"
	"github.com/blevesearch/bleve/v2/analysis/lang/ckb"
	"github.com/blevesearch/bleve/v2/analysis/lang/cs"
	"github.com/blevesearch/bleve/v2/analysis/lang/da"
	"github.com/blevesearch/bleve/v2/analysis/lang/de"
	"github.com/blevesearch/bleve/v2/analysis/lang/el"
	"github.com/blevesearch/bleve/v2/analysis/lang/en"
	"github.com/blevesearch/bleve/v2/analysis/lang/es"
	"github.com/blevesearch/bleve/v2/analysis/lang/eu"
	"github.com/blevesearch/bleve/v2/analysis/lang/fa"
	"github.com/blevesearch/bleve/v2/analysis/lang/fi"
	"github.com/blevesearch/bleve/v2/analysis/lang/fr"
	"github.com/blevesearch/bleve/v2/analysis/lang/ga"
	"github.com/blevesearch/bleve/v2/analysis/lang/gl"
	"github.com/blevesearch/bleve/v2/analysis/lang/hi"
	"github.com/blevesearch/bleve/v2/analysis/lang/hr"
	"github.com/blevesearch/bleve/v2/analysis/lang/hu"
	"github.com/blevesearch/bleve/v2/analysis/lang/hy"
	"github.com/blevesearch/bleve/v2/analysis/lang/id"
	"github.com/blevesearch/bleve/v2/analysis/lang/it"
	"github.com/blevesearch/bleve/v2/analysis/lang/nl"
	"github.com/blevesearch/bleve/v2/analysis/lang/no"
	"github.com/blevesearch/bleve/v2/analysis/lang/pl"
	"github.com/blevesearch/bleve/v2/analysis/lang/pt"
	"github.com/blevesearch/bleve/v2/analysis/lang/ro"
	"github.com/blevesearch/bleve/v2/analysis/lang/ru"
	"github.com/blevesearch/bleve/v2/analysis/lang/sv"
	"github.com/blevesearch/bleve/v2/analysis/lang/tr"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	"github.com/blevesearch/bleve/v2/analysis/tokenizer/unicode"
	"github.com/blevesearch/bleve/v2/registry"
)

// analyzerFor returns the full-text pipeline for a language tag, nil where there is none: words, lower case,
// stop words, stems. Only the tag's first part counts: en-AU is English. Untagged text counts as English.
func analyzerFor(lang string) analysis.Analyzer {
	if lang == "" {
		return englishAnalyzer()
	}
	base, _, _ := strings.Cut(strings.ToLower(lang), "-")
	switch base {
	case "en":
		return englishAnalyzer()
	case "zh", "ja", "ko":
		base = cjk.AnalyzerName
	case "nb", "nn":
		base = no.AnalyzerName
	}
	return otherAnalyzers()[base]
}

// The pipelines are built on first use and never changed: English on its own, because it serves every
// untagged value, the others together.
var (
	englishAnalyzer = sync.OnceValue(func() analysis.Analyzer {
		return named(registry.NewCache(), en.AnalyzerName)
	})
	otherAnalyzers = sync.OnceValue(func() map[string]analysis.Analyzer {
		cache := registry.NewCache()
		all := make(map[string]analysis.Analyzer)
		for _, name := range []string{
			ar.AnalyzerName,
			cjk.AnalyzerName,
			ckb.AnalyzerName,
			da.AnalyzerName,
			de.AnalyzerName,
			es.AnalyzerName,
			fa.AnalyzerName,
			fi.AnalyzerName,
			fr.AnalyzerName,
			hi.AnalyzerName,
			hr.AnalyzerName,
			hu.AnalyzerName,
			it.AnalyzerName,
			nl.AnalyzerName,
			no.AnalyzerName,
			pl.AnalyzerName,
			pt.AnalyzerName,
			ro.AnalyzerName,
			ru.AnalyzerName,
			sv.AnalyzerName,
			tr.AnalyzerName,
		} {
			all[name] = named(cache, name)
		}
		for name, stop := range map[string]string{
			"bg": bg.StopName,
			"ca": ca.StopName,
			"cs": cs.StopName,
			"el": el.StopName,
			"eu": eu.StopName,
			"ga": ga.StopName,
			"gl": gl.StopName,
			"hy": hy.StopName,
			"id": id.StopName,
		} {
			all[name] = stopping(cache, stop)
		}
		return all
	})
)

// named returns a pipeline of the library, nil for a name it does not know.
func named(cache *registry.Cache, name string) analysis.Analyzer {
	a, err := cache.AnalyzerNamed(name)
	if err != nil {
		return nil
	}
	return a
}

// stopping returns a pipeline without a stemmer, for a language of which the library only has the stop words.
func stopping(cache *registry.Cache, stop string) analysis.Analyzer {
	words, err := cache.TokenizerNamed(unicode.Name)
	if err != nil {
		return nil
	}
	filters := make([]analysis.TokenFilter, 0, 2)
	for _, name := range []string{lowercase.Name, stop} {
		f, err := cache.TokenFilterNamed(name)
		if err != nil {
			return nil
		}
		filters = append(filters, f)
	}
	return &analysis.DefaultAnalyzer{Tokenizer: words, TokenFilters: filters}
}
