package render

import "github.com/brokerd/brokerd/internal/textwrap"

// usualWidth is the number of columns of text for a reader without a terminal.
const usualWidth = 100

// columns returns the number of columns between the margins.
func columns(width int, margins ...string) int {
	if width <= 0 {
		width = usualWidth
	}
	for _, m := range margins {
		width -= len(m)
	}
	return max(width, 20)
}

// heading breaks a line that is wider than the terminal. Without a terminal it stays one
// line: programs search for its code.
func heading(text string, width int, margins ...string) string {
	if width <= 0 {
		return text
	}
	return textwrap.Hang(text, columns(width, margins...))
}
