package providers

import (
	"slices"
	"strings"
)

// longestGuess is the longest word, in letters, that is compared at all: beyond it
// a typing error can't be told from another word, and the comparison grows with the
// square of the length.
const longestGuess = 64

// Nearest is the candidate that a mistyped word of config most likely meant, or "":
// what a Problem suggests. One slip is forgiven for every three letters, at least
// one, in any case; a slip is a letter too much, too few or another, or two
// neighbours that changed places. Of equally near candidates the first in
// alphabetical order wins. Letters are characters and not bytes: in bytes a Chinese
// word is three times as far from another one.
func Nearest(word string, candidates []string) string {
	w := []rune(strings.ToLower(word))
	if len(w) > longestGuess {
		return ""
	}
	best, at := "", max(1, len(w)/3)+1
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		x := []rune(strings.ToLower(c))
		if len(x) == 0 || len(x) > longestGuess {
			continue
		}
		if d := slips(w, x); d < at {
			best, at = c, d
		}
	}
	return best
}

// slips is the optimal string alignment distance: the letters to insert, drop or
// replace, where two that changed places count once.
func slips(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
