package commands

import (
	"strings"
	"unicode/utf8"
)

// longestGuess is the longest word, in runes, that is compared at all: beyond
// it a typing error can't be told from another word, and the comparison grows
// with the square of the length.
const longestGuess = 64

// Nearest finds the one of words that word was probably meant to be: the fewest
// letters typed wrong, left out, added or swapped with their neighbour, in any
// case. One slip is forgiven in words of up to five letters, two in up to
// eight, three beyond; words of one letter must match. A beginning of three or
// more letters that fits only one word counts too ("stat"). Of equally near
// words the first in words wins. False means that nothing is near enough to
// propose.
func Nearest(word string, words []string) (string, bool) {
	w := []rune(strings.ToLower(word))
	if len(w) == 0 || len(w) > longestGuess {
		return "", false
	}
	best, bestAt := forgiven(len(w))+1, -1
	for i, c := range words {
		n := utf8.RuneCountInString(c)
		if n > longestGuess || n-len(w) >= best || len(w)-n >= best {
			continue
		}
		if d := distance(w, []rune(strings.ToLower(c))); d < best {
			best, bestAt = d, i
		}
	}
	if bestAt < 0 {
		bestAt = onlyWith(string(w), words)
	}
	if bestAt < 0 {
		return "", false
	}
	return words[bestAt], true
}

func forgiven(letters int) int {
	switch {
	case letters < 2:
		return 0
	case letters <= 5:
		return 1
	case letters <= 8:
		return 2
	default:
		return 3
	}
}

// onlyWith is the index of the single word that begins with prefix, or -1.
func onlyWith(prefix string, words []string) int {
	if utf8.RuneCountInString(prefix) < 3 {
		return -1
	}
	at := -1
	for i, c := range words {
		if !strings.HasPrefix(strings.ToLower(c), prefix) {
			continue
		}
		if at >= 0 && !strings.EqualFold(words[at], c) {
			return -1
		}
		at = i
	}
	return at
}

// distance is the optimal string alignment distance: Levenshtein's, where two
// neighbours that changed places count as one slip.
func distance(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			wrong := 0
			if a[i-1] != b[j-1] {
				wrong = 1
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
