package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// most is how many words an answer names at most, so that it stays short.
const most = 100

// Frequency is a word, and how often it occurs.
type Frequency struct {
	Word  string `json:"word"`
	Count int    `json:"count"`
}

// Summary is what is known of a text.
type Summary struct {
	Lines int `json:"lines"`
	Words int `json:"words"`
	// Frequent has the words that occur most often, the most frequent first.
	Frequent []Frequency `json:"frequent"`
}

// Summarize counts the lines and words of text, and names its top most frequent words.
//
// Its error reaches the caller as the tool's: it says what to do next.
func Summarize(text string, top int) (Summary, error) {
	if top < 0 || top > most {
		return Summary{}, fmt.Errorf("top is %d, and between 0 and %d words are named: ask for that", top, most)
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(letter rune) bool {
		return !unicode.IsLetter(letter) && !unicode.IsNumber(letter)
	})
	counts := map[string]int{}
	for _, word := range words {
		counts[word]++
	}
	frequent := []Frequency{}
	for word, count := range counts {
		frequent = append(frequent, Frequency{word, count})
	}
	slices.SortFunc(frequent, func(a, b Frequency) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Word, b.Word))
	})
	lines := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		lines++
	}
	return Summary{lines, len(words), frequent[:min(top, len(frequent))]}, nil
}
