package bench

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// Social is a made-up network of people, cities and messages. The same size gives the same graph.
type Social struct {
	People int
}

// The shape of the network, per size: so many people share a first name, a last name.
const (
	firstNames = 25
	lastNames  = 250
	cities     = 200
	vocabulary = 2000
)

// SocialSchema has an index of every kind that the shapes use.
const SocialSchema = `
handle: string @index(exact) .
first: string @index(exact) .
last: string @index(exact) .
name: string @index(term) .
age: int @index(int) .
karma: int .
born: datetime @index(year) .
city: uid @reverse .
knows: [uid] @reverse @count .
title: string @index(exact) .
text: string @index(fulltext) .
posted: datetime @index(year) .
author: uid @reverse @count .
`

// FirstName returns the i-th first name; people have them in turn, so that all are as frequent.
func FirstName(i int) string { return word(i % firstNames) }

// LastName returns the i-th last name.
func LastName(i int) string { return word(1000 + i%lastNames) }

// Word returns the i-th word of the messages; the first are the most frequent.
func Word(i int) string { return word(5000 + i%vocabulary) }

// word makes a word that can be spoken and that no stemmer shortens.
func word(n int) string {
	const consonants, vowels = "bdfgklmnprtvz", "aiou"
	text := make([]byte, 0, 8)
	for range 3 {
		text = append(text, consonants[n%len(consonants)])
		n /= len(consonants)
		text = append(text, vowels[n%len(vowels)])
		n /= len(vowels)
	}
	return string(append(text, 'k'))
}

// Write writes the network as N-Quads: about 22 for each person.
func (s Social) Write(to io.Writer) error {
	w := bufio.NewWriter(to)
	rnd := rand.New(rand.NewPCG(uint64(s.People), 0))
	for i := range cities {
		fmt.Fprintf(w, "_:c%d <title> \"%s\" .\n", i, word(20000+i))
	}
	popular := rand.NewZipf(rnd, 1.5, 8, uint64(s.People-1))
	words := rand.NewZipf(rnd, 1.1, 10, vocabulary-1)
	towns := rand.NewZipf(rnd, 1.2, 5, cities-1)
	for i := range s.People {
		s.person(w, rnd, i, int(towns.Uint64()))
		for range 4 + rnd.IntN(9) {
			to := rnd.IntN(s.People)
			if rnd.IntN(10) == 0 {
				to = int(popular.Uint64()) // hubs
			}
			fmt.Fprintf(w, "_:p%d <knows> _:p%d (weight=%.2f, since=%d) .\n", i, to, rnd.Float64(), 1990+rnd.IntN(35))
		}
		for m := range rnd.IntN(5) {
			fmt.Fprintf(w, "_:m%d.%d <text> \"", i, m)
			for range 12 {
				w.WriteString(Word(int(words.Uint64())) + " ")
			}
			fmt.Fprintf(w, "\" .\n_:m%d.%d <author> _:p%d .\n_:m%d.%d <posted> \"%s\" .\n", i, m, i, i, m, date(rnd, 2005, 20))
		}
	}
	return w.Flush()
}

func (s Social) person(w io.Writer, rnd *rand.Rand, i, city int) {
	last := rnd.IntN(lastNames)
	for _, f := range [][2]string{
		{"handle", fmt.Sprintf("user%d", i)},
		{"first", FirstName(i)},
		{"last", LastName(last)},
		{"name", FirstName(i) + " " + LastName(last)},
		{"age", fmt.Sprint(rnd.IntN(100))},
		{"karma", fmt.Sprint(rnd.IntN(1_000_000))},
		{"born", date(rnd, 1925, 80)},
	} {
		fmt.Fprintf(w, "_:p%d <%s> %q .\n", i, f[0], f[1])
	}
	fmt.Fprintf(w, "_:p%d <city> _:c%d .\n", i, city)
}

// date draws a day of so many years.
func date(rnd *rand.Rand, from, years int) string {
	return time.Date(from, 1, 1+rnd.IntN(365*years), 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// NameNodes replaces the blank nodes of N-Quads by uids from first on, and returns the lines.
func NameNodes(text string, first uint64) []string {
	names := map[string]string{}
	name := func(blank string) string {
		if names[blank] == "" {
			names[blank] = fmt.Sprintf("<0x%x>", first+uint64(len(names)))
		}
		return names[blank]
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		f := strings.SplitN(line, " ", 4)
		for _, at := range []int{0, 2} {
			if strings.HasPrefix(f[at], "_:") {
				f[at] = name(f[at])
			}
		}
		lines[i] = strings.Join(f, " ")
	}
	return lines
}
