package main

import (
	"slices"
	"testing"
)

func TestItCountsLinesAndWords(t *testing.T) {
	summary, err := Summarize("To be,\nor not to be\n", 2)
	if err != nil {
		t.Fatal(err)
	}
	if summary.Lines != 2 || summary.Words != 6 {
		t.Errorf("%d lines and %d words, want 2 and 6", summary.Lines, summary.Words)
	}
	if want := []Frequency{{"be", 2}, {"to", 2}}; !slices.Equal(summary.Frequent, want) {
		t.Errorf("frequent is %v, want %v", summary.Frequent, want)
	}
}

func TestItRefusesWhatWouldMakeALongAnswer(t *testing.T) {
	for _, top := range []int{-1, 101} {
		if _, err := Summarize("", top); err == nil {
			t.Errorf("top %d was not refused", top)
		}
	}
}
